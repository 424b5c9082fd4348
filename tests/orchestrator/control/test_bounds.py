"""The orchestrator's memory of its peers: whatever they call themselves and say."""

from __future__ import annotations

import logging

import pytest

from orchestrator.control import service as control
from orchestrator.control.codec_holders import CodecHolders
from orchestrator.control.peers import MAX_PEERS
from semcom import wire
from semcom.heartbeats import DEAD_AFTER_S
from semcom.messages import Arithmetic, CodecReport, Failure, Hello, Refusal, Welcome
from semcom.sockets import Received
from tests.orchestrator.live.streaming import INSTANCE, LINK
from tests.orchestrator.live.test_arithmetic import OTHER, System

CODEC = "ab" * 32


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, made by hand."""
    now_s = [1000.0]
    monkeypatch.setattr(control.time, "monotonic", lambda: now_s[0])
    return now_s


def says(system: System, message: object, sender: bytes = b"x") -> list[object]:
    """What is sent for a message."""
    system.wire.sent.clear()
    received = Received(sender, message, wire.EMPTY)  # type: ignore[arg-type]
    system.service.handle(system.wire, received)  # type: ignore[arg-type]
    return [sent for _, sent in system.wire.sent]


def hello(peer: str, role: str = "receiver", arithmetic: Arithmetic | None = None) -> Hello:
    fields = {"role": role, "peer": peer, "instance": INSTANCE, "arithmetic": arithmetic}
    return Hello.model_validate(fields)


def test_names_of_peers_are_bounded_and_who_is_there_stays(system: System, clock: list[float]):
    assert says(system, hello(LINK, "transmitter"))[0].__class__ is Welcome
    for number in range(MAX_PEERS - 1):
        says(system, hello(f"r{number}"))
    (refused,) = says(system, hello("one-more"))
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.key) == ("overloaded", None)
    assert isinstance(says(system, hello(LINK, "transmitter"))[0], Welcome)
    clock[0] += DEAD_AFTER_S + 1
    says(system, hello(LINK, "transmitter"))
    for number in range(MAX_PEERS + 200):
        clock[0] += 0.01
        says(system, hello(LINK, "transmitter"))
        says(system, hello(f"later{number}"))
    assert len(system.service._peers._here) <= MAX_PEERS
    assert system.service.heard(clock[0]) == [LINK]


def test_peers_that_compute_otherwise_are_remembered_up_to_the_same_bound(
    system: System, clock: list[float]
):
    for number in range(MAX_PEERS + 200):
        clock[0] += 0.01
        says(system, hello(f"r{number}", "receiver", Arithmetic(threads=7, decoding="exact")))
    assert len(system.service._peers._objected) <= MAX_PEERS
    assert OTHER.threads == 1


def test_codecs_that_nobody_asked_for_are_not_remembered_as_refused():
    holders = CodecHolders()
    holders.hello(hello("r1"))
    for number in range(1000):
        digest = f"{number:064x}"
        holders.report("r1", CodecReport(codec="c", digest=digest, loaded=False, detail="no"))
    assert holders.refused == {}
    holders.offers(hello("r1"), {CODEC: "c"})
    holders.report("r1", CodecReport(codec="c", digest=CODEC, loaded=False, detail="no"))
    assert holders.refused == {CODEC: "no"}


def test_what_a_peer_says_again_and_again_is_logged_once_in_a_while(
    system: System, clock: list[float], caplog: pytest.LogCaptureFixture
):
    failure = Failure(role="transmitter", peer="nobody", exit_code=5, detail="x")
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            clock[0] += 0.005
            says(system, Refusal(reason="checksum", detail="x"))
            says(system, failure)
    logged = [record.getMessage() for record in caplog.records]
    assert 4 <= logged.count("refused") <= 6
    assert 4 <= logged.count("failure elsewhere") <= 6


def test_failures_under_names_that_are_new_each_time_fill_no_log(
    system: System, clock: list[float], caplog: pytest.LogCaptureFixture
):
    other = Arithmetic(threads=7, decoding="exact")
    with caplog.at_level(logging.INFO):
        for number in range(2000):
            clock[0] += 0.001
            says(system, Failure(role="transmitter", peer=f"t{number}", exit_code=5, detail="x"))
            says(system, Failure(role="receiver", peer=f"r{number}", exit_code=5, detail="x"))
            says(system, hello("r", arithmetic=other if number % 2 else None))
    logged = [record.getMessage() for record in caplog.records]
    assert set(logged) >= {"failure elsewhere", "failed", "other arithmetic"}
    assert len(logged) < 40


def test_receiver_that_gives_way_to_another_name_holds_no_codec_any_more(
    system: System, clock: list[float]
):
    """Names that come faster than the silent ones are looked for fill no memory."""
    holders = system.service._work._stream._holders  # type: ignore[attr-defined]
    for number in range(3 * MAX_PEERS):
        clock[0] += DEAD_AFTER_S / MAX_PEERS * 1.01
        says(system, hello(f"r{number}").model_copy(update={"codecs": [CODEC]}))
    assert len(holders.peers) <= MAX_PEERS
    assert len(holders._instances) <= MAX_PEERS


def test_transmitters_of_no_link_are_not_remembered_when_they_go(
    system: System, clock: list[float]
):
    for number in range(2 * MAX_PEERS):
        clock[0] += DEAD_AFTER_S / MAX_PEERS * 1.01
        says(system, hello(f"t{number}", "transmitter"))
    assert system.service._work._stream._away <= {LINK}  # type: ignore[attr-defined]
