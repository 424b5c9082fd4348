"""Progress of runs and trainings: what a user's function gets, and what is printed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import rkd_sc
from orchestrator.cli.terminal import progress_bar
from orchestrator.training.progress import JobReporter
from rkd_sc import progress as progress_module
from rkd_sc.progress import Progress, RunProgress, following, reporting
from tests.orchestrator.judged import write_judged_run, write_labelled


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("judged")
    write_labelled(folder / "data")
    write_judged_run(folder / "run", folder / "data")
    return rkd_sc.load_run(folder / "run").plan


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """A clock that goes on by a second at every look."""
    seconds = iter(range(10_000))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: float(next(seconds)))


def test_function_gets_frames_points_and_speed(plan, clock):
    told: list[Progress] = []
    watcher = RunProgress(told.append, plan)
    for recorded in range(plan.total_frames + 1):
        watcher.progress(recorded)
    first, last = told[0], told[-1]
    assert (first.done, first.items_per_s, first.remaining_s) == (0, 0.0, None)
    assert (last.done, last.total) == (plan.total_frames, plan.total_frames)
    assert (last.points_done, last.points) == (len(plan.points), len(plan.points))
    assert last.items_per_s > 0
    assert last.remaining_s == 0
    assert str(last).startswith(f"{plan.name}: {len(plan.points)} of {len(plan.points)} points, ")


def test_reports_are_rare_but_the_last_one_always_comes(plan, monkeypatch):
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: 1.0)
    told: list[Progress] = []
    watcher = RunProgress(told.append, plan)
    for recorded in range(plan.total_frames + 1):
        watcher.progress(recorded)
    assert [each.done for each in told] == [0, plan.total_frames]


def test_missing_processes_and_notices_are_told_at_once(plan):
    told: list[Progress] = []
    watcher = RunProgress(told.append, plan)
    watcher.waiting(["receiver"])
    watcher.waiting(["receiver"])
    watcher.waiting([])
    watcher.notice("rounding differs")
    assert [each.note for each in told] == ["waiting for receiver", "", "rounding differs"]


def test_items_that_are_encoded_are_a_note(plan, clock):
    told: list[Progress] = []
    watcher = RunProgress(told.append, plan)
    watcher.encoding("codec", 5, 10)
    watcher.encoding("codec", 10, 10)
    assert [each.note for each in told] == ["codec: 5 of 10 items encoded", ""]


def _state(done: int, note: str = "") -> Progress:
    return Progress(name="x", stage="frames", done=done, total=9, points=3, note=note)


def test_without_a_terminal_lines_are_rare_and_the_last_one_is_printed(capsys):
    with reporting(True) as told:
        for done in range(10):
            told(_state(done))
    assert capsys.readouterr().err.splitlines() == [
        "x: 0 of 3 points, 0 of 9 frames",
        "x: 0 of 3 points, 9 of 9 frames",
    ]


def test_line_is_overwritten_where_it_can_be(capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "_overwrites", lambda: True)
    with reporting(True) as told:
        told(_state(1, "waiting for receiver"))
        told(_state(2))
    long, short = (
        "x: 0 of 3 points, 1 of 9 frames, waiting for receiver",
        "x: 0 of 3 points, 2 of 9",
    )
    printed = capsys.readouterr().err
    assert printed.startswith(f"\r{long}\r{short} frames ")
    assert printed.endswith(" \n")


def test_nothing_is_printed_by_default(capsys):
    with reporting(False) as told:
        told(_state(1))
    assert capsys.readouterr().err == ""


def test_training_is_followed_by_its_lines(tmp_path: Path):
    lines, told = tmp_path / "progress.jsonl", []
    lines.write_text(_line("old", 3))
    with following(lines, "mine", told.append), lines.open("a") as file:
        file.write(_line("stage1", 2))
        file.flush()
    assert [(each.name, each.stage, each.done, each.total) for each in told] == [
        ("mine", "stage1", 2, 8)
    ]
    assert str(told[0]) == "mine: stage1: 2 of 8 steps, 50 items/s, epoch 1 of 2"


def _line(stage: str, step: int) -> str:
    values = {"epoch": 0, "epochs": 2, "step": step, "steps": 4, "images_per_s": 50.0}
    return json.dumps({"time": time.time(), "stage": stage, **values}) + "\n"


def test_bar_of_a_training_names_its_items(tmp_path: Path):
    bars = progress_bar()
    reporter = JobReporter(bars, tmp_path / "lines", tmp_path / "events", items="sentences")
    reporter.start("stage1", epochs=1, steps=4, done=0)
    reporter.step(0, 1, images_per_s=29.0, lr=0.1, losses={"ce": 1.0}, checkpoint_s=None)
    assert bars.tasks[0].fields["note"] == "epoch 1/1 ce 1.000 29 sentences/s"
