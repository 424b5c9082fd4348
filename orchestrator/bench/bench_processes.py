"""Processes that a benchmark starts and ends."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from orchestrator.control.launcher import last_error
from semcom.children import start_module, start_with_log
from semcom.errors import ProcessFailedError
from semcom.sockets import free_ports

END_S = 30.0


class AskedProcess:
    """A process that answers a line on its standard input with a line of JSON."""

    def __init__(self, process: subprocess.Popen[str], module: str) -> None:
        self._process = process
        self._module = module

    def ask(self, line: str) -> Any:
        """Return the answer to a line.

        Raises:
            ProcessFailedError: the process ended without answering.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise _failed(self._module, self._process.wait(END_S), "see above")
        return json.loads(answer)


@contextmanager
def asked(module: str, *arguments: str) -> Iterator[AskedProcess]:
    """Start `python -m MODULE`, which has no state to save and is killed at the end."""
    process = start_module(
        module,
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the benchmark
    )
    try:
        yield AskedProcess(process, module)
    finally:
        process.kill()
        with suppress(BrokenPipeError):
            process.communicate()


@contextmanager
def served(package: str, sections: dict[str, Any], folder: Path, peer: str) -> Iterator[None]:
    """Run a process of the system during the block: `python -m PACKAGE --id PEER`.

    Raises:
        ProcessFailedError: it ended prematurely.
    """
    config, log = folder / f"{peer}.yaml", folder / f"{peer}.jsonl"
    sections = {role: {**section, "parent_pid": os.getpid()} for role, section in sections.items()}
    config.write_text(yaml.safe_dump(sections), encoding="utf-8")
    with log.open("ab") as output:
        process = start_with_log(package, "--config", config, "--id", peer, log=output)
    try:
        yield
    finally:
        ended = process.poll()
        process.kill()
        process.wait()
        if ended is not None:
            raise _failed(package, ended, last_error(log))


def addresses(count: int) -> list[str]:
    """Return free addresses on loopback."""
    return [f"tcp://127.0.0.1:{port}" for port in free_ports(count)]


def _failed(what: str, code: int, detail: str) -> ProcessFailedError:
    return ProcessFailedError(f"{what} ended with {code}: {detail}", code)
