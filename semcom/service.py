"""The run loop of every process: poll, handle, tick; signals, health, exit codes."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Protocol, TypeVar

from semcom import sockets
from semcom.errors import EXIT_OK, INTERRUPTED, ConfigurationError, SemcomError
from semcom.health import HealthServer
from semcom.key_pool import claim, is_pattern
from semcom.keys import KeyFolder
from semcom.messages import NAME_PATTERN, Role
from semcom.security import Security, open_security
from semcom.settings import ProcessSettings, read_yaml, section_of, validate
from semcom.sockets import Endpoint, Poller, Received
from semcom.telemetry import Telemetry, event, log_json
from semcom.wakeup import Wakeup

HEARTBEAT_S = 1.0
DRAIN_S = 5.0
GARBAGE_EVERY = 20_000  # objects; a message leaves no cycles behind
logger = logging.getLogger("semcom.service")

# How many messages one endpoint may deliver before the others are looked at.
BURST = 64


class Service(Protocol):
    """What a process does; the loop owns when."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The sockets to poll."""
        ...

    @property
    def ready(self) -> bool:
        """Whether the process can do its work."""
        ...

    @property
    def done(self) -> bool:
        """Whether the process has nothing left to do and may end."""
        ...

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Take one message."""
        ...

    def tick(self, now_s: float) -> float:
        """Do what time asks for; returns the seconds until it wants to be called again."""
        ...

    def drain(self) -> None:
        """Take up nothing new; set `done` once what is under way is finished."""
        ...

    def close(self) -> None:
        """Close sockets and threads."""
        ...


class Stop:
    """SIGTERM and SIGINT ask the loop to end; the second one ends it at once."""

    def __init__(self, wakeup: Wakeup) -> None:
        self.asked = False
        self._wakeup = wakeup
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self._wakeup.set()


def serve(service: Service, wakeup: Wakeup, stopped: Callable[[], bool]) -> None:
    """Run a service until it is done; once `stopped` says so, it has `DRAIN_S` left."""
    poller = Poller(service.endpoints, wakeup)
    deadline_s: float | None = None
    while not service.done:
        now_s = time.monotonic()
        if deadline_s is None and stopped():
            deadline_s = now_s + DRAIN_S
            service.drain()
        if service.done or (deadline_s is not None and now_s >= deadline_s):
            return
        wait_s = service.tick(now_s)
        for endpoint in poller.wait(min(wait_s, HEARTBEAT_S)):
            for _ in range(BURST):
                received = endpoint.receive()
                if received is None:
                    break
                service.handle(endpoint, received)


def _orphaned(settings: ProcessSettings) -> bool:
    """Whether the process that started this one, and must not be outlived, is gone."""
    return settings.parent_pid is not None and os.getppid() != settings.parent_pid


def new_instance() -> str:
    """A name for this life of a process: a restart is a new one."""
    return secrets.token_hex(8)


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)
Build = Callable[[SettingsT, str, Telemetry, Wakeup, Security | None], Service]


def main(
    role: Role,
    settings_type: type[SettingsT],
    build: Build[SettingsT],
    argv: Sequence[str] | None = None,
) -> int:
    """The entry of a process: `python -m <room> --config FILE --id NAME`; returns the exit code.

    `FILE` is YAML with a section named after the role; other sections are left to other roles.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {role}")
    parser.add_argument(
        "--config", type=Path, required=True, help="YAML file with a section per role"
    )
    parser.add_argument(
        "--id",
        default=role,
        help="this process's name, as cifar10 or receiver-1; receiver-*: that of any free key",
    )
    arguments = parser.parse_args(argv)
    log_json()

    def work() -> None:
        if not re.fullmatch(NAME_PATTERN, arguments.id.removesuffix("*")):
            raise ConfigurationError(f"--id {arguments.id!r}: must match {NAME_PATTERN}")
        section = section_of(read_yaml(arguments.config), role, where=str(arguments.config))
        settings = validate(settings_type, section, where=f"{arguments.config}: {role}")
        _run(role, _peer(role, arguments.id, settings), settings, build)

    return exit_code_of(work, logger)


def exit_code_of(work: Callable[[], None], log: logging.Logger) -> int:
    """Do a process's work; how it ended as an exit code, and in the log where it ended badly."""
    try:
        work()
    except SemcomError as error:
        log.error(str(error), extra={"fields": {"exit_code": error.exit_code}})
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        log.exception("internal error; please report it with this log")
        return SemcomError.exit_code
    return EXIT_OK


def _peer(role: Role, name: str, settings: ProcessSettings) -> str:
    """The process's name: as told, or that of a key of a pool."""
    if not is_pattern(name):
        return name
    if settings.security is None:
        raise ConfigurationError(f"--id {name}: only keys make a pool; set security, or one name")
    return claim(KeyFolder(settings.security.keys), role, name)


def _run(
    role: Role,
    peer: str,
    settings: SettingsT,
    build: Build[SettingsT],
) -> None:
    wakeup = Wakeup()
    stop = Stop(wakeup)
    telemetry = Telemetry(role, peer)
    security = open_security(settings.security, role, peer, telemetry)
    service = build(settings, peer, telemetry, wakeup, security)
    health = HealthServer(
        settings.metrics_host,
        settings.metrics_port,
        telemetry=telemetry,
        ready=lambda: service.ready,
    )
    event(
        logger,
        "started",
        role=role,
        peer=peer,
        metrics_port=health.port,
        encrypted=security is not None,
    )
    gc.collect()
    gc.freeze()  # what is loaded by now lives as long as the process
    gc.set_threshold(GARBAGE_EVERY)
    try:
        serve(service, wakeup, lambda: stop.asked or _orphaned(settings))
    finally:
        service.close()
        health.close()
        sockets.shutdown()
        wakeup.close()
        event(logger, "stopped", role=role, peer=peer)
