"""Faults from a seed: who is killed or stopped, when, and what is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.soak.faults import FAULT_EVERY_S, STOPPED_S, Faults
from tests.properties import examples

TICK_S = 0.1
NAMES = ("orchestrator", "channel", "receiver-1", "shapes10")


class Process:
    """A victim that writes down what is done to it."""

    def __init__(self, name: str, log: list[tuple[float, str, str]]) -> None:
        self.name, self.log, self.now_s = name, log, 0.0
        self.stopped = self.gone = False

    def _note(self, what: str) -> None:
        if self.gone:
            raise psutil.NoSuchProcess(1)
        self.log.append((self.now_s, what, self.name))

    def kill(self) -> None:
        self._note("kill")

    def suspend(self) -> None:
        self._note("stop")
        self.stopped = True

    def resume(self) -> None:
        self._note("resume")
        self.stopped = False


class Scene:
    """Processes that never end, and faults among them in time made by hand."""

    def __init__(self, seed: int) -> None:
        self.log: list[tuple[float, str, str]] = []
        self.counts: Counter[str] = Counter()
        self.processes = {name: Process(name, self.log) for name in NAMES}
        self.faults = Faults(seed, self.counts)
        self.now_s = 0.0

    def run(self, until_s: float, tick: Callable[[], None] | None = None) -> None:
        while self.now_s < until_s:
            for process in self.processes.values():
                process.now_s = self.now_s
            self.faults.tick(
                self.now_s,
                victims=lambda: self.processes,
                before_kill=lambda peer: self.log.append((self.now_s, "before", peer)),
            )
            if tick is not None:
                tick()
            self.now_s += TICK_S

    def of(self, *kinds: str) -> list[tuple[float, str, str]]:
        return [each for each in self.log if each[1] in kinds]


@examples(25)
@given(seed=st.integers(0, 2**32))
def test_faults_come_between_the_beginning_and_the_calm_as_often_as_said(seed):
    scene = Scene(seed)
    scene.run(20.0)
    assert scene.log == [], "nobody is disturbed before it begins"
    scene.faults.begin(20.0, calm_s=80.0)
    scene.run(120.0)
    times = [20.0, *(at_s for at_s, _, _ in scene.of("kill", "stop"))]
    assert len(times) > 6
    assert times[-1] < 80.0
    for before, after in pairwise(times):
        assert FAULT_EVERY_S[0] <= after - before + TICK_S
        assert after - before <= FAULT_EVERY_S[1] + 2 * TICK_S


@examples(25)
@given(seed=st.integers(0, 2**32))
def test_whoever_is_stopped_goes_on_within_seconds(seed):
    scene = Scene(seed)
    scene.faults.begin(0.0, calm_s=60.0)
    scene.run(60.0 + STOPPED_S[1] + 2 * TICK_S)
    assert len(scene.of("stop")) == len(scene.of("resume"))
    assert not any(process.stopped for process in scene.processes.values())
    for name in NAMES:
        stops = [at_s for at_s, _, peer in scene.of("stop") if peer == name]
        resumes = [at_s for at_s, _, peer in scene.of("resume") if peer == name]
        for begun, *ends in zip(stops, resumes, strict=True):
            assert begun < ends[0] <= begun + 2 * STOPPED_S[1] + TICK_S


def test_every_fault_is_counted_by_kind_and_name_and_all_happen_to_all():
    scene = Scene(7)
    scene.faults.begin(0.0, calm_s=1000.0)
    scene.run(1000.0)
    done = Counter(f"{kind} {peer}" for _, kind, peer in scene.of("kill", "stop"))
    assert scene.counts == done
    assert set(done) == {f"{kind} {name}" for kind in ("kill", "stop") for name in NAMES}


def test_a_kill_is_told_of_just_before_it():
    scene = Scene(7)
    scene.faults.begin(0.0, calm_s=100.0)
    scene.run(100.0)
    told = [(at_s, peer) for at_s, _, peer in scene.of("before")]
    assert told
    assert told == [(at_s, peer) for at_s, _, peer in scene.of("kill")]
    assert all(
        scene.log[place + 1][1] == "kill"
        for place, (_, kind, _) in enumerate(scene.log)
        if kind == "before"
    )


def test_the_seed_decides_everything():
    def log(seed: int) -> list[tuple[float, str, str]]:
        scene = Scene(seed)
        scene.faults.begin(0.0, calm_s=60.0)
        scene.run(70.0)
        return scene.log

    assert log(3) == log(3) != log(4)


def test_whoever_has_just_ended_is_no_fault():
    scene = Scene(7)
    for process in scene.processes.values():
        process.gone = True
    scene.faults.begin(0.0, calm_s=60.0)
    scene.run(60.0)
    assert scene.counts == Counter()
    assert len(scene.of("before")) > 0, "somebody was meant to be killed"


def test_nobody_is_there_and_nobody_is_disturbed():
    scene = Scene(7)
    scene.processes.clear()
    scene.faults.begin(0.0, calm_s=60.0)
    scene.run(60.0)
    assert (scene.log, scene.counts) == ([], Counter())


@pytest.mark.parametrize("gone", [False, True])
def test_the_end_resumes_all_at_once_and_disturbs_nobody_more(gone):
    scene = Scene(0)
    scene.faults.begin(0.0, calm_s=1e6)
    while not any(process.stopped for process in scene.processes.values()):
        scene.run(scene.now_s + TICK_S)
    for process in scene.processes.values():
        process.gone = gone
    scene.faults.end()
    counted = dict(scene.counts)
    scene.run(scene.now_s + 60.0)
    assert scene.counts == counted
    assert gone or not any(process.stopped for process in scene.processes.values())
