"""Commands and environments of all processes that are started, and of this process.

The environment of a command must not influence its results: files in the current folder named like
one of our modules or Python's (`receiver.py`, `random.py`), the ranks of a cluster (RANK,
WORLD_SIZE), a notebook's MPLBACKEND, a library's telemetry. So no other module starts a process
(`tests/test_boundaries.py`), and every process first cleans its own environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import IO, Any

from semcom.allocator import keeping_memory

# ONNX Runtime reads it when it is imported; setting it later has no effect.
TELEMETRY_OFF = {"ORT_DISABLE_TELEMETRY": "1"}
ALWAYS = {"MPLBACKEND": "Agg", **TELEMETRY_OFF}  # set in every process
# PyTorch's C++ code logs a long warning for every attempt to reach a host; it reads this at import.
UNLESS_SET = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
# Python then excludes the current folder from imports, also in grandchildren.
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
# Path of a link to the exit code of an end without restart. Only our launcher of ranks sets it
# (`orchestrator/training/torchrun.py`), so it also distinguishes our ranks from a cluster's.
VERDICT = "SEMCOM_VERDICT"
RANKS = (
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE",
    "ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT",
    "PYTHON_EXEC",
)  # fmt: skip
RANK_PREFIXES = (
    "PET_",
    "TORCHELASTIC_",
)  # options of torchrun, and variables that it sets for its ranks
# They would wait for keyboard input.
INTERACTIVE = ("PYTHONSTARTUP", "PYTHONINSPECT")


def python_module(module: str, *words: object) -> list[str]:
    """Return the command `python -m MODULE WORDS`, without imports from the current folder."""
    return [sys.executable, "-P", "-m", module, *map(str, words)]


def child_environment(*, keep_memory: bool = False, **variables: str) -> dict[str, str]:
    """Return the environment of a child: this process's, cleaned, with some variables set.

    Args:
        keep_memory: the child computes with large arrays; see `semcom/allocator.py`.
        variables: further environment variables of the child.
    """
    environment = dict(os.environ)
    for name in (*rank_variables(environment), *INTERACTIVE, VERDICT):
        environment.pop(name, None)
    if "PYTHONPATH" in environment:  # an empty entry stands for the current folder
        entries = environment["PYTHONPATH"].split(os.pathsep)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, entries))
    environment = {**UNLESS_SET, **environment, **ALWAYS, **SAFE_PATH}
    return {**(keeping_memory(environment) if keep_memory else environment), **variables}


def clean_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Clean this process's own environment, before the libraries that read it are imported."""
    environment.update(ALWAYS)


def leave_cluster(environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """Remove the rank variables that a launcher other than ours set for this process.

    Returns:
        The variables that were removed.
    """
    foreign = [] if VERDICT in environment else rank_variables(environment)
    for name in foreign:
        del environment[name]
    return foreign


def rank_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that place a rank among others."""
    return [name for name in environment if name in RANKS or name.startswith(RANK_PREFIXES)]


def is_rank(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether this process is a rank that our own launcher started."""
    return VERDICT in environment and "RANK" in environment


def start_module(
    module: str,
    *words: object,
    keep_memory: bool = False,
    variables: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen[Any]:
    """Start `python -m MODULE WORDS`; `options` are those of `subprocess.Popen`.

    Raises:
        OSError: it cannot be started.
    """
    return start_command(
        python_module(module, *words), keep_memory=keep_memory, variables=variables, **options
    )


def start_with_log(
    module: str,
    *words: object,
    log: IO[bytes] | IO[str],
    keep_memory: bool = False,
    variables: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> subprocess.Popen[Any]:
    """Start a module in its own session, with a log as its output and no input.

    Ctrl-C in the terminal does not reach it.

    Raises:
        OSError: it cannot be started.
    """
    return start_module(
        module,
        *words,
        keep_memory=keep_memory,
        variables=variables,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def start_command(
    command: Sequence[str],
    *,
    keep_memory: bool = False,
    variables: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen[Any]:
    """Start a command that `python_module` made.

    Raises:
        OSError: it cannot be started.
    """
    environment = child_environment(keep_memory=keep_memory, **(variables or {}))
    return subprocess.Popen(command, env=environment, **options)


def run_module(module: str, *words: object, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run `python -m MODULE WORDS` to its end; `options` are those of `subprocess.run`."""
    return run_command(python_module(module, *words), **options)


def run_command(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a Python command to its end."""
    return subprocess.run(command, env=child_environment(), check=False, **options)


def run_program(program: str, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a Python program that is given as text to its end."""
    return run_command([sys.executable, "-P", "-c", program], **options)


def become_module(module: str, *words: str, keep_memory: bool = False) -> None:
    """Replace this process by `python -m MODULE WORDS`, which then gets its signals."""
    sys.stdout.flush()
    sys.stderr.flush()
    # It gets the cluster's variables and reports itself that it ignores them.
    told = {name: os.environ[name] for name in rank_variables(os.environ)}
    environment = child_environment(keep_memory=keep_memory, **told)
    os.execve(sys.executable, python_module(module, *words), environment)
