"""Processes of a sweep on the nodes of a Ray cluster, supervised by the launcher like local ones.

Each is a `ProcessActor`, which Ray restarts on another node if its own is lost. The launcher then
finds that the process has ended and restarts it through the actor. A channel's address is known
when its actor is placed; if it changes, its peers are restarted with the new address. Nothing here
waits for the cluster: everything happens when the launcher checks.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from orchestrator.control.local_processes import LaunchedRole
from orchestrator.control.process_sections import ChannelPlace, process_sections
from orchestrator.on_ray.connection import last_line
from orchestrator.on_ray.process_actor import Files, Look, ProcessActor
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import SystemSettings
from semcom.errors import ProcessFailedError, StorageError
from semcom.telemetry import event

logger = logging.getLogger("orchestrator.on_ray")
LOOK_EVERY_S = 0.2
CLOSE_S = 10.0
LOST = -signal.SIGKILL  # exit code of a process that was lost with its node


class PlacedProcesses:
    """Places processes as actors; `ProcessStarter`."""

    def __init__(
        self,
        settings: SystemSettings,
        control: str,
        folders: Folders,
        *,
        keys: Callable[[LaunchedRole, str], Files],
    ) -> None:
        """Take the processes' settings, and a function that returns the keys of each."""
        self._settings = settings
        self._control = control
        self._folders = folders
        self._keys = keys
        self._actors: dict[str, Any] = {}
        self._starts = 0
        self.places: dict[int, ChannelPlace] = {}  # last known address of each shard's channel

    def start(self, role: LaunchedRole, peer: str, *, shard: int, log: Path) -> PlacedProcess:
        """Place a process, or restart it on its actor."""
        if peer not in self._actors:
            options = actor_options(role, self._settings.device)
            made = ray.remote(**options)(ProcessActor)
            self._actors[peer] = made.remote(self._keys(role, peer))
        return PlacedProcess(self, self._actors[peer], role, peer, shard=shard, log=log)

    def close(self) -> None:
        """End all actors with their processes and keys."""
        closing = [actor.close.remote() for actor in self._actors.values()]
        if closing:
            ray.wait(closing, num_returns=len(closing), timeout=CLOSE_S)
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()

    def next_start(self) -> int:
        """Return a new start number."""
        self._starts += 1
        return self._starts

    def ports(self) -> tuple[int, int]:
        """Return the channel's ports in the scenario; 0 if they are not set."""
        return self._settings.ports.uplink, self._settings.ports.downlink

    def section(self, role: LaunchedRole, shard: int) -> Mapping[str, Any] | None:
        """Return the settings of a process; None until its channel has been placed."""
        place = self.places.get(shard)
        if place is None:
            return None
        device = "cuda" if wants_gpu(self._settings.device) else self._settings.device
        settings = self._settings.model_copy(update={"device": device, "security": None})
        return process_sections(settings, self._control, place, self._folders)[role]


class PlacedProcess:
    """A process on some node; `Running`."""

    def __init__(
        self,
        cluster: PlacedProcesses,
        actor: Any,
        role: LaunchedRole,
        peer: str,
        *,
        shard: int,
        log: Path,
    ) -> None:
        self.pid = 0
        self._cluster, self._actor = cluster, actor
        self._role, self._peer, self._shard = role, peer, shard
        self._log = log
        self._code: int | None = None
        self._number = 0
        self._told: Mapping[str, Any] | None = None
        self._next_look_s = 0.0
        # The last request to the actor; answers arrive in order.
        self._asked = actor.place.remote(*cluster.ports()) if role == "channel" else None

    def poll(self) -> int | None:
        """Return the exit code; None while it runs or waits for a node.

        Raises:
            ProcessFailedError: the cluster cannot run it.
            StorageError: its log cannot be written here.
        """
        now_s = time.monotonic()
        if self._code is None and self._asked is not None:
            self._take_answer()
        if self._code is None and self._asked is None and now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_EVERY_S
            self._ask()
        return self._code

    def send_signal(self, sig: int) -> None:
        """Send a signal."""
        self._actor.signal.remote(sig)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not.
        """
        deadline_s = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if self._told is None:
                return LOST  # it was never started
            if deadline_s is not None and time.monotonic() >= deadline_s:
                raise subprocess.TimeoutExpired(self._peer, timeout or 0.0)
            time.sleep(LOOK_EVERY_S / 4)
        return code

    def kill(self) -> None:
        """End it at once, with its actor."""
        ray.kill(self._actor)
        self._code = LOST

    def _ask(self) -> None:
        """Request a start with the current settings, or a look at the process."""
        section = self._cluster.section(self._role, self._shard)
        if section is not None and section != self._told:
            self._told, self._number = section, self._cluster.next_start()
            self._actor.start.remote(self._number, self._role, self._peer, section)
        if self._told is not None:
            self._asked = self._actor.look.remote()

    def _take_answer(self) -> None:
        done, _ = ray.wait([self._asked], timeout=0)
        if not done:
            return
        try:
            answer = ray.get(self._asked)
        except RayError as error:
            raise ProcessFailedError(
                f"{self._role} {self._peer}: the cluster cannot run it: {last_line(error)}", 70
            ) from error
        self._asked = None
        if isinstance(answer, ChannelPlace):
            self._cluster.places[self._shard] = answer
        elif isinstance(answer, Look):
            self._take(answer)

    def _take(self, look: Look) -> None:
        self._write(look.log)
        if look.number == self._number:
            if look.pid != self.pid:
                self.pid = look.pid
                told = {"role": self._role, "peer": self._peer, "child": look.pid}
                event(logger, "process placed", node=look.node, **told)
            self._code = look.code
        elif look.number == 0:  # the actor was restarted and runs nothing
            self._code = LOST

    def _write(self, log: bytes) -> None:
        if not log:
            return
        try:
            with self._log.open("ab") as file:
                file.write(log)
        except OSError as error:
            raise StorageError(f"cannot write {self._log}: {error.strerror}") from error


def wants_gpu(device: str) -> bool:
    """Return whether a scenario gives its receivers a CUDA device."""
    return device.startswith("cuda")


def actor_options(role: LaunchedRole, device: str) -> dict[str, Any]:
    """Return Ray's options of an actor: it is restarted on any node after any loss."""
    options: dict[str, Any] = {
        "max_restarts": -1,
        "max_task_retries": -1,
        "scheduling_strategy": "SPREAD",
    }
    if role == "receiver" and wants_gpu(device):
        options["num_gpus"] = 1
    return options
