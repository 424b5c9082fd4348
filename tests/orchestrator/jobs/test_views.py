"""What people see of jobs: the error line, the log, the table, the lines of `watch`."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.jobs import queue_view as view
from orchestrator.jobs.logs import last_error_line, read_along
from orchestrator.jobs.settings import JobsFolder, read_settings
from orchestrator.jobs.store import Job, JobStore, State
from semcom.errors import ConfigurationError


def job(state: State = "queued", **changes: object) -> Job:
    plain = Job(id=1, name="a", dataset="shapes10", arguments=(), state=state)
    return dataclasses.replace(plain, **changes)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("fine\nerror: no such set\nafter\n", "no such set"),
        ("Traceback (most recent call last):\n  File x\nValueError: odd\n", "ValueError: odd"),
        ("torch.cuda.OutOfMemoryError: full\nbye\n", "torch.cuda.OutOfMemoryError: full"),
        ("only this\n\n", "only this"),
        ("error: old\nattempt 2: python x\nerror: new\n", "new"),
        ("error: old\nattempt 2: python x\nkilled\n", "killed"),
        ("error: " + "x" * 1000, "x" * 293),
    ],
)
def test_error_line_is_the_last_that_names_one_in_the_last_attempt(tmp_path, text, line):
    log = tmp_path / "log.txt"
    log.write_text(text)
    assert last_error_line(log)[:293] == line


def test_without_a_log_there_is_a_hint(tmp_path):
    assert last_error_line(tmp_path / "log.txt") == f"see {tmp_path / 'log.txt'}"
    (tmp_path / "log.txt").write_bytes(b"")
    assert "see" in last_error_line(tmp_path / "log.txt")


def test_log_is_read_to_its_end_even_if_the_job_ends_meanwhile(tmp_path):
    log = tmp_path / "log.txt"
    answers = iter([False, False, True])

    def ended() -> bool:
        with log.open("a") as file:
            file.write("more\n")
        return next(answers)

    assert b"".join(read_along(log, ended, poll_s=0)) == b"more\nmore\nmore\n"


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (job("done", exit_code=0), 0),
        (job("cancelled", exit_code=-9), 143),
        (job("failed", exit_code=2), 2),
        (job("failed", exit_code=-9), 137),
        (job("failed"), 70),
    ],
)
def test_waiting_for_a_job_ends_as_the_job_did(one, code):
    assert view.exit_status(one) == code


def progress(folder: JobsFolder, *steps: int) -> None:
    path = folder.progress(1)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = {"stage": "stage1", "epoch": 1, "epochs": 4, "steps": 10, "losses": {"kd": 0.25}}
    with path.open("a") as file:
        for step in steps:
            told = {**line, "time": float(step), "step": step, "images_per_s": 128}
            file.write(json.dumps(told) + "\n")


@pytest.fixture
def folder(tmp_path):
    return JobsFolder(tmp_path)


def test_running_job_shows_losses_speed_and_remaining_time(folder):
    progress(folder, 0, 5)
    watched = view.Watched(job("running"), folder)
    assert watched.stage == "stage1 2/4"
    assert watched.note == "kd 0.25, 128 items/s, 0:00:25 left"


def test_state_says_what_is_under_way(folder):
    notes = {
        view.Watched(one, folder).note
        for one in (job(), job(restarts=2), job("running", cancel_asked=True))
    }
    assert notes == {"queued", "queued after restart 2", "ending"}


def printed(folder: JobsFolder, *, terminal: bool, error: str | None) -> tuple[int, str]:
    store = JobStore(folder.database, create=True)
    store.submit(job(), 0.0)
    progress(folder, 0, 5)
    state: State = "failed" if error else "done"
    store.finish(1, state, now_s=1.0, exit_code=2 if error else 0, error=error, digest="d" * 64)
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=200)
    code = view.watch(store, folder, store.jobs(), console, poll_s=0)
    console.print(view.table(store.jobs(), folder))
    store.close()
    return code, stream.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_watch_ends_with_the_job_in_lines_and_in_bars(folder, terminal):
    code, text = printed(folder, terminal=terminal, error=None)
    assert code == 0
    assert "1 a" in text
    assert "done, codec dddddddddddd" in text


def test_watch_says_why_a_job_failed_without_taking_it_for_markup(folder):
    code, text = printed(folder, terminal=False, error="exit code 2: no [bold] key")
    assert code == 2
    assert "1 a: stage1 2/4: failed (exit code 2: no [bold] key)" in text


def test_settings_come_from_the_file_and_the_command_goes_before_it(folder):
    assert read_settings(folder).parallel == 1
    folder.settings.parent.mkdir(parents=True)
    folder.settings.write_text("{parallel: 3, idle_s: .inf}")
    assert read_settings(folder).parallel == 3
    assert read_settings(folder, parallel=2, idle_s=None).parallel == 2


@pytest.mark.parametrize("content", ["{paralel: 3}", "{parallel: 0}", "{metrics_port: 70000}"])
def test_wrong_setting_is_one_line_with_its_name(folder, content):
    folder.settings.parent.mkdir(parents=True)
    folder.settings.write_text(content)
    with pytest.raises(ConfigurationError, match=content[1:].partition(":")[0]):
        read_settings(folder)


def test_no_job_can_be_called_like_the_folder_of_the_queue():
    assert JobsFolder(Path("training")).root.name.startswith(".")
