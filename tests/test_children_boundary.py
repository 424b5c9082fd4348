"""Processes are started, and signals answered, in one module each: read by ast."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from tests.sources import REPO, modules

STARTING = (
    "subprocess.Popen", "subprocess.run", "subprocess.call", "subprocess.check_call",
    "subprocess.check_output", "subprocess.getoutput", "os.system", "os.popen", "os.fork",
    "os.forkpty", "pty.spawn",
)  # fmt: skip
FAMILIES = ("os.exec", "os.spawn", "os.posix_spawn", "asyncio.create_subprocess")
# Runs a part of itself as its child, in the environment that it was started with.
SPAWNS_ITSELF = {"orchestrator.training.loop_timing"}
# Ended by what started them, and read by nobody else; or over in a moment.
WITHOUT_STOP_SIGNALS = {
    "channel_sim.noise_bench", "channel_sim.peer_bench", "orchestrator.bench.feed",
    "orchestrator.bench.raw", "orchestrator.dashboards.write", "orchestrator.training.offline",
    "semcom.check",
}  # fmt: skip


@cache
def full_names(tree: ast.Module) -> set[str]:
    """Every attribute and imported name, as `module.name`."""
    found = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def starts_processes(tree: ast.Module) -> set[str]:
    """Names by which a module starts a process itself; a type of one is none."""
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = full_names(tree)
    imported = {name for name in names if name.rpartition(".")[2] in called}
    found = {name for name in called | imported if name in STARTING or name.startswith(FAMILIES)}
    return found | {name for name in names if name in ("sys.executable", "os.forkpty")}


def answers_signals(tree: ast.Module) -> bool:
    """Whether a module says how a signal is answered."""
    named = ("signal.signal", "signal.set_wakeup_fd", "signal.pthread_sigmask", "signal.sigwait")
    return any(name in named for name in full_names(tree))


def test_processes_are_started_in_one_module() -> None:
    starting = {name for name, tree in modules().items() if starts_processes(tree)}
    assert starting == {"semcom.children"}
    multi = {
        n for n, tree in modules().items() if "multiprocessing.get_context" in full_names(tree)
    }
    assert multi == SPAWNS_ITSELF


def test_signals_are_answered_in_one_module() -> None:
    found = {name for name, tree in modules().items() if answers_signals(tree)}
    assert found == {"semcom.stop_signals"}


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess\nsubprocess.run(['x'])",
        "import subprocess\nwith subprocess.Popen(['x']) as p: pass",
        "from subprocess import check_output\ncheck_output(['x'])",
        "import sys\nx = [sys.executable]",
        "from sys import executable",
        "import os\nos.execve('x', [], {})",
        "import os\nos.system('x')",
    ],
)
def test_a_start_of_its_own_is_found(source: str) -> None:
    assert starts_processes(ast.parse(source))


def test_a_type_of_a_process_is_no_start() -> None:
    source = "import subprocess\ndef f(p: subprocess.Popen[bytes]): p.wait(subprocess.PIPE)"
    assert not starts_processes(ast.parse(source))
    assert answers_signals(ast.parse("import signal\nsignal.signal(2, print)"))


def test_every_process_begins_with_a_clean_environment_and_answers_signals() -> None:
    """Directly, or through the `main` of `semcom/service.py` and the like."""
    entries = {name for name, tree in modules().items() if '__name__ == "__main__"' in _text(name)}
    assert len(entries) >= 10
    begun = {"semcom.entry.run_process", "semcom.service.main", "orchestrator.cli.main.main"}
    without = {name for name in entries if not full_names(modules()[name]) & begun}
    assert without == WITHOUT_STOP_SIGNALS


def _text(module: str) -> str:
    path = REPO.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text(encoding="utf-8")
