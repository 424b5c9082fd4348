"""Processes that a benchmark starts, and ends when it is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from semcom.errors import SemcomError
from semcom.sockets import free_ports

END_S = 30.0


class Asked:
    """A process that answers a line on its standard input with a line of JSON."""

    def __init__(self, process: subprocess.Popen[str], what: str) -> None:
        self.pid = process.pid
        self._process = process
        self._what = what

    def ask(self, line: str = "") -> Any:
        """The answer to a line.

        Raises:
            SemcomError: the process ended instead.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._process.stdout.readline()
        if not answer:
            raise SemcomError(f"{self._what} ended with {self._process.wait(END_S)}")
        return json.loads(answer)


@contextmanager
def asked(module: str, *arguments: str) -> Iterator[Asked]:
    """Start `python -m MODULE`; at the end its standard input is closed, which ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Asked(process, module)
    finally:
        process.communicate(timeout=END_S)


@contextmanager
def served(package: str, sections: dict[str, Any], folder: Path, peer: str) -> Iterator[int]:
    """Start a process of the system, `python -m PACKAGE --id PEER`; its process id."""
    config = folder / f"{peer}.yaml"
    sections = {role: {**section, "parent_pid": os.getpid()} for role, section in sections.items()}
    config.write_text(yaml.safe_dump(sections), encoding="utf-8")
    with ExitStack() as stack:
        log = stack.enter_context((folder / f"{peer}.jsonl").open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", package, "--config", str(config), "--id", peer],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(END_S)


def addresses(count: int) -> list[str]:
    """Addresses on loopback that nobody uses."""
    return [f"tcp://127.0.0.1:{port}" for port in free_ports(count)]
