"""One message of every type, and parts made by hand."""

from __future__ import annotations

import zlib
from typing import Any, get_args

import msgpack
import numpy as np
import pytest

from semcom import wire
from semcom.errors import ProtocolError
from semcom.fingerprint import EngineRounding, own_origin
from semcom.frame_messages import FrameKey, ReceivedFrame, SymbolFrame, TaskResult
from semcom.messages import (
    PROTOCOL_VERSION,
    Arithmetic,
    Assignment,
    CodecReport,
    Failure,
    FrameResult,
    Hello,
    HostReport,
    LoadCodec,
    Message,
    PointTable,
    Recorded,
    Refusal,
    RefusalReason,
    Results,
    StreamAssignment,
    StreamState,
    Wanted,
    Welcome,
)
from semcom.points import ChannelSettings, PointSpec

INSTANCE = "0123456789abcdef"
DIGEST = "ab" * 32
KEY = FrameKey(run="demo", point=3, link="cifar10", frame=7)
SPEC = PointSpec(
    channel=ChannelSettings(model="rician", rician_k=2.5, coherence=4, csi="mismatch"),
    snr_db=-7.5,
    seed=2**63 - 1,
)
SYMBOLS = (np.arange(6) - 2.5j).astype(np.complex64).reshape(2, 3)
SENT = SYMBOLS * np.array([[1, 1, 0], [1, 1, 1]], dtype=np.complex64)
ORIGIN = own_origin({"receiver": EngineRounding("torch", "2.15.0", "AVX2", DIGEST, threads=1)})
DURATIONS = {"channel_ms": 0.25, "batch_wait_ms": 1.5, "decode_ms": 3.0}

SAMPLES: list[tuple[Message, wire.Symbols]] = [
    (
        Hello(
            role="receiver", peer="r-1", instance=INSTANCE, codecs=[DIGEST],
            arithmetic=Arithmetic(threads=2, decoding="exact"),
        ),
        wire.EMPTY,
    ),
    (
        Hello(role="channel", peer="channel", instance=INSTANCE, run="demo", points=9, busy=[1, 2]),
        wire.EMPTY,
    ),
    (Welcome(instance=INSTANCE), wire.EMPTY),
    (SymbolFrame(key=KEY, first_image=14, images=2, symbols=3, codec=DIGEST), SYMBOLS),
    (
        ReceivedFrame(
            key=KEY, images=2, symbols=3, codec=DIGEST, csi_columns=0, snr_db=-7.5,
            equalizer="mmse", channel_ms=0.5, snr_measured_db=-7.25,
        ),
        SYMBOLS,
    ),
    (
        ReceivedFrame(
            key=KEY, images=2, symbols=2, codec=DIGEST, csi_columns=1, snr_db=60.0,
            equalizer="zero_forcing", channel_ms=0.5,
        ),
        SYMBOLS,
    ),
    (
        SymbolFrame(
            key=KEY, first_image=14, images=2, symbols=3, codec=DIGEST, used=b"\2\0\3\0"
        ),
        SENT,
    ),
    (
        ReceivedFrame(
            key=KEY, images=2, symbols=3, codec=DIGEST, csi_columns=0, snr_db=-7.5,
            equalizer="mmse", channel_ms=0.5, used=b"\2\0\3\0",
        ),
        SENT,
    ),
    (
        TaskResult(key=KEY, codec=DIGEST, **DURATIONS),
        np.frombuffer(b"\1\0\xff\xff", dtype=np.uint8),
    ),
    (Refusal(reason="no_receiver", detail="nobody has it", key=KEY), wire.EMPTY),
    (Refusal(reason="checksum", detail=""), wire.EMPTY),
    (PointTable(run="demo", total=40, first=32, points=[SPEC, PointSpec(snr_db=0)]), wire.EMPTY),
    (LoadCodec(codec="cifar10-c", digest=DIGEST), wire.EMPTY),
    (CodecReport(codec="cifar10-c", digest=DIGEST, loaded=False, detail="no"), wire.EMPTY),
    (
        Assignment(
            run="demo", point=3, spec=SPEC, dataset="cifar10", dataset_digest=DIGEST,
            codec="cifar10-c", codec_digest=DIGEST, images=10_000, frame_images=100, window=8,
            encode_once=True, frames=[(0, 40), (60, 100)],
        ),
        wire.EMPTY,
    ),
    (
        Results(
            run="demo", link="cifar10", codec=DIGEST,
            results=[
                FrameResult(
                    point=3, frame=7, images=2, score={"items": 2, "correct": 1},
                    answer=b"\1\0\2\0", attempts=2, encode_ms=1.0, round_trip_ms=9.0, **DURATIONS,
                )
            ],
        ),
        wire.EMPTY,
    ),
    (Recorded(run="demo", frames=[(3, 7), (3, 8)]), wire.EMPTY),
    (Failure(role="transmitter", peer="cifar10", exit_code=6, detail="damaged"), wire.EMPTY),
    (
        Hello(
            role="transmitter", peer="cifar10", instance=INSTANCE,
            stream=StreamState(
                run="live", epoch=3, point=5, oldest=4, paused=False, offered=9, shed=1,
                unrecorded=3, in_flight=2, refusals=0,
            ),
        ),
        wire.EMPTY,
    ),
    (
        StreamAssignment(
            run="live", point=5, spec=SPEC, dataset="cifar10", dataset_digest=DIGEST,
            codec="cifar10-c", codec_digest=DIGEST, images=10_000, frame_images=10, window=8,
            encode_once=True, epoch=3, rate_hz=7.5, arrivals="poisson", paused=True,
        ),
        wire.EMPTY,
    ),
    (Wanted(key=KEY), wire.EMPTY),
    (HostReport(role="receiver", peer="receiver-1", origin=ORIGIN), wire.EMPTY),
]  # fmt: skip
by_name = pytest.mark.parametrize(
    ("message", "payload"),
    SAMPLES,
    ids=lambda v: type(v).__name__ if isinstance(v, Message) else "",
)


def sealed(type_code: int, header: bytes, body: bytes = b"", **prefix: Any) -> list[bytes]:
    """Three parts with a prefix that fits them, but for what `prefix` says."""
    fields = {
        "magic": b"SEMC",
        "version": PROTOCOL_VERSION,
        "type": type_code,
        "header_bytes": len(header),
        "body_bytes": len(body),
        **prefix,
    }
    crc = fields.pop("crc", None)
    start = wire.FIELDS.pack(*fields.values())
    if crc is None:
        crc = zlib.crc32(start + header + body)
    return [start + wire.CRC.pack(crc), header, body]


def reason(parts: list[bytes]) -> str:
    """Why the parts are refused; fails where they are not."""
    with pytest.raises(ProtocolError) as caught:
        wire.decode(parts)
    assert caught.value.reason in get_args(RefusalReason)
    assert str(caught.value).isprintable()
    assert len(caught.value.detail) <= 300
    return caught.value.reason


def header_of(message: Message, **changed: Any) -> bytes:
    """The message's header with some fields changed."""
    return msgpack.packb({**msgpack.unpackb(wire.header_bytes(message)), **changed})
