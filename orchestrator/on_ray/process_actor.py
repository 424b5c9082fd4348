"""An actor that runs one of the shipped processes on its node.

The driver decides what is started; an actor that Ray restarted elsewhere runs nothing until then.
It keeps the process's keys and log in a folder that is removed with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, NamedTuple

import psutil
import ray

from orchestrator.control.local_processes import (
    LaunchedRole,
    Running,
    process_file,
    start_process,
)
from orchestrator.control.process_sections import ChannelPlace
from semcom import sockets

Files = Mapping[str, bytes]  # of a folder, by their paths in it
PREFIX = "semcom-process-"  # of folders, before the actor's process id
CHUNK_BYTES = 1 << 20  # bytes of a log passed on at a time
STOP_S = 5.0


class Look(NamedTuple):
    """The state of a process.

    Attributes:
        number: number of the start; 0 if this instance of the actor has started nothing.
        code: the exit code, None while it runs.
        log: new output since the last look.
        pid: its process id on its node.
        node: address of the node.
    """

    number: int
    code: int | None
    log: bytes
    pid: int
    node: str


class ProcessActor:
    """One process at a time."""

    def __init__(self, keys: Files) -> None:
        """Take the files of the folder of keys, if there are any."""
        remove_left()
        self._folder = TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")
        self._log = (Path(self._folder.name) / "log.jsonl").open("w+b")
        self._keys = Path(self._folder.name) / "keys" if keys else None
        for name, content in keys.items():
            path = Path(self._folder.name) / "keys" / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(content)
        self._taken = 0
        self._number = 0
        self._process: Running | None = None
        self._place: ChannelPlace | None = None

    def place(self, uplink: int, downlink: int) -> ChannelPlace:
        """Return the address of a channel on this node; a port of 0 is chosen once."""
        if self._place is None:
            host, free = ray.util.get_node_ip_address(), sockets.free_ports(2)
            self._place = ChannelPlace(host, host, uplink or free[0], downlink or free[1])
        return self._place

    def start(self, number: int, role: LaunchedRole, peer: str, section: Mapping[str, Any]) -> None:
        """Start a process in place of the previous one, unless this number was already started.

        Raises:
            OSError: it cannot be started.
        """
        if number == self._number:
            return
        if self._process is not None:  # its state is sent again
            self._process.kill()
            self._process.wait()
        secure = {} if self._keys is None else {"security": {"keys": self._keys}}
        config = Path(self._folder.name) / "processes.yaml"
        config.write_bytes(process_file({role: {**section, **secure}}))
        with Path(self._log.name).open("ab") as log:
            self._process = start_process(role, peer, config, log=log)
        self._number = number

    def look(self) -> Look:
        """Return the state of the process."""
        code = None if self._process is None else self._process.poll()
        self._log.seek(self._taken)
        log = self._log.read(CHUNK_BYTES)
        self._taken += len(log)
        if len(log) == CHUNK_BYTES:  # the end is reported with the last part of its log
            code = None
        pid = 0 if self._process is None else self._process.pid
        return Look(self._number, code, log, pid, ray.util.get_node_ip_address())

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End the process, and remove keys and log."""
        self.stop()
        self._log.close()
        self._folder.cleanup()


def remove_left() -> None:
    """Remove the folders, with keys, of actors that were killed on this node."""
    for folder in Path(gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
