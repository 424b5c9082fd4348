"""What children are started with: a command and an environment that nothing around leaks into."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom import children
from semcom.children import (
    RANKS,
    VERDICT,
    child_environment,
    is_rank,
    leave_cluster,
    python_module,
    run_module,
    start_module,
    start_with_log,
)

# Modules of ours, and some of Python's that our processes import, as a user may call his files.
HOSTILE = (
    "semcom", "receiver", "transmitters", "channel_sim", "orchestrator", "random", "token",
    "numpy", "yaml", "logging", "secrets", "typing", "zmq", "argparse", "sitecustomize",
)  # fmt: skip
NAMES = st.sampled_from(
    (*RANKS, "PET_NNODES", "TORCHELASTIC_RUN_ID", "MPLBACKEND", "PYTHONINSPECT", "PYTHONSTARTUP",
     "PYTHONSAFEPATH", "ORT_DISABLE_TELEMETRY", VERDICT, "HOME", "OMP_NUM_THREADS", "RANKS")
)  # fmt: skip


@given(st.dictionaries(NAMES, st.text("abc:1", max_size=5)), st.booleans())
def test_no_environment_reaches_a_child_but_what_is_its_own(
    surrounding: dict[str, str], keep_memory: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", dict(surrounding))
        found = child_environment(keep_memory=keep_memory, MINE="1")
    kept = {name: surrounding[name] for name in ("HOME", "OMP_NUM_THREADS", "RANKS")
            if name in surrounding}  # fmt: skip
    ours = {"MPLBACKEND": "Agg", "ORT_DISABLE_TELEMETRY": "1", "PYTHONSAFEPATH": "1", "MINE": "1",
            "TORCH_CPP_LOG_LEVEL": "ERROR"}  # fmt: skip
    memory = {"GLIBC_TUNABLES": found.get("GLIBC_TUNABLES", "")} if keep_memory else {}
    assert found == {**kept, **ours, **memory}


@pytest.mark.parametrize(
    ("path", "expected"), [(":/a", "/a"), ("/a::/b:", "/a:/b"), (":", ""), ("/a:/b", "/a:/b")]
)
def test_an_empty_entry_of_the_path_is_not_the_current_folder(
    path: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", path)
    assert child_environment()["PYTHONPATH"] == expected


def write_hostile_files(folder: Path) -> Path:
    """Files that leave a trace if anything executes them; returns the trace."""
    trace = folder / "executed"
    for name in HOSTILE:
        program = f"open({str(trace)!r}, 'a').write({name!r})\nraise SystemExit('user file')\n"
        (folder / f"{name}.py").write_text(program)
    (folder / "matplotlibrc").write_text("backend: nowhere\n")
    return trace


@pytest.mark.parametrize("path", [None, ":", ":/nowhere"])
def test_files_of_the_current_folder_are_never_executed(
    path: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = write_hostile_files(tmp_path)
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    words = ("--config", "nothing.yaml", "--id", "receiver-1")
    done = run_module(
        "channel_sim", *words, cwd=tmp_path, text=True, stderr=subprocess.PIPE, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert "no such file: nothing.yaml" in done.stderr
    assert not trace.exists()


def test_children_of_a_child_leave_the_current_folder_out_too(tmp_path: Path) -> None:
    trace = write_hostile_files(tmp_path)
    inner = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import random'])"
    (tmp_path / "elsewhere").mkdir()
    environment = child_environment()
    subprocess.run(
        [sys.executable, "-P", "-c", inner], cwd=tmp_path, env=environment, check=True, timeout=60
    )
    assert not trace.exists()


def test_a_started_module_gets_its_words_and_variables(tmp_path: Path) -> None:
    assert python_module("a.b", 1, Path("c")) == [sys.executable, "-P", "-m", "a.b", "1", "c"]
    process = start_module(
        "semcom.check", "nowhere:1", cwd=tmp_path, text=True, stderr=subprocess.PIPE
    )
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, "error: nowhere:1: not an http address\n")


def test_a_foreign_cluster_is_left_and_our_own_ranks_are_kept() -> None:
    foreign = {"RANK": "abc", "WORLD_SIZE": "2", "MASTER_ADDR": "x", "PET_NNODES": "4", "A": "b"}
    environment = dict(foreign)
    assert not is_rank(environment)
    assert leave_cluster(environment) == ["RANK", "WORLD_SIZE", "MASTER_ADDR", "PET_NNODES"]
    assert environment == {"A": "b"}
    ours = {**foreign, VERDICT: "/tmp/verdict"}
    environment = dict(ours)
    assert is_rank(environment)
    assert leave_cluster(environment) == []
    assert environment == ours


def test_a_replaced_process_is_told_of_the_cluster_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda _, words, variables: seen.append((words, variables)))
    monkeypatch.setenv("RANK", "7")
    monkeypatch.setenv("MPLBACKEND", "Qt4Agg")
    children.become_module("a.b", "c", keep_memory=True)
    ((words, variables),) = seen
    assert words == [sys.executable, "-P", "-m", "a.b", "c"]
    assert (variables["RANK"], variables["MPLBACKEND"]) == ("7", "Agg")
    assert "mmap_max=0" in variables["GLIBC_TUNABLES"]


def test_onnx_runtime_sends_nothing_and_says_nothing(tmp_path: Path) -> None:
    """Where it may write no file, it would warn of that on every start."""
    (tmp_path / "home").touch()  # a file: no folder can be made below it
    cache = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    environment = {**os.environ, **cache}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import transmitters.onnx_engine"],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stderr == ""


def test_child_with_a_log_has_a_session_of_its_own_and_no_input(tmp_path):
    words = "import os, sys; print(os.getsid(0), repr(sys.stdin.read())); print(7, file=sys.stderr)"
    (tmp_path / "told.py").write_text(words)
    with (tmp_path / "log").open("wb") as log:
        variables = {"PYTHONPATH": str(tmp_path)}
        process = start_with_log("told", log=log, variables=variables, cwd=tmp_path)
    assert process.wait(30) == 0
    said = (tmp_path / "log").read_text().splitlines()
    assert sorted(said) == sorted([f"{process.pid} ''", "7"])
