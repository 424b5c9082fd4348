"""`semcom jobs`, as a user gives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from orchestrator.cli import main as cli
from orchestrator.jobs import instance
from semcom.shards import MANIFEST, DatasetManifest, SplitManifest
from tests.forking import Popen, run
from tests.orchestrator.jobs.queues import DEADLINE_S, ENVIRONMENT, Queue, opened

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture
def queue(tmp_path):
    with opened(tmp_path) as queue:
        split = SplitManifest(images=1, sha256="0" * 64)
        manifest = DatasetManifest(
            name="shapes10",
            image_size=32,
            classes=["a", "b"],
            source="none",
            splits={"train": split},
        )
        folder = tmp_path / "data" / "shapes10"
        folder.mkdir(parents=True)
        (folder / MANIFEST).write_text(manifest.model_dump_json())
        yield queue
        found = instance.find(queue.folder)
        if found is not None:  # one that a command started: it is nobody's child here
            process = psutil.Process(found.pid)
            process.kill()
            process.wait(DEADLINE_S)


def jobs(queue: Queue, *arguments: object) -> tuple[int, str]:
    """Exit code and output of `semcom jobs ...` in a process of its own."""
    done = run(
        [sys.executable, "-m", "orchestrator", "jobs", *map(str, arguments)],
        cwd=queue.root,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


@pytest.fixture
def here(queue, monkeypatch, capsys):
    """The same in this process, which is faster."""
    monkeypatch.chdir(queue.root)
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])

    def command(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["semcom", "jobs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out + captured.err

    return command


def test_job_is_submitted_watched_cancelled_restarted_and_listed(queue, here, tmp_path):
    gate = tmp_path / "gate"
    code, text = jobs(queue, "submit", "shapes10", "--name", "mine", "--gate", gate, "--nproc", 2)
    said = "job 1 is queued: mine, trained on shapes10 with preset compact"
    assert (code, text.splitlines()) == (0, ["1", said])
    job = queue.store.job(1)
    assert job.arguments == (
        "shapes10", "--preset", "compact", "--system", "rkd-sc", "--gate", str(gate),
        "--name", "mine", "--data", "data", "--work", "training", "--out", "codecs/mine",
        "--nproc", "2",
    )  # fmt: skip
    queue.wait_waiting("mine")
    assert here("cancel", 1) == (0, "job 1 was asked to save and end\n")
    code, text = jobs(queue, "watch", 1)
    assert code == 143
    assert "cancelled" in text.splitlines()[-1]
    gate.touch()
    assert here("restart", 1)[0] == 0
    queue.wait_state(1, "done")
    code, text = here("list")
    assert code == 0
    assert "mine" in text
    assert (queue.store.job(1).digest or "-")[:12] in text
    assert "supervisor: process" in text
    code, text = jobs(queue, "logs", 1, "--follow")
    assert code == 0, text
    assert text.startswith("attempt 1: ")
    assert "attempt 2: " in text


def test_failed_job_is_listed_with_its_error_and_foreground_ends_with_its_code(queue, here):
    options = ["--fail", "5", "--system", "jscc-student", "--preset", "paper_literal"]
    code, text = jobs(queue, "submit", "shapes10", *options, "--foreground")
    assert code == 5
    assert text.startswith("1\njob 1 is queued: ")
    assert instance.find(queue.folder) is None
    text = here("list")[1]
    assert "job 1 shapes10-paper-literal-jscc-student: exit code 5: no data set of" in text


def test_ctrl_c_of_a_queue_in_the_foreground_says_how_to_go_on(queue, tmp_path):
    words = ["jobs", "submit", "shapes10", "--name", "mine", "--foreground"]
    shown = Popen[str](
        [sys.executable, "-m", "orchestrator", *words, "--gate", str(tmp_path / "gate")],
        cwd=queue.root,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    queue.wait_waiting("mine")
    shown.send_signal(signal.SIGINT)
    text, _ = shown.communicate(timeout=DEADLINE_S)
    assert shown.returncode == 130, text
    assert "job 1 is queued; resume with: semcom jobs serve --work training" in text
    assert queue.store.job(1).state == "queued"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["submit", "cifar10"], "semcom data prepare cifar10"),
        (["submit", "shapes10", "--name", "Bad Name"], "must match"),
        (["submit", "shapes10", "--out", "x"], "--out: write it as an option"),
        (["submit", "--set", "a=b", "shapes10"], "data set '--set'"),
        (["watch", "7"], "no job 7"),
        (["list", "--work", "elsewhere"], "no jobs at"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistake_is_one_line_and_nothing_is_stored(queue, here, arguments, said):
    code, text = here(*arguments)
    assert code == 2
    assert text.startswith("error: ")
    assert said in text
    assert text.count("\n") == 1
    assert queue.store.jobs() == []


def test_supervisor_that_cannot_start_is_said_with_its_exit_code(queue, here):
    assert here("cancel", queue.submit("queued")) == (0, "job 1 is cancelled\n")
    queue.folder.settings.write_text("{paralel: 2}")
    code, text = here("restart", 1)
    assert code == 2
    assert "paralel" in text
    assert not os.access(Path(queue.folder.state), os.F_OK)
