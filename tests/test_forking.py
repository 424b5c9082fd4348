"""Forked commands: each is the process that `subprocess` would have started."""

from __future__ import annotations

import importlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from semcom.children import child_environment
from tests.forking import Popen, client, fresh, run
from tests.forking.client import REPO, ForkServer, forkable

PROBE = [sys.executable, str(REPO / "tests" / "forking" / "probe.py")]
DEADLINE_S = 120.0
OF_THE_SUITE = client.server


@pytest.fixture(scope="module")
def bare() -> Iterator[ForkServer]:
    """A server that has imported little."""
    server = ForkServer(os.environ, imported=("semcom.children",))
    yield server
    server.close()


@pytest.fixture(autouse=True)
def small_server(bare: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests fork from it."""
    monkeypatch.setattr(client, "server", bare)


def state(starts: Any, *options: str, **given: Any) -> dict[str, Any]:
    """What a process says that it finds, started by `run` or by `subprocess.run`."""
    command = [PROBE[0], *options, *PROBE[1:], "state", "a b", "ü"]
    given = {"env": dict(os.environ), "timeout": DEADLINE_S, **given}
    done = starts(command, capture_output=True, text=True, **given)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_commands_of_the_suite_are_forked_whatever_its_tests_have_imported() -> None:
    importlib.import_module("orchestrator.reports")  # sets a variable
    assert OF_THE_SUITE.fits(os.environ)
    assert OF_THE_SUITE.fits(child_environment(keep_memory=True))


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ([], {}),
        (["-P"], {"start_new_session": True}),
        ([], {"stdin": subprocess.DEVNULL, "env": {**os.environ, "A": "ü", "B": "\udcff"}}),
        ([], {"env": {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": str(REPO)}}),
    ],
    ids=["as it is", "session", "environment", "safe path"],
)
def test_a_fork_finds_what_a_fresh_process_finds(
    options: list[str], given: dict[str, Any], tmp_path: Path
) -> None:
    forked = state(run, *options, cwd=tmp_path, **given)
    fresh = state(subprocess.run, *options, cwd=tmp_path, **given)
    assert (forked.pop("forked"), fresh.pop("forked")) == (True, False)
    assert forked["parent"] == os.getpid()
    assert forked["folder"] == str(tmp_path)
    assert forked["threads"] == 1
    assert forked == fresh


def test_a_module_is_run_as_the_interpreter_runs_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "semcom.check", "nowhere"]
    forked, fresh = (
        starts(command, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S)
        for starts in (run, subprocess.run)
    )
    assert forked.returncode == fresh.returncode != 0
    assert (forked.stdout, forked.stderr) == (fresh.stdout, fresh.stderr)
    assert forked.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["exit", "0"], 0, ""),
        (["exit", "143"], 143, ""),
        (["exit", "a word"], 1, "a word\n"),
        (["fail"], 1, "RuntimeError: as asked\n"),
    ],
)
def test_exit_codes_and_errors_are_those_of_the_interpreter(
    words: list[str], code: int, said: str
) -> None:
    done = run([*PROBE, *words], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == code
    assert done.stderr.endswith(said)
    assert ("Traceback" in done.stderr) == (words == ["fail"])
    if code:
        with pytest.raises(subprocess.CalledProcessError):
            run([*PROBE, *words], check=True, stderr=subprocess.DEVNULL, timeout=DEADLINE_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_fork_as_it_ends_a_fresh_process(number: signal.Signals) -> None:
    with Popen[str]([*PROBE, "wait"], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        assert process.poll() is None
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -number
    assert ("KeyboardInterrupt" in said) == (number == signal.SIGINT)


def test_a_timeout_ends_a_fork() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run([*PROBE, "wait"], stdout=subprocess.DEVNULL, timeout=0.1)


def test_large_input_and_output_pass_unchanged() -> None:
    content = os.urandom(1 << 20) * 8
    with Popen[bytes]([*PROBE, "echo"], stdin=-1, stdout=-1, stderr=-1) as process:
        out, said = process.communicate(content, timeout=DEADLINE_S)
    assert (process.returncode, said) == (0, b"over\n")
    assert out == content


def test_output_and_errors_share_a_pipe_or_a_file(tmp_path: Path) -> None:
    with Popen[str]([*PROBE, "echo"], stdin=-1, stdout=-1, stderr=-2, text=True) as process:
        assert process.communicate("", timeout=DEADLINE_S) == ("over\n", None)
    with (tmp_path / "log").open("ab") as log:
        run([*PROBE, "exit", "a word"], stdout=log, stderr=log, timeout=DEADLINE_S)
        log.write(b"and another\n")
    assert (tmp_path / "log").read_text() == "a word\nand another\n"


def test_a_folder_that_is_not_there_is_the_error_of_subprocess(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    raised = []
    for starts in (run, subprocess.run):
        with pytest.raises(FileNotFoundError) as caught:
            starts([*PROBE, "state"], cwd=nowhere)
        raised.append((caught.value.errno, str(caught.value.filename)))
    assert raised[0] == raised[1]


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, {}),
        ({"OMP_NUM_THREADS": "2"}, {}),
        ({"HOME": "/"}, {}),
        ({"A": "a" * 120_000}, {}),
        ({}, {"preexec_fn": lambda: None}),
        ({}, {"process_group": 0}),
        ({}, {"umask": 0o77}),
    ],
    ids=["encoding", "threads", "home", "size", "before exec", "process group", "umask"],
)
def test_what_a_fork_could_not_do_is_a_fresh_process(
    changes: dict[str, str], given: dict[str, Any]
) -> None:
    assert not state(run, env={**os.environ, **changes}, **given)["forked"]


def test_all_are_fresh_where_it_is_asked_for_and_at_a_terminal() -> None:
    terminal, shown = pty.openpty()
    try:
        assert not state(run, stdin=shown)["forked"]
    finally:
        os.close(terminal)
        os.close(shown)
    with fresh():
        assert not state(run)["forked"]
        done = run([*PROBE, "start", "state"], stdout=subprocess.PIPE, timeout=DEADLINE_S)
    assert '"forked": false' in done.stdout.decode()
    assert state(run)["forked"]


def test_a_path_that_adds_modules_is_taken_and_one_that_hides_some_asks_for_a_fresh_process(
    tmp_path: Path,
) -> None:
    adding, hiding, starting = (tmp_path / name for name in ("adding", "hiding", "starting"))
    for folder, module in ((adding, "added"), (hiding, "wave"), (starting, "sitecustomize")):
        folder.mkdir()
        (folder / f"{module}.py").touch()
    for path, forked in ((adding, True), (hiding, False), (starting, False), ("elsewhere", False)):
        entries = os.pathsep.join([str(path), str(REPO)])
        assert state(run, env={**os.environ, "PYTHONPATH": entries})["forked"] == forked, path
    given = {"env": {**os.environ, "PYTHONPATH": str(adding)}, "capture_output": True, "text": True}
    command = [sys.executable, "-m", "tests.forking.probe", "import", "added"]
    done = run(command, cwd=REPO, timeout=DEADLINE_S, **given)
    assert (done.returncode, done.stdout) == (0, f"{adding / 'added.py'}\n"), done.stderr


@pytest.mark.parametrize(
    ("command", "forked"),
    [
        ([sys.executable, "-m", "orchestrator", "verify"], True),
        ([sys.executable, "-P", "-m", "channel_sim"], True),
        ([sys.executable, str(REPO / "tests" / "integration" / "held_sweep.py")], True),
        ([sys.executable, "-m", "pip"], False),
        ([sys.executable, "-c", "import orchestrator"], False),
        ([sys.executable, "-W", "error", "-m", "orchestrator"], False),
        ([sys.executable], False),
        (["bash", "-m", "orchestrator"], False),
        (f"{sys.executable} -m orchestrator", False),
    ],
)
def test_only_modules_of_the_project_and_scripts_of_its_tests_are_forked(
    command: list[str] | str, forked: bool
) -> None:
    assert forkable(command) == forked


def test_a_command_forks_what_it_starts_itself() -> None:
    done = run([*PROBE, "start", "state"], capture_output=True, text=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stderr) == (0, "")
    found, pids = sorted(done.stdout.splitlines(), key=lambda line: line[:1] != "{")
    child = json.loads(found)
    assert child["forked"]
    assert child["parent"] == int(pids.split()[0])
    assert child["environment"]["PYTHONSAFEPATH"] == "1"
    started = run([*PROBE, "start", "exit", "7"], stdout=subprocess.DEVNULL, timeout=DEADLINE_S)
    assert started.returncode == 7


def test_the_server_of_a_killed_command_ends_and_its_child_lives_on() -> None:
    with Popen[str]([*PROBE, "start", "wait"], stdout=-1, text=True) as process:
        assert process.stdout is not None
        lines = {process.stdout.readline() for _ in range(2)}
        (pids,) = lines - {"waiting\n"}
        own, child = map(int, pids.split())
        assert own == process.pid
        below = {each.pid: each for each in psutil.Process(own).children()}
        assert len(below) == 2
        waits = below.pop(child)
        (companion,) = below.values()
        process.kill()
        process.wait(DEADLINE_S)
        companion.wait(DEADLINE_S)
        assert waits.is_running()
        waits.kill()
        waits.wait(DEADLINE_S)


def test_threads_may_start_commands_at_once() -> None:
    def code(number: int) -> int:
        return run([*PROBE, "exit", str(number)], timeout=DEADLINE_S).returncode

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(code, range(12))) == list(range(12))


def test_a_server_that_ended_is_replaced(bare: ForkServer) -> None:
    run([*PROBE, "exit", "0"], timeout=DEADLINE_S)
    before = bare.process
    assert before is not None
    before.kill()
    before.wait(DEADLINE_S)
    assert run([*PROBE, "exit", "3"], timeout=DEADLINE_S).returncode == 3
    assert bare.process not in (None, before)


def test_a_server_that_ends_before_it_answers_is_an_error(bare: ForkServer) -> None:
    run([*PROBE, "exit", "0"], timeout=DEADLINE_S)
    assert bare.process is not None
    bare.process.send_signal(signal.SIGSTOP)
    killing = threading.Timer(0.2, bare.process.kill)
    killing.start()
    with pytest.raises(ChildProcessError, match="ended before it answered"):
        run([*PROBE, "exit", "0"], timeout=DEADLINE_S)
    killing.join()
    assert run([*PROBE, "exit", "0"], timeout=DEADLINE_S).returncode == 0


def test_ctrl_c_in_a_terminal_does_not_end_the_server(bare: ForkServer) -> None:
    run([*PROBE, "exit", "0"], timeout=DEADLINE_S)
    assert bare.process is not None
    bare.process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    assert bare.process.poll() is None


def test_no_thread_runs_in_a_server_that_has_imported_the_project() -> None:
    """Else what it forks could find a lock that nobody gives back."""
    server = ForkServer(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "server", server)
        try:
            assert state(run)["forked"]
            assert server.process is not None
            assert psutil.Process(server.process.pid).num_threads() == 1
        finally:
            server.close()
