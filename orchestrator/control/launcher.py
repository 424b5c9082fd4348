"""Start the processes of a run on any host, watch them and restart them."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.control.local_processes import LaunchedRole, ProcessStarter, Running
from semcom.errors import ProcessFailedError, StorageError
from semcom.files import read_end
from semcom.telemetry import event

logger = logging.getLogger("orchestrator.control.launcher")

# Exit codes for which a restart cannot help: configuration, port, key, protocol, codec, disk.
FINAL_EXIT_CODES = {2, 3, 4, 5, 6, 7}
RESTART_AFTER_S = 0.5
MAX_LOG_BYTES = 1 << 20  # bytes of a log that are read to report why a process ended
MAX_RESTARTS_PER_MINUTE = 10
STOP_GRACE_S = 10.0


@dataclass
class Child:
    """One process that the launcher keeps running."""

    role: LaunchedRole
    peer: str
    shard: int
    log: Path
    process: Running | None = None
    started_s: list[float] = field(default_factory=list)
    restart_at_s: float = 0.0


class Launcher:
    """The processes of one run."""

    def __init__(self, folder: Path, starter: ProcessStarter) -> None:
        """Take the run's folder, for logs, and the starter of processes."""
        self.children: list[Child] = []
        self._folder = folder
        self._starter = starter

    def start(self, role: LaunchedRole, peer: str, *, shard: int = 0) -> None:
        """Start a process and keep it running from now on.

        Raises:
            StorageError: the log cannot be written, or the system refuses another process.
        """
        log = self._folder / "logs" / f"{peer}.jsonl"
        child = Child(role, peer, shard, log)
        self.children.append(child)
        self._spawn(child, time.monotonic())

    def watch(self, now_s: float) -> list[str]:
        """Restart processes that have died; return the roles that were restarted.

        Raises:
            ProcessFailedError: a process ended permanently, or dies repeatedly.
            StorageError: as for `start`.
        """
        restarted: list[str] = []
        for child in self.children:
            if child.process is None:
                if now_s >= child.restart_at_s:
                    self._spawn(child, now_s)
                    restarted.append(child.role)
                continue
            code = child.process.poll()
            if code is not None:
                self._on_exit(child, code, now_s)
        return restarted

    def stop(
        self, roles: tuple[LaunchedRole, ...] = ("transmitter", "channel", "receiver")
    ) -> None:
        """Ask processes to end, wait, and kill those that do not."""
        chosen = [child for child in self.children if child.role in roles]
        self.children = [child for child in self.children if child.role not in roles]
        running = [child.process for child in chosen if child.process is not None]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGCONT)  # a stopped process could not end
        deadline_s = time.monotonic() + STOP_GRACE_S
        for process in running:
            try:
                process.wait(max(0.1, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def terminate(self, role: LaunchedRole) -> None:
        """Ask the processes of a role to drain; they are not started again."""
        for child in self.children:
            if child.role == role and child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
                child.process.send_signal(signal.SIGCONT)  # a stopped process could not end

    def running(self, role: LaunchedRole) -> int:
        """Return how many processes of a role are running."""
        return sum(
            1
            for child in self.children
            if child.role == role and child.process is not None and child.process.poll() is None
        )

    def _spawn(self, child: Child, now_s: float) -> None:
        try:
            child.process = self._starter.start(
                child.role, child.peer, shard=child.shard, log=child.log
            )
        except OSError as error:
            why = f"{error.filename or 'its process'}: {error.strerror}"
            raise StorageError(f"cannot start {child.role} {child.peer}: {why}") from error
        child.started_s.append(now_s)
        event(logger, "process started", role=child.role, peer=child.peer, child=child.process.pid)

    def _on_exit(self, child: Child, code: int, now_s: float) -> None:
        child.process = None
        if code in FINAL_EXIT_CODES:
            raise ProcessFailedError(f"{child.role} {child.peer}: {last_error(child.log)}", code)
        child.started_s = [started for started in child.started_s if now_s - started < 60]
        if len(child.started_s) >= MAX_RESTARTS_PER_MINUTE:
            raise ProcessFailedError(
                f"{child.role} {child.peer} ended {len(child.started_s)} times within a minute: "
                f"{last_error(child.log)}",
                70,
            )
        event(logger, "process ended", role=child.role, peer=child.peer, code=code)
        child.restart_at_s = now_s + RESTART_AFTER_S


def last_error(log: Path) -> str:
    """Return the text of the last error in a log of JSON lines."""
    try:
        lines = read_end(log, max_bytes=MAX_LOG_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return f"see {log}"
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("level") == "error":
            return str(record.get("event"))
    return f"see {log}"
