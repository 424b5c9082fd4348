"""What the channel refuses, and that a Refusal is never answered: by the page's own rules."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.integration import plain_client as pc
from tests.integration.harness import eventually
from tests.integration.plain_channel import (
    AWGN,
    GOOD,
    POINTS,
    RUN,
    Channel,
    Client,
    frame,
    transmit,
)

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


def with_prefix(parts: pc.Parts, **changes: Any) -> pc.Parts:
    """The parts with another prefix, sealed again unless `crc` is given."""
    names = ("magic", "version", "kind", "header", "payload", "crc")
    values = dict(zip(names, pc.PREFIX.unpack(parts[0]), strict=True))
    start = pc.PREFIX.pack(*(values | changes).values())[:16]
    crc = changes.get("crc", zlib.crc32(start + parts[1] + parts[2]))
    return [start + struct.pack("<I", crc), *parts[1:]]


NAN, INF, LOUD = GOOD.copy(), GOOD.copy(), GOOD.copy()
NAN[1, 2], INF[1, 2] = complex(0, np.nan), np.inf
LOUD[1] *= 1.0006  # of one row; its power is 1.0012
ANSWER = {
    "key": {"run": RUN, "point": 0, "link": "stranger", "frame": 0},
    "codec": "ab" * 32,
    "channel_ms": 0.0,
    "batch_wait_ms": 0.0,
    "decode_ms": 0.0,
}
Maker = Callable[[Client], pc.Parts]
WITH_KEY: dict[str, tuple[str, Maker]] = {
    "point beyond the table": ("unknown_point", lambda c: frame(c, GOOD, len(POINTS))),
    "NaN": ("not_finite", lambda c: frame(c, NAN)),
    "Inf": ("not_finite", lambda c: frame(c, INF)),
    "one row over power": ("over_power", lambda c: frame(c, LOUD)),
    "codec that nobody has": ("no_receiver", lambda c: frame(c, GOOD, codec="0" * 64)),
    "fewer symbols than stated": ("shape", lambda c: frame(c, GOOD, symbols=4)),
    "no room for channel state": ("shape", lambda c: frame(c, np.zeros((512, 4096)))),
}
WITHOUT_KEY: dict[str, tuple[str, Maker]] = {
    "two parts": ("parts", lambda c: frame(c, GOOD)[:2]),
    "short prefix": ("size", lambda c: [b"SEMC", *frame(c, GOOD)[1:]]),
    "lengths that differ": ("size", lambda c: with_prefix(frame(c, GOOD), payload=8)),
    "header above its bound": ("size", lambda c: pc.build(1, {"peer": "x" * 262_144})),
    "other magic": ("magic", lambda c: with_prefix(frame(c, GOOD), magic=b"SEMD")),
    "other version": ("version", lambda c: with_prefix(frame(c, GOOD), version=1)),
    "version 2": ("version", lambda c: with_prefix(frame(c, GOOD), version=2)),
    "next version": ("version", lambda c: with_prefix(frame(c, GOOD), version=4)),
    "unknown type": ("type", lambda c: with_prefix(frame(c, GOOD), kind=99)),
    "damage": ("checksum", lambda c: with_prefix(frame(c, GOOD), crc=1)),
    "too many images": ("header", lambda c: frame(c, GOOD, images=4097)),
    "too many symbols": ("header", lambda c: frame(c, GOOD, symbols=4097)),
    "count as a float": ("header", lambda c: frame(c, GOOD, symbols=3.0)),
    "unknown field": ("header", lambda c: frame(c, GOOD, colour=1)),
    "long string": ("header", lambda c: frame(c, GOOD, codec="a" * 2049)),
    "payload where there is none": (
        "shape",
        lambda c: pc.build(pc.HELLO, c.transmitter.line.hello, b"\0" * 8),
    ),
    "answer on the uplink": ("unexpected", lambda c: pc.build(pc.TASK_RESULT, ANSWER, b"\0\0")),
    "receiver on the uplink": (
        "unexpected",
        lambda c: pc.build(pc.HELLO, c.receiver.line.hello),
    ),
}


@pytest.mark.parametrize("what", [*WITH_KEY, *WITHOUT_KEY])
def test_wrong_message_is_refused_with_the_reason_of_the_page(client: Client, what: str) -> None:
    reason, make = {**WITH_KEY, **WITHOUT_KEY}[what]
    refusals = client.transmitter.refusals
    client.transmitter.line.send(make(client))
    client.until(lambda: bool(refusals), f"a refusal of: {what}")
    (refusal,) = refusals
    assert refusal.fields["reason"] == reason
    if what in WITH_KEY:
        point = len(POINTS) if reason == "unknown_point" else 0
        assert refusal.name == (RUN, point, client.link, 0)
    else:
        assert refusal.fields["key"] is None
    assert not client.receiver.frames


def test_power_just_below_the_bound_is_let_through(client: Client) -> None:
    (got,) = transmit(client, AWGN, [GOOD * np.float32(1.0004)])
    assert got.symbols.shape == GOOD.shape
    assert not client.refusals


# As a peer of version 2 wrote it: role, name and instance, the rest left to its defaults.
HELLO_2 = {
    role: b"\x83\xa4role" + bytes([0xA0 + len(role)]) + role.encode()
    + b"\xa4peer\xa3old" + b"\xa8instance\xb0" + b"01234567" * 2
    for role in ("transmitter", "receiver")
}  # fmt: skip


@pytest.mark.parametrize("role", HELLO_2)
def test_peer_of_version_2_is_refused_in_one_clear_line(
    shared_channel: Channel, client: Client, role: str
) -> None:
    """Its Hello would be one of version 3 but for the version."""
    header = HELLO_2[role]
    start = b"SEMC" + struct.pack("<HHII", 2, 1, len(header), 0)
    parts = [start + struct.pack("<I", zlib.crc32(start + header)), header, b""]
    address = {"transmitter": shared_channel.uplink, "receiver": shared_channel.downlink}[role]
    old = pc.Dialled(client.context, address, {})
    try:
        assert pc.parse(with_prefix(parts, version=3)).fields["role"] == role
        eventually(lambda: old.send(parts), "a connection")
        got: list[pc.Message] = []
        eventually(lambda: bool(got.extend(old.receive()) or got), "the refusal")
    finally:
        old.close()
    (refusal,) = got
    assert refusal.fields == {
        "reason": "version",
        "detail": "protocol version 2, here 3",
        "key": None,
    }


def test_answer_of_a_receiver_that_never_greeted_is_refused(
    shared_channel: Channel, client: Client
) -> None:
    hello = {"role": "receiver", "peer": "stranger"}
    stranger = pc.Receiver(pc.Dialled(client.context, shared_channel.downlink, hello))
    stranger.line.silent = True
    key = {**ANSWER["key"], "link": client.link}
    answer = pc.build(pc.TASK_RESULT, {**ANSWER, "key": key}, b"\0\0")
    try:
        client.until(lambda: stranger.line.send(answer), "a connection")

        def refused() -> bool:
            stranger.step(time.monotonic())
            return bool(stranger.refusals)

        eventually(refused, "the refusal")
    finally:
        stranger.line.close()
    assert [each.fields["reason"] for each in stranger.refusals] == ["unexpected"]
    transmit(client, AWGN, [GOOD])  # later than the stranger's answer on the same channel
    assert list(client.transmitter.answers) == [(RUN, AWGN, client.link, 0)]


def test_refusal_of_a_receiver_reaches_the_transmitter_and_no_refusal_is_answered(
    client: Client,
) -> None:
    key = {"run": RUN, "point": 0, "link": client.link, "frame": 9}
    refusal = {"reason": "codec_mismatch", "detail": "for the test", "key": key}
    client.transmitter.line.send(pc.build(pc.REFUSAL, {**refusal, "detail": "upwards"}))

    def refused() -> bool:
        """Sent until it comes through: a receiver that the channel has forgotten is not heard."""
        client.receiver.line.send(pc.build(pc.REFUSAL, {**refusal, "key": None}))
        client.receiver.line.send(pc.build(pc.REFUSAL, refusal))
        return bool(client.refusals)

    client.until(refused, "the receiver's refusal")
    transmit(client, AWGN, [GOOD])  # sent last, so all else would have come before
    assert all(each.fields == refusal for each in client.refusals)
    assert not client.receiver.refusals
