"""The page suffices: a client written from docs/protocol.md alone against a real channel."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
import zmq

from semcom.sockets import free_ports
from tests.integration import plain_client as pc
from tests.integration import plain_random as pr
from tests.integration.harness import REPO, eventually

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]

PAGE = (REPO / "docs" / "protocol.md").read_text()
RUN = "plain"

AWGN, RAYLEIGH, RICIAN, MISMATCH, NO_CSI, MINUS_ZERO, ZERO = range(7)
POINTS: list[dict[str, Any]] = [
    {"snr_db": 5.0, "seed": 7},
    {"snr_db": 10.0, "seed": 7, "channel": {"model": "rayleigh"}},
    {
        "snr_db": -2.5,
        "seed": 2**63 - 1,
        "channel": {"model": "rician", "rician_k": 0.1, "coherence": 3, "equalizer": "mmse"},
    },
    {
        "snr_db": 10.0,
        "seed": 7,
        "channel": {"model": "rayleigh", "csi": "mismatch", "csi_error_variance": 0.1},
    },
    {"snr_db": 10.0, "seed": 7, "channel": {"model": "rayleigh", "csi": "none"}},
    {"snr_db": -0.0, "seed": 7},
    {"snr_db": 0.0, "seed": 7},
]


# --- the page as data


def block_after(phrase: str) -> str:
    """The first code block after a phrase of the page."""
    assert PAGE.count(phrase) == 1, phrase
    return PAGE.split(phrase)[1].split("```")[1].split("\n", 1)[1]


def hex_fields(block: str) -> dict[str, bytes]:
    """Lines `name  hex hex`, continued by lines without a name."""
    found: dict[str, str] = {}
    name = ""
    for line in block.strip().splitlines():
        head, *rest = line.split()
        if not line.startswith(" "):
            name, words = head, rest
        else:
            words = [head, *rest]
        found[name] = found.get(name, "") + "".join(words)
    return {name: bytes.fromhex(digits) for name, digits in found.items()}


def example(phrase: str) -> list[bytes]:
    """The three parts of a worked example."""
    fields = hex_fields(block_after(phrase))
    return [fields["prefix"], fields["header"], fields.get("payload", b"")]


PAGE_FRAME = pc.frame_fields(
    "bench", 1, "bpsk", 0, 3, np.array([[1, -1, -1, 1, 1]], dtype="<c8"), "ab" * 32
)


def test_worked_examples_of_the_page_are_built_and_parsed_to_the_byte() -> None:
    welcome = example("A Welcome with instance")
    assert pc.build(pc.WELCOME, {"instance": "0123456789abcdef"}) == welcome
    assert pc.parse(welcome).fields == {"instance": "0123456789abcdef"}

    frame = example("A SymbolFrame: run `bench`")
    payload = pc.symbol_bytes(np.array([[1, -1, -1, 1, 1]]))
    assert pc.build(pc.SYMBOL_FRAME, PAGE_FRAME, payload) == frame
    assert pc.parse(frame) == pc.Message(pc.SYMBOL_FRAME, PAGE_FRAME, payload)


def test_golden_value_of_the_page_is_what_its_formulas_give() -> None:
    block = block_after("**Golden value.**")
    text = re.search(r'text +"(.*)"', block)[1].replace("\\n", "\n")
    digest, *keys = re.search(r"K +(\w+) +key0 0x(\w+) +key1 0x(\w+)", block).groups()
    words = [int(word, 16) for word in re.findall(r"\b[0-9a-f]{16}\b", block.split("words")[1])]
    values = {
        name: np.array([complex(number.replace(" ", ""))], dtype="<c8")
        for name, number in re.findall(r"^(\S+) +(-?[\d.]+ [+-] [\d.]+j)", block, re.M)
    }
    exact = dict(re.findall(r"^([xnh]\S*) .*?((?:[0-9a-f]{8} ){1}[0-9a-f]{8})", block, re.M))

    assert pr.key_text(7, "bpsk", 10.0, "noise", {"model": "rayleigh"}) == text
    assert pr.digest_of(text).hex() == digest
    key = pr.halves(pr.digest_of(text))
    assert key == tuple(int(half, 16) for half in keys)
    assert pr.item_words(key, 3, 5) == words

    spec = {"snr_db": 10.0, "seed": 7, "channel": {"model": "rayleigh"}}
    x = np.array([complex(*pr.sample(words[0]))], dtype="<c8")
    h, silence = pr.channel_of_image(spec, "bpsk", 3, np.zeros(5, dtype="<c8"))
    for name, found in (("x[0]", x), ("n[0]", silence[:1]), ("h", h)):
        assert found.tobytes() == values[name].tobytes() == bytes.fromhex(exact[name])


def test_tables_of_the_page_have_their_digest() -> None:
    digest = hashlib.sha256(pr.COS.tobytes() + pr.SIN.tobytes()).hexdigest()
    assert f"`{digest}`" in PAGE


# --- a real channel


class Channel:
    """A channel process and where it listens."""

    def __init__(self, folder: Path, table: dict[str, Any] | None = None) -> None:
        ports = free_ports(2)
        self.uplink, self.downlink = (f"tcp://127.0.0.1:{port}" for port in ports)
        table = table or {"run": RUN, "points": POINTS}
        settings = {"uplink": self.uplink, "downlink": self.downlink, "static": table}
        self.config, self.log = folder / "channel.yaml", folder / "channel.log"
        self.config.write_text(yaml.safe_dump({"channel": settings}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "channel_sim", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--id", "channel"], stdout=log, stderr=log, cwd=REPO
            )

    def end(self, number: int) -> int:
        """End the process by a signal; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def running(channel: Channel) -> Iterator[Channel]:
    """A channel that is ended, whatever happens."""
    channel.start()
    try:
        yield channel
    finally:
        code = channel.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in channel.log.read_text()


@contextmanager
def dialled(channel: Channel, link: str, codec: str) -> Iterator[pc.Client]:
    """A client that both ends of the channel have greeted."""
    client = pc.Client(channel.uplink, channel.downlink, link, codec)
    try:
        client.welcomed()
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module")
def shared_channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channel]:
    with running(Channel(tmp_path_factory.mktemp("channel"))) as channel:
        yield channel


@pytest.fixture
def client(shared_channel: Channel, request: pytest.FixtureRequest) -> Iterator[pc.Client]:
    """A client with a link and a codec of its own; the link decides the noise."""
    codec = hashlib.sha256(request.node.name.encode()).hexdigest()
    link = f"link-{codec[:8]}"
    with dialled(shared_channel, link, codec) as both:
        yield both


def bpsk(bits: np.ndarray) -> np.ndarray:
    """Bit 0 is +1, bit 1 is -1."""
    return np.where(bits, -1, 1).astype("<c8")


def some_symbols(images: int, symbols: int) -> np.ndarray:
    """Complex symbols of full power in general position."""
    angles = np.random.default_rng(5).uniform(0, 2 * np.pi, (images, symbols))
    return np.exp(1j * angles).astype("<c8")


def transmit(
    client: pc.Client, point: int, frames: list[np.ndarray], first_frame: int = 0
) -> list[pc.Reception]:
    """Send frames of one size and wait for every answer; the receptions in order."""
    keys = []
    for number, symbols in enumerate(frames, start=first_frame):
        first_image = number * len(frames[0])
        fields = pc.frame_fields(
            RUN, point, client.link, number, first_image, symbols, client.codec
        )
        client.transmitter.send(fields, pc.symbol_bytes(symbols))
        keys.append((RUN, point, client.link, number))
    client.until(lambda: not client.transmitter.waiting, "an answer to every frame", 20)
    by_name = {each.message.name: each for each in client.receiver.frames}
    return [by_name[key] for key in keys]


@pytest.mark.parametrize(
    ("point", "model", "stated", "frames", "images", "symbols"),
    [
        pytest.param(AWGN, "awgn", 5.95e-3, 5, 100, 4000, id="awgn-5dB"),
        pytest.param(RAYLEIGH, "rayleigh", 2.33e-2, 50, 4096, 8, id="rayleigh-10dB"),
    ],
)
def test_bit_error_rate_is_within_5_percent_of_theory(
    client: pc.Client,
    point: int,
    model: str,
    stated: float,
    frames: int,
    images: int,
    symbols: int,
) -> None:
    """Rayleigh has one fade per image, hence many short images."""
    random = np.random.default_rng(1)
    bits = [random.random((images, symbols)) < 0.5 for _ in range(frames)]
    receptions = transmit(client, point, [bpsk(each) for each in bits])

    wrong = sum(int((got.bits != sent).sum()) for got, sent in zip(receptions, bits, strict=True))
    rate = wrong / (frames * images * symbols)
    theory = pc.theory(model, POINTS[point]["snr_db"])
    assert theory == pytest.approx(stated, rel=2e-3)
    assert rate == pytest.approx(theory, rel=0.05)

    answers = client.transmitter.answers
    assert len(answers) == frames
    for got in receptions:
        answer = answers[got.message.name].fields
        assert answer["predictions"] == pc.ones(got)
        assert answer["codec"] == client.codec
        assert answer["channel_ms"] == got.message.fields["channel_ms"]


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(AWGN, id="awgn"),
        pytest.param(RAYLEIGH, id="rayleigh"),
        pytest.param(RICIAN, id="rician"),
        pytest.param(MISMATCH, id="mismatch"),
        pytest.param(NO_CSI, id="no-csi"),
        pytest.param(MINUS_ZERO, id="minus-zero"),
    ],
)
def test_what_comes_down_equals_the_definition_recomputed(client: pc.Client, point: int) -> None:
    """Five symbols of the images 4 to 7, symbol by symbol, to the last bit."""
    spec, sent = POINTS[point], some_symbols(4, 5)
    (got,) = transmit(client, point, [sent], first_frame=1)
    for row in range(4):
        state, symbols = pr.channel_of_image(spec, client.link, 4 + row, sent[row])
        assert got.symbols[row].tobytes() == symbols.tobytes()
        assert (got.state is None) == (state is None)
        if state is not None:
            assert got.state[row].tobytes() == state.tobytes()
    assert got.message.fields["snr_db"] == spec["snr_db"]
    assert got.message.fields["equalizer"] == spec.get("channel", {}).get(
        "equalizer", "zero_forcing"
    )


def test_both_zeros_are_the_same_snr(client: pc.Client) -> None:
    sent = [some_symbols(2, 3)]
    (minus,), (plus,) = (transmit(client, point, sent) for point in (MINUS_ZERO, ZERO))
    assert minus.message.payload == plus.message.payload


def test_channel_state_changes_what_is_told_and_not_what_is_received(client: pc.Client) -> None:
    sent = [some_symbols(6, 7)]
    (told,), (untold,), (mistold,) = (
        transmit(client, point, sent) for point in (RAYLEIGH, NO_CSI, MISMATCH)
    )
    assert told.symbols.tobytes() == untold.symbols.tobytes() == mistold.symbols.tobytes()
    assert untold.state is None
    assert (told.state != mistold.state).all()


def test_frame_sent_again_comes_back_bit_for_bit(client: pc.Client) -> None:
    (first,) = transmit(client, RAYLEIGH, [some_symbols(3, 5)])
    answer = client.transmitter.answers[first.message.name].fields
    (again,) = transmit(client, RAYLEIGH, [some_symbols(3, 5)])
    assert len(client.receiver.frames) == 2
    assert again is not first
    assert again.message.payload == first.message.payload
    assert (
        client.transmitter.answers[first.message.name].fields["predictions"]
        == (answer["predictions"])
    )


# --- refusals


def frame(client: pc.Client, block: np.ndarray, point: int = 0, **changes: Any) -> pc.Parts:
    """A SymbolFrame of the client's link, with fields set otherwise."""
    fields = pc.frame_fields(RUN, point, client.link, 0, 0, block, client.codec)
    return pc.build(pc.SYMBOL_FRAME, {**fields, **changes}, pc.symbol_bytes(block))


def with_prefix(parts: pc.Parts, **changes: Any) -> pc.Parts:
    """The parts with another prefix."""
    names = ("magic", "version", "kind", "header", "payload", "crc")
    values = dict(zip(names, pc.PREFIX.unpack(parts[0]), strict=True)) | changes
    return [pc.PREFIX.pack(*values.values()), *parts[1:]]


GOOD = np.ones((2, 3), dtype="<c8")
NAN, INF, LOUD = GOOD.copy(), GOOD.copy(), GOOD.copy()
NAN[1, 2], INF[1, 2] = complex(0, np.nan), np.inf
LOUD[1] *= 1.0006  # of one row; its power is 1.0012
ANSWER = {
    "key": {"run": RUN, "point": 0, "link": "stranger", "frame": 0},
    "codec": "ab" * 32,
    "predictions": b"\0\0",
    "channel_ms": 0.0,
    "batch_wait_ms": 0.0,
    "decode_ms": 0.0,
}
Maker = Callable[[pc.Client], pc.Parts]
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
    "other version": ("version", lambda c: with_prefix(frame(c, GOOD), version=2)),
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
    "answer on the uplink": ("unexpected", lambda c: pc.build(pc.TASK_RESULT, ANSWER)),
    "receiver on the uplink": (
        "unexpected",
        lambda c: pc.build(pc.HELLO, c.receiver.line.hello),
    ),
}


@pytest.mark.parametrize("what", [*WITH_KEY, *WITHOUT_KEY])
def test_wrong_message_is_refused_with_the_reason_of_the_page(client: pc.Client, what: str) -> None:
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


def test_power_just_below_the_bound_is_let_through(client: pc.Client) -> None:
    (got,) = transmit(client, AWGN, [GOOD * np.float32(1.0004)])
    assert got.symbols.shape == GOOD.shape
    assert not client.transmitter.refusals


def test_answer_of_a_receiver_that_never_greeted_is_refused(
    shared_channel: Channel, client: pc.Client
) -> None:
    hello = {"role": "receiver", "peer": "stranger"}
    stranger = pc.Receiver(pc.Dialled(client.context, shared_channel.downlink, hello))
    stranger.line.silent = True
    key = {**ANSWER["key"], "link": client.link}
    answer = pc.build(pc.TASK_RESULT, {**ANSWER, "key": key})
    try:
        client.until(lambda: stranger.line.send(answer), "a connection")

        def refused() -> bool:
            stranger.step(time.monotonic())
            return bool(stranger.refusals)

        eventually(refused, "the refusal", 10)
    finally:
        stranger.line.close()
    assert [each.fields["reason"] for each in stranger.refusals] == ["unexpected"]
    transmit(client, AWGN, [GOOD])  # later than the stranger's answer on the same channel
    assert list(client.transmitter.answers) == [(RUN, AWGN, client.link, 0)]


def test_refusal_of_a_receiver_reaches_the_transmitter_and_no_refusal_is_answered(
    client: pc.Client,
) -> None:
    key = {"run": RUN, "point": 0, "link": client.link, "frame": 9}
    refusal = {"reason": "codec_mismatch", "detail": "for the test", "key": key}
    client.transmitter.line.send(pc.build(pc.REFUSAL, {**refusal, "detail": "upwards"}))
    client.receiver.line.send(pc.build(pc.REFUSAL, {**refusal, "key": None}))
    client.receiver.line.send(pc.build(pc.REFUSAL, refusal))
    transmitter = client.transmitter
    client.until(lambda: bool(transmitter.refusals), "the receiver's refusal")
    transmit(client, AWGN, [GOOD])  # sent last, so all else would have come before
    assert [each.fields for each in transmitter.refusals] == [refusal]
    assert not client.receiver.refusals


# --- time


def test_frame_waits_for_its_receiver_and_is_sent_again_by_itself(
    shared_channel: Channel,
) -> None:
    codec = "ef" * 32
    client = pc.Client(shared_channel.uplink, shared_channel.downlink, "early", codec)
    try:
        client.receiver.line.silent = True
        client.transmitter.send(
            pc.frame_fields(RUN, AWGN, "early", 0, 0, GOOD, codec), pc.symbol_bytes(GOOD)
        )
        refusals = client.transmitter.refusals
        client.until(lambda: len(refusals) >= 2, "refusals")
        assert {each.fields["reason"] for each in refusals} == {"no_receiver"}
        client.receiver.line.silent = False
        client.until(lambda: not client.transmitter.waiting, "the answer")
    finally:
        client.close()


def test_receiver_is_kept_alive_by_hello_alone(client: pc.Client) -> None:
    """It answers all the time, yet is forgotten 3 to 4 s after its last Hello."""
    line, refusals = client.receiver.line, client.transmitter.refusals
    line.silent = True

    def refused() -> bool:
        client.transmitter.line.send(frame(client, GOOD))
        return bool(refusals)

    client.until(refused, "the receiver forgotten")
    silence = time.monotonic() - line.last_hello
    assert refusals[0].fields["reason"] == "no_receiver"
    assert 2.9 < silence < 6.0
    assert len(client.receiver.frames) > 3
    line.silent = False
    transmit(client, AWGN, [GOOD], first_frame=1)


def test_frames_outlive_a_killed_channel(tmp_path: Path) -> None:
    with (
        running(Channel(tmp_path)) as channel,
        dialled(channel, "survivor", "ab" * 32) as client,
    ):
        (before,) = transmit(client, RAYLEIGH, [GOOD])
        assert channel.end(signal.SIGKILL) == -signal.SIGKILL
        for number in range(1, 4):
            first = number * len(GOOD)
            fields = pc.frame_fields(RUN, RAYLEIGH, "survivor", number, first, GOOD, "ab" * 32)
            client.transmitter.send(fields, pc.symbol_bytes(GOOD))
        channel.start()
        client.until(lambda: not client.transmitter.waiting, "the answers", 20)
        (after,) = transmit(client, RAYLEIGH, [GOOD])
    assert client.transmitter.line.restarts == 1
    assert len(client.transmitter.answers) == 4
    assert after.message.payload == before.message.payload


def test_session_of_the_page_runs_as_written(tmp_path: Path) -> None:
    settings = yaml.safe_load(block_after("A channel process can serve without"))["channel"]
    down = bytes.fromhex(block_after("The payload of 6, h first"))
    sent = example("A SymbolFrame: run `bench`")
    with (
        running(Channel(tmp_path, settings["static"])) as channel,
        dialled(channel, "bpsk", "ab" * 32) as client,
    ):
        assert client.transmitter.line.other_end == client.receiver.line.other_end
        for _ in range(2):
            client.transmitter.send(PAGE_FRAME, sent[2])
            assert client.transmitter.waiting["bench", 1, "bpsk", 0].parts == sent
            client.until(lambda: not client.transmitter.waiting, "the answer")
    first, again = client.receiver.frames
    assert first.message.payload == again.message.payload == down
    told = {name: value for name, value in first.message.fields.items() if name != "channel_ms"}
    assert told == {
        "key": PAGE_FRAME["key"],
        "images": 1,
        "symbols": 5,
        "codec": "ab" * 32,
        "csi": True,
        "snr_db": 10.0,
        "equalizer": "zero_forcing",
    }
    assert first.bits.tolist() == [[False, True, True, False, False]]
    assert client.transmitter.answers["bench", 1, "bpsk", 0].fields["predictions"] == b"\x02\0"


def test_part_above_16_mib_closes_the_connection_without_an_answer(client: pc.Client) -> None:
    line = client.transmitter.line
    events = line.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    try:
        line.send([b"\0" * 20, b"", b"\0" * (pc.MAX_PAYLOAD + 1)])
        client.until(lambda: bool(events.poll(0)), "a closed connection")
    finally:
        line.socket.disable_monitor()
        events.close(0)
    assert not client.transmitter.refusals
    transmit(client, AWGN, [GOOD])  # after dialling in again
