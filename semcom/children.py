"""The command and the environment of every process that is started here, and those of this one.

What surrounds a command must not decide what it computes: a file of the current folder that is
called like one of our modules or of Python's (`receiver.py`, `random.py`), the ranks of a cluster
(RANK, WORLD_SIZE), a notebook's MPLBACKEND, a library's telemetry. So no other module starts a
process (`tests/test_boundaries.py`), and every process cleans its own environment first.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import IO, Any

from semcom.allocator import keeping_memory

# ONNX Runtime looks at it when it is imported; to tell it later is too late.
TELEMETRY_OFF = {"ORT_DISABLE_TELEMETRY": "1"}
ALWAYS = {"MPLBACKEND": "Agg", **TELEMETRY_OFF}  # set in every process
# PyTorch's C++ half warns at length of every attempt to reach a host, and reads this at import.
UNLESS_SET = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
# Python itself then leaves the current folder out, in the children's children, too.
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
# Names a link to the exit code of an end that no restart is to follow. Our launcher of ranks alone
# sets it (`orchestrator/training/torchrun.py`), so it also tells our ranks from a cluster's.
VERDICT = "SEMCOM_VERDICT"
RANKS = (
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE",
    "ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT",
    "PYTHON_EXEC",
)  # fmt: skip
RANK_PREFIXES = ("PET_", "TORCHELASTIC_")  # options of torchrun, and what it tells its ranks
# They would wait for somebody at a keyboard.
INTERACTIVE = ("PYTHONSTARTUP", "PYTHONINSPECT")


def python_module(module: str, *words: object) -> list[str]:
    """Return the command `python -m MODULE WORDS`; the current folder holds no modules for it."""
    return [sys.executable, "-P", "-m", module, *map(str, words)]


def child_environment(*, keep_memory: bool = False, **variables: str) -> dict[str, str]:
    """Return the environment of a child: this process's, cleaned, with some variables set.

    Args:
        keep_memory: it computes with large arrays, see `semcom/allocator.py`.
        variables: what else the child is told.
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
    """Forget the place that another launcher than ours gave this process among ranks.

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
    """Start a module that writes to a log and reads nothing, in a session of its own.

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
    """Replace this process by `python -m MODULE WORDS`: signals and exit code are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    # It is told where a cluster would have it, and says itself that this does not count.
    told = {name: os.environ[name] for name in rank_variables(os.environ)}
    environment = child_environment(keep_memory=keep_memory, **told)
    os.execve(sys.executable, python_module(module, *words), environment)
