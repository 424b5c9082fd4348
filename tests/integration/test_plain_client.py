"""The page suffices: a client written from docs/protocol.md alone against a real channel."""

from __future__ import annotations

import hashlib
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
import zmq

from semcom import wire
from tests.integration import plain_client as pc
from tests.integration import plain_random as pr
from tests.integration import plain_tasks as tasks
from tests.integration.harness import REPO, eventually
from tests.integration.plain_channel import (
    AWGN,
    GOOD,
    MINUS_ZERO,
    MISMATCH,
    NO_CSI,
    POINTS,
    RAYLEIGH,
    RICIAN,
    RUN,
    ZERO,
    Channel,
    Client,
    bpsk,
    dialled,
    every_reception,
    frame,
    running,
    some_symbols,
    theory,
    transmit,
)

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

PAGE = (REPO / "docs" / "protocol.md").read_text()


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


def test_worked_answers_of_the_page_are_built_and_read_to_the_byte() -> None:
    durations = {"channel_ms": 0.5, "batch_wait_ms": 0.0, "decode_ms": 0.25}
    answer = example("A TaskResult, the answer to that frame")
    fields = {"key": PAGE_FRAME["key"], "codec": "ab" * 32, **durations, "snr_measured_db": None}
    assert pc.build(pc.TASK_RESULT, fields, b"\x02\0") == answer
    assert pc.parse(answer) == pc.Message(pc.TASK_RESULT, fields, b"\x02\0")

    results = example("Results of the frame, whose image")
    result = {
        "point": 1, "frame": 0, "images": 1, "score": {"items": 1, "correct": 0},
        "answer": b"\x02\0", "attempts": 1, "encode_ms": 1.0, **durations,
        "round_trip_ms": 4.0, "snr_measured_db": None,
    }  # fmt: skip
    fields = {"run": "bench", "link": "bpsk", "codec": "ab" * 32, "results": [result]}
    assert pc.build(24, fields) == results
    for parts in (answer, results):  # the project's own reading of the page
        assert wire.encode(*wire.decode(parts)) == parts


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


# --- the noise


@pytest.mark.parametrize(
    ("point", "model", "stated", "frames", "images", "symbols"),
    [
        pytest.param(AWGN, "awgn", 5.95e-3, 5, 100, 4000, id="awgn-5dB"),
        pytest.param(RAYLEIGH, "rayleigh", 2.33e-2, 50, 4096, 8, id="rayleigh-10dB"),
    ],
)
def test_bit_error_rate_is_within_5_percent_of_theory(
    client: Client,
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
    expected = theory(model, POINTS[point]["snr_db"])
    assert expected == pytest.approx(stated, rel=2e-3)
    assert rate == pytest.approx(expected, rel=0.05)

    answers = client.transmitter.answers
    assert len(answers) == frames
    for got in receptions:
        assert answers[got.message.name].payload == tasks.ones(got)
        answer = answers[got.message.name].fields
        assert answer["codec"] == client.codec
        every = every_reception(client, got.message.name)
        assert answer["channel_ms"] in {each.message.fields["channel_ms"] for each in every}


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
def test_what_comes_down_equals_the_definition_recomputed(client: Client, point: int) -> None:
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


def test_both_zeros_are_the_same_snr(client: Client) -> None:
    sent = [some_symbols(2, 3)]
    (minus,), (plus,) = (transmit(client, point, sent) for point in (MINUS_ZERO, ZERO))
    assert minus.message.payload == plus.message.payload


def test_channel_state_changes_what_is_told_and_not_what_is_received(client: Client) -> None:
    sent = [some_symbols(6, 7)]
    (told,), (untold,), (mistold,) = (
        transmit(client, point, sent) for point in (RAYLEIGH, NO_CSI, MISMATCH)
    )
    assert told.symbols.tobytes() == untold.symbols.tobytes() == mistold.symbols.tobytes()
    assert untold.state is None
    assert (told.state != mistold.state).all()


def test_frame_sent_again_comes_back_bit_for_bit(client: Client) -> None:
    (first,) = transmit(client, RAYLEIGH, [some_symbols(3, 5)])
    answer = client.transmitter.answers[first.message.name]
    (again,) = transmit(client, RAYLEIGH, [some_symbols(3, 5)])
    assert len(client.receiver.frames) >= 2
    assert again is not first
    assert {each.message.payload for each in client.receiver.frames} == {first.message.payload}
    assert client.transmitter.answers[first.message.name].payload == answer.payload


# --- time


def test_frame_waits_for_its_receiver_and_is_sent_again_by_itself(
    shared_channel: Channel,
) -> None:
    codec = "ef" * 32
    client = Client(shared_channel, "early", codec)
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


def test_receiver_is_kept_alive_by_its_answers_and_forgotten_in_silence(client: Client) -> None:
    line, sender = client.receiver.line, client.transmitter

    def answered_on() -> bool:
        sender.line.send(frame(client, GOOD))
        return bool(sender.refusals) or time.monotonic() - line.last_hello > 5

    kept = False
    while not kept:  # again, where nobody got to run for 3 s
        line.silent = False
        transmit(client, AWGN, [GOOD], first_frame=1)
        sender.refusals.clear()
        line.silent = True
        client.until(answered_on, "answers without a Hello")
        kept = not sender.refusals

    def forgotten() -> bool:
        sender.line.send(frame(client, GOOD))
        sender.step(time.monotonic())
        return "no_receiver" in {each.fields["reason"] for each in sender.refusals}

    since = time.monotonic()
    eventually(forgotten, "the receiver forgotten")
    assert time.monotonic() - since > 2
    line.silent = False
    transmit(client, AWGN, [GOOD], first_frame=2)


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
        client.until(lambda: not client.transmitter.waiting, "the answers")
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
    first, *again = client.receiver.frames
    assert again
    assert {each.message.payload for each in (first, *again)} == {down}
    told = {name: value for name, value in first.message.fields.items() if name != "channel_ms"}
    assert told.pop("snr_measured_db") == pytest.approx(9.8488, abs=1e-4)
    assert told == {
        "key": PAGE_FRAME["key"],
        "images": 1,
        "symbols": 5,
        "codec": "ab" * 32,
        "csi_columns": 1,
        "snr_db": 10.0,
        "equalizer": "zero_forcing",
        "links": [],
        "first_image": 3,
        "seed": 7,
    }
    assert first.bits.tolist() == [[False, True, True, False, False]]
    assert client.transmitter.answers["bench", 1, "bpsk", 0].payload == b"\x02\0"


def test_part_above_16_mib_closes_the_connection_without_an_answer(client: Client) -> None:
    line = client.transmitter.line
    events = line.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    try:
        assert line.send([b"\0" * 20, b"", b"\0" * (pc.MAX_PAYLOAD + 1)])
        client.until(lambda: bool(events.poll(0)), "a closed connection")
    finally:
        line.socket.disable_monitor()
        events.close(0)
    assert not client.transmitter.refusals
    transmit(client, AWGN, [GOOD])  # after dialling in again
