"""What a soak does to its system and what it counts, with processes and a clock made by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from orchestrator.soak import disturbance
from orchestrator.soak.disturbance import ITSELF, SAMPLE_S, SETTLED_S, STREAMED_S, Disturbance
from orchestrator.soak.system_under_test import DEADLINE_S, ORCHESTRATOR
from semcom.errors import AccountingError

LINKS = [{"recorded": 30, "unaccounted": 0}, {"recorded": 12, "unaccounted": 1}]


class Clock:
    """Time that passes in sleeps alone."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Process:
    """A process with the memory it is given."""

    def __init__(self, pid: int, system: System | None = None) -> None:
        self.pid, self.system, self.stopped = pid, system, False

    def memory_info(self) -> Any:
        class Memory:
            rss, shared = 100 << 20, 40 << 20

        return Memory()

    def num_fds(self) -> int:
        return 9

    def kill(self) -> None:
        if self.system is not None:
            self.system.up = False

    def suspend(self) -> None:
        self.stopped = True

    def resume(self) -> None:
        self.stopped = False


class Command:
    """A sweep that ends by itself, at a time and with a code."""

    def __init__(self, clock: Clock, seconds: float, code: int) -> None:
        self._clock, self._end_s, self._code = clock, clock.now_s + seconds, code
        self.returncode: int | None = None
        self.killed = False

    def poll(self) -> int | None:
        if self._clock.now_s >= self._end_s:
            self.returncode = self._code
        return self.returncode

    def kill(self) -> None:
        self.killed = True


class System:
    """A system under test without processes; each sweep takes its outcome from `sweeps`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.up = True
        self.lives = 1
        self.begun: list[str] = []
        self.sweeps: list[tuple[float, int]] = []
        self.dies_in: set[int] = set()  # sweeps during which the orchestrator dies
        self.commands: list[Command] = []
        self.ended = self.killed = False
        self.comes_up = True
        self.orchestrator = Process(10, self)
        self.others = {"channel": Process(11), "receiver-1": Process(12)}

    def ended_within(self, seconds: float) -> bool:
        self.clock.sleep(seconds if self.up else 0.0)
        return not self.up

    def wait_until_up(self) -> None:
        if not self.comes_up:
            raise AccountingError("the live system did not start")

    def start_again(self) -> None:
        self.up, self.lives = True, self.lives + 1
        self.orchestrator = Process(10 * self.lives, self)

    def begin_sweep(self, name: str) -> Command:
        if len(self.begun) in self.dies_in:
            self.up = False
        self.begun.append(name)
        self.commands.append(Command(self.clock, *self.sweeps.pop(0)))
        return self.commands[-1]

    def last_line(self, name: str) -> str:
        return f"{name} said this"

    def accounts(self) -> list[dict[str, int]]:
        return LINKS

    def processes(self) -> Iterator[tuple[str, Process]]:
        if self.up:
            yield ORCHESTRATOR, self.orchestrator
            yield from self.others.items()

    def end(self) -> None:
        self.ended = True

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(disturbance, "time", clock)
    return clock


@pytest.fixture
def system(clock: Clock) -> System:
    return System(clock)


@pytest.fixture
def disturbed(system: System) -> Disturbance:
    return Disturbance(system, seed=1)  # type: ignore[arg-type]


def test_a_sweep_that_ends_well_is_begun_once(disturbed, system):
    system.sweeps = [(3.0, 0)]
    disturbed.sweep("round-1")
    assert system.begun == ["round-1"]
    assert disturbed.soak.faults == {}


def test_a_sweep_that_ends_with_its_orchestrator_is_resumed_in_the_next_life(disturbed, system):
    system.sweeps, system.dies_in = [(2.0, 70), (2.0, 5), (2.0, 0)], {0, 1}
    disturbed.sweep("round-1")
    assert system.begun == ["round-1"] * 3
    assert system.lives == 3


def test_a_sweep_that_ends_beside_a_living_orchestrator_is_the_systems_fault(
    disturbed, system, clock
):
    system.sweeps = [(2.0, 8)]
    begun_s = clock.now_s
    with pytest.raises(AccountingError, match="round-1 ended with 8: round-1 said this"):
        disturbed.sweep("round-1")
    assert clock.now_s - begun_s >= 2.0 + SETTLED_S, "its death may show a moment later"


def test_a_sweep_that_never_ends_is_killed(disturbed, system):
    system.sweeps = [(10 * DEADLINE_S, 0)]
    with pytest.raises(AccountingError, match="round-1 is not complete after 900 s"):
        disturbed.sweep("round-1")
    assert system.commands[0].killed


def test_an_orchestrator_that_was_killed_is_started_again_while_links_stream(
    disturbed, system, clock
):
    system.up = False
    disturbed.stream(1.0)
    assert system.lives == 2
    assert clock.now_s == pytest.approx(1001.0, abs=0.2)


def test_a_killed_orchestrators_accounts_are_counted_before_it_is_gone(disturbed, system, clock):
    system.others.clear()  # so that each fault is the orchestrator's
    disturbed.begin(calm_s=clock.now_s + 300.0)
    disturbed.stream(300.0)
    faults = disturbed.soak.faults
    kills = faults[f"kill {ORCHESTRATOR}"]
    assert set(faults) == {f"kill {ORCHESTRATOR}", f"stop {ORCHESTRATOR}"}
    assert kills > 5
    assert system.lives == 1 + kills
    assert (disturbed.soak.streamed, disturbed.soak.unaccounted) == (42 * kills, kills)


def test_the_death_of_others_is_their_launchers_business(disturbed, system, clock):
    system.orchestrator.system = None  # it survives
    disturbed.begin(calm_s=clock.now_s + 300.0)
    disturbed.stream(300.0)
    assert system.lives == 1
    assert disturbed.soak.faults["kill channel"] > 0
    assert disturbed.soak.streamed == 42 * disturbed.soak.faults[f"kill {ORCHESTRATOR}"]


def test_every_process_is_sampled_once_a_second_by_name_and_life(disturbed, system):
    disturbed.stream(10 * SAMPLE_S)
    lives = disturbed.soak.lives
    own = (ITSELF, os.getpid())
    assert set(lives) == {(ORCHESTRATOR, 10), ("channel", 11), ("receiver-1", 12), own}
    assert {len(samples) for samples in lives.values()} <= {10, 11}
    sample = lives["channel", 11][0]
    assert (sample.mib, sample.descriptors) == (60.0, 9), "pages shared with others do not count"
    system.up = False
    disturbed.stream(2 * SAMPLE_S)
    assert (ORCHESTRATOR, 20) in lives


def test_a_process_that_ends_while_it_is_looked_at_has_no_sample(disturbed, system, monkeypatch):
    def gone() -> Any:
        raise psutil.NoSuchProcess(11)

    monkeypatch.setattr(system.others["channel"], "memory_info", gone)
    disturbed.stream(2 * SAMPLE_S)
    assert {peer for peer, _ in disturbed.soak.lives} == {ORCHESTRATOR, "receiver-1", ITSELF}


def test_at_the_end_all_go_on_stream_undisturbed_are_counted_and_asked_to_end(
    disturbed, system, clock
):
    disturbed.begin(calm_s=clock.now_s + 1e6)
    while not any(process.stopped for process in system.others.values()):
        disturbed.stream(0.1)
    before, streamed = dict(disturbed.soak.faults), disturbed.soak.streamed
    begun_s = clock.now_s
    disturbed.end()
    assert clock.now_s - begun_s >= STREAMED_S
    assert dict(disturbed.soak.faults) == before
    assert not any(process.stopped for process in system.others.values())
    assert disturbed.soak.streamed == streamed + 42
    pids = {(peer, process.pid) for peer, process in system.processes()}
    assert disturbed.soak.present == pids | {(ITSELF, os.getpid())}
    assert system.ended


def test_whatever_happens_the_system_is_ended_and_nobody_stays_stopped(disturbed, system, clock):
    def interrupted() -> None:
        with disturbed:
            disturbed.begin(calm_s=clock.now_s + 1e6)
            while not any(process.stopped for process in system.others.values()):
                disturbed.stream(0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert system.killed
    assert not any(process.stopped for process in system.others.values())


def test_a_system_that_does_not_come_up_is_killed(disturbed, system):
    system.comes_up = False
    with pytest.raises(AccountingError, match="did not start"), disturbed:
        pass
    assert system.killed
