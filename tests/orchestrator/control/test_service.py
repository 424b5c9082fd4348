"""The control socket around work of any kind: who is answered, told, recorded, and what ends it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from orchestrator.control import service
from orchestrator.control.service import ControlService
from orchestrator.control.work import Order, Work
from semcom import wire
from semcom.errors import (
    AccountingError,
    ConfigurationError,
    ProcessFailedError,
    SemcomError,
    StorageError,
)
from semcom.heartbeats import DEAD_AFTER_S
from semcom.messages import (
    Arithmetic,
    CodecReport,
    Failure,
    FrameResult,
    Hello,
    HostReport,
    LoadCodec,
    Message,
    Recorded,
    Refusal,
    Results,
    Role,
    Welcome,
)
from semcom.sockets import Received
from semcom.telemetry import Telemetry
from tests.orchestrator.live.streaming import INSTANCE
from tests.orchestrator.live.test_arithmetic import Wire

RUN, LINK, DIGEST = "run.01", "a", "ab" * 32
PLANNED = Arithmetic(threads=1, decoding="exact")
LOAD, MORE = LoadCodec(codec="c", digest=DIGEST), LoadCodec(codec="d", digest=DIGEST)


class MadeUpWork:
    """Work that notes every call and returns what a test sets."""

    run, links = RUN, (LINK,)
    arithmetic: Mapping[Role, Arithmetic] = {"receiver": PLANNED}
    forget_after_s = 60.0

    def __init__(self) -> None:
        self.interrupted = self.complete = False
        self.stuck: Exception | None = None
        self.ends_with: SemcomError | None = None
        self.refuses: SemcomError | None = None
        self.orders: list[Order] = []
        self.calls: list[tuple[Any, ...]] = []

    def drain(self, *, launched: bool) -> Sequence[Order]:
        self.calls.append(("drain", launched))
        self.interrupted = launched
        return self.orders

    def lacks(self, hello: Hello) -> Sequence[Message]:
        if self.refuses is not None:
            raise self.refuses
        return [LOAD]

    def moves(self, hello: Hello) -> Sequence[Order]:
        return self.orders

    def other_arithmetic(self, hello: Hello, text: str) -> Exception | None:
        self.calls.append(("other_arithmetic", hello.peer, text))
        return self.ends_with

    def codec_report(self, peer: str, report: CodecReport) -> None:
        self.calls.append(("codec_report", peer))

    def host_report(self, report: HostReport) -> None:
        self.calls.append(("host_report", report.peer))

    def receiver_gone(self, peer: str) -> None:
        self.calls.append(("receiver_gone", peer))

    def transmitter_gone(self, peer: str) -> None:
        self.calls.append(("transmitter_gone", peer))

    def failed(self, message: Failure, text: str) -> Exception | None:
        self.calls.append(("failed", text))
        return self.ends_with

    def commit(self, batch: Sequence[Results]) -> list[int]:
        if self.refuses is not None:
            raise self.refuses
        return [len(each.results) for each in batch]

    def follow_up(self, message: Results) -> Sequence[Message]:
        return [MORE]

    def recorded(self) -> None:
        self.calls.append(("recorded",))

    def tick(self, now_s: float) -> Sequence[Order]:
        return []

    def wait_s(self, now_s: float) -> float:
        return math.inf

    def housekeep(self, absent: Sequence[str]) -> Exception | None:
        self.calls.append(("housekeep", *absent))
        return None


class Processes:
    """A launcher of nothing."""

    def __init__(self) -> None:
        self.transmitters = 1
        self.terminated: list[str] = []
        self.dead: SemcomError | None = None

    def terminate(self, role: str) -> None:
        self.terminated.append(role)

    def running(self, role: str) -> int:
        return self.transmitters

    def watch(self, now_s: float) -> list[str]:
        if self.dead is not None:
            raise self.dead
        return ["receiver"]


class Control:
    """The service, its work, its socket and the time, all made by hand."""

    def __init__(self, launcher: Processes | None = None) -> None:
        self.work, self.wire = MadeUpWork(), Wire()
        work: Work = self.work
        self.telemetry = Telemetry("orchestrator", "orchestrator")
        self.service = ControlService(
            self.wire,  # type: ignore[arg-type]
            work,
            launcher=launcher,  # type: ignore[arg-type]
            telemetry=self.telemetry,
        )
        self.wire.address = "tcp://127.0.0.1:1"  # type: ignore[attr-defined]

    def says(self, message: Message, sender: bytes = b"x") -> list[tuple[bytes, Message]]:
        self.wire.sent.clear()
        self.service.handle(self.wire, Received(sender, message, wire.EMPTY))  # type: ignore[arg-type]
        return list(self.wire.sent)

    def greets(self, role: Role, peer: str, **fields: Any) -> list[tuple[bytes, Message]]:
        hello = Hello(role=role, peer=peer, instance=INSTANCE, **fields)
        return self.says(hello, peer.encode())


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now_s = [1000.0]
    monkeypatch.setattr(service.time, "monotonic", lambda: now_s[0])
    return now_s


def results(run: str = RUN, link: str = LINK) -> Results:
    result = FrameResult(
        point=0, frame=3, images=1, score={"items": 1}, answer=b"", attempts=1, encode_ms=0.0,
        channel_ms=0.0, batch_wait_ms=0.0, decode_ms=0.0, round_trip_ms=0.0,
    )  # fmt: skip
    return Results(run=run, link=link, codec=DIGEST, results=[result])


def test_a_peer_gets_what_it_lacks_and_others_are_told_what_follows(control):
    control.greets("transmitter", LINK)
    control.work.orders = [Order("transmitter", LINK, MORE), Order("receiver", None, MORE)]
    sent = control.greets("channel", "channel")
    assert sent == [
        (LINK.encode(), MORE),
        (b"channel", Welcome(instance=control.service.instance)),
        (b"channel", LOAD),
    ]


def test_a_peer_whose_greeting_the_work_refuses_is_told_why(control):
    control.work.refuses = ConfigurationError("no such link")
    ((_, refusal),) = control.greets("transmitter", "b")
    assert refusal == Refusal(reason="unexpected", detail="no such link")
    assert control.service.failure is None


def test_bystanders_and_whoever_greets_after_the_interruption_are_only_welcomed(control):
    control.service.bystanders = frozenset({"b"})
    assert [type(message) for _, message in control.greets("transmitter", "b")] == [Welcome]
    control.work.interrupted = True
    assert [type(message) for _, message in control.greets("transmitter", LINK)] == [Welcome]


def test_results_are_committed_before_they_are_acknowledged(control):
    assert control.says(results()) == []
    control.service.tick(0.0)
    assert control.wire.sent == [(b"x", Recorded(run=RUN, frames=[(0, 3)])), (b"x", MORE)]
    assert ("recorded",) in control.work.calls


@pytest.mark.parametrize("error", [AccountingError("two answers"), StorageError("full")])
def test_results_that_cannot_be_committed_end_the_run_unacknowledged(control, error):
    control.work.refuses = error
    control.says(results())
    control.service.tick(0.0)
    assert control.wire.sent == []
    assert control.service.failure is error
    assert control.service.done


def test_nothing_is_committed_where_nothing_came_in(control):
    control.work.refuses = StorageError("full")
    control.service.tick(0.0)
    assert control.service.failure is None
    assert ("recorded",) not in control.work.calls


def test_results_of_another_run_are_dropped_and_of_another_link_refused(control):
    assert control.says(results(run="before")) == []
    assert [type(message) for _, message in control.says(results(link="b"))] == [Refusal]
    control.service.tick(0.0)
    assert ("recorded",) not in control.work.calls


def test_who_computes_otherwise_is_told_of_once_and_may_end_the_run(control):
    control.work.ends_with = ConfigurationError("threads")
    other = Arithmetic(threads=2, decoding="exact")
    for _ in range(3):
        assert len(control.greets("receiver", "r", arithmetic=other)) == 1
    assert [call[:2] for call in control.work.calls] == [("other_arithmetic", "r")]
    assert control.service.failure is control.work.ends_with


def test_a_failure_ends_the_run_where_the_work_says_so_and_the_first_one_counts(control):
    failure = Failure(run=RUN, role="receiver", peer="r", exit_code=7, detail="disk")
    control.says(failure)
    assert control.service.failure is None
    first = control.work.ends_with = ProcessFailedError("first", 7)
    control.says(failure)
    control.work.ends_with = ProcessFailedError("second", 7)
    control.says(failure)
    assert control.service.failure is first
    control.work.calls.clear()
    control.says(failure.model_copy(update={"run": "before"}))
    control.says(failure.model_copy(update={"role": "transmitter", "peer": "b"}))
    assert control.work.calls == []


def test_reports_of_codecs_are_those_of_the_receivers_of_that_connection(control):
    control.greets("receiver", "r")
    control.greets("transmitter", LINK)
    report = CodecReport(codec="c", digest=DIGEST, loaded=True)
    control.says(report, b"r")
    control.says(report, LINK.encode())
    assert control.work.calls == [("codec_report", "r")]


def test_silent_peers_are_gone_and_silent_receivers_forgotten_later(control, clock):
    def half_seconds(count: int) -> None:
        for _ in range(count):
            clock[0] += 0.5
            control.service.tick(clock[0])

    control.greets("receiver", "r")
    control.greets("transmitter", LINK)
    half_seconds(round(2 * DEAD_AFTER_S))
    gone = {("receiver_gone", "r"), ("transmitter_gone", LINK)}
    assert gone & set(control.work.calls) == set()
    half_seconds(2)
    assert gone <= set(control.work.calls)
    assert ("housekeep", "channel", "receiver", f"transmitter {LINK}") in control.work.calls
    half_seconds(120)
    assert [row["peer"] for row in control.service.processes(clock[0])] == [LINK]


def test_a_pause_of_the_orchestrator_is_nobodys_silence(control, clock):
    control.service.tick(clock[0])
    control.greets("receiver", "r")
    clock[0] += 100.0
    control.service.tick(clock[0])
    assert ("receiver_gone", "r") not in control.work.calls


def test_work_that_is_complete_or_stuck_is_done(control):
    assert not control.service.done
    control.work.stuck = ConfigurationError("codec refused")
    assert control.service.done
    assert control.service.failure is control.work.stuck
    other = Control()
    other.work.complete = True
    assert other.service.done
    assert other.service.failure is None


def test_launched_transmitters_are_ended_and_waited_for():
    processes = Processes()
    control = Control(processes)
    control.service.drain()
    assert (control.work.calls, processes.terminated) == ([("drain", True)], ["transmitter"])
    assert not control.service.done
    processes.transmitters = 0
    control.says(results())
    assert not control.service.done, "a result is not recorded yet"
    control.service.tick(0.0)
    assert control.service.done


def test_transmitters_of_other_machines_get_the_orders_of_the_work(control):
    control.greets("transmitter", LINK)
    control.work.orders = [Order("transmitter", None, MORE)]
    control.wire.sent.clear()
    control.service.drain()
    assert control.wire.sent == [(LINK.encode(), MORE)]
    assert control.work.calls == [("drain", False)]


def test_processes_that_end_for_good_end_the_run():
    processes = Processes()
    control = Control(processes)
    control.service.tick(0.0)
    assert not control.service.done
    processes.dead = ProcessFailedError("receiver r: bad key", 4)
    control.service.tick(1.0)
    assert control.service.failure is processes.dead
