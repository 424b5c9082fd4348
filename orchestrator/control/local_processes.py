"""The shipped processes as children of this one, and the interface of a supervised process."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml

from orchestrator.control.process_sections import Sections
from semcom.children import start_with_log
from semcom.errors import StorageError
from semcom.files import open_to_write, write_atomically

PACKAGES = {"transmitter": "transmitters", "channel": "channel_sim", "receiver": "receiver"}
LaunchedRole = Literal["transmitter", "channel", "receiver"]


class Running(Protocol):
    """A running process, with the interface of `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """Return its process id on its host; 0 if it is not known yet."""

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not ended.
        """

    def kill(self) -> None:
        """End it at once."""


class ProcessStarter(Protocol):
    """Starts processes on this host or on a cluster."""

    def start(self, role: LaunchedRole, peer: str, *, shard: int, log: Path) -> Running:
        """Start a process that writes to a log on this host.

        Raises:
            OSError: it cannot be started.
        """


class LocalProcesses:
    """Starts processes on this machine."""

    def __init__(self, folder: Path, shards: Sequence[Sections]) -> None:
        """Write `processes.yaml` with one section per role into the run's folder.

        Each further shard, whose processes have other addresses, has its own file.

        Raises:
            StorageError: the disk cannot be written.
        """
        self._configs = [
            _write(folder / f"processes{f'-{number}' if number > 1 else ''}.yaml", sections)
            for number, sections in enumerate(shards, start=1)
        ]

    def start(self, role: LaunchedRole, peer: str, *, shard: int, log: Path) -> Running:
        """Start a process.

        Raises:
            OSError: the log cannot be written, or the system refuses another process.
        """
        with open_to_write(log) as file:
            return start_process(role, peer, self._configs[shard], log=file)


def start_process(role: LaunchedRole, peer: str, config: Path, *, log: Any) -> Running:
    """Start a shipped process with its file of settings.

    Raises:
        OSError: the system refuses another process.
    """
    return start_with_log(PACKAGES[role], "--config", config, "--id", peer, log=log)


def process_file(sections: Sections) -> bytes:
    """Return the path of a process file, whose processes end when this one ends."""
    content: dict[str, Mapping[str, Any]] = {
        role: {**section, "parent_pid": os.getpid()} for role, section in sections.items()
    }
    return yaml.safe_dump(json.loads(json.dumps(content, default=str))).encode()


def _write(path: Path, sections: Sections) -> Path:
    try:
        write_atomically(path, process_file(sections))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return path
