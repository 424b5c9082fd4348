"""The run loop of every process: poll, handle, tick; signals, health, exit codes."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from semcom import sockets
from semcom.entry import run_process
from semcom.errors import EXIT_OK, ConfigurationError, SemcomError
from semcom.health import HealthServer
from semcom.key_pool import claim, is_pattern
from semcom.keys import KeyFolder
from semcom.messages import Role
from semcom.names import check_name
from semcom.security import Security, open_security
from semcom.settings import ProcessSettings, read_yaml, section_of, validate
from semcom.sockets import Endpoint, Poller, Received
from semcom.stop_signals import stop_requests
from semcom.telemetry import Telemetry, event, log_json, say_as_json
from semcom.waits import ConnectionWatch
from semcom.wakeup import Wakeup

HEARTBEAT_S = 1.0
DRAIN_S = 5.0
FINISHING = "finishing what is on its way"
GARBAGE_EVERY = 20_000  # objects; a message leaves no cycles behind
logger = logging.getLogger("semcom.service")

# How many messages, and for how long, one endpoint may deliver before the others are looked at.
BURST, BURST_S = 64, 0.05


class Service(Protocol):
    """The work of a process; the loop decides when."""

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The sockets to poll."""
        ...

    @property
    def ready(self) -> bool:
        """Return whether the process can do its work."""
        ...

    @property
    def done(self) -> bool:
        """Return whether the process has nothing left to do and may end."""
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


def serve(service: Service, wakeup: Wakeup, stopped: Callable[[], bool]) -> None:
    """Run a service until it is done; once `stopped` says so, it has `DRAIN_S` left."""
    poller = Poller(service.endpoints, wakeup)
    connections = ConnectionWatch(endpoint.contact for endpoint in service.endpoints)
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
            begun_s = time.monotonic()
            for _ in range(BURST):
                received = endpoint.receive()
                if received is None:
                    break
                service.handle(endpoint, received)
                if time.monotonic() - begun_s > BURST_S:
                    break
        connections.tick(time.monotonic())


def _orphaned(settings: ProcessSettings) -> bool:
    """Return whether the process that started this one, and must not be outlived, is gone."""
    return settings.parent_pid is not None and os.getppid() != settings.parent_pid


def new_instance() -> str:
    """A name for this life of a process: a restart is a new one."""
    return secrets.token_hex(8)


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)
Build = Callable[[SettingsT, str, Telemetry, Wakeup, Security | None], Service]


def main(
    role: Role,
    settings_type: type[SettingsT],
    load: Callable[[], Build[SettingsT]],
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
        check_name(arguments.id.removesuffix("*"), what="--id")
        section = section_of(read_yaml(arguments.config), role, where=str(arguments.config))
        settings = validate(settings_type, section, where=f"{arguments.config}: {role}")
        _run(role, _peer(role, arguments.id, settings), settings, load())

    return run_process(lambda: exit_code_of(work, logger), say=say_as_json)


def exit_code_of(work: Callable[[], None], log: logging.Logger) -> int:
    """Do a process's work; how it ended as an exit code, and in the log where it ended badly."""
    try:
        work()
    except SemcomError as error:
        log.error(str(error), extra={"fields": {"exit_code": error.exit_code}})
        return error.exit_code
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
    telemetry = Telemetry(role, peer)
    security = open_security(settings.security, role, peer, telemetry)
    wakeup = Wakeup()
    service = build(settings, peer, telemetry, wakeup, security)
    health = HealthServer(
        settings.metrics_host,
        settings.metrics_port,
        telemetry=telemetry,
        ready=lambda: service.ready,
        hosts=settings.metrics_hosts,
    )
    telemetry.follow(
        "semcom_connections_hung_up",
        lambda: sum(endpoint.connections.hung_up for endpoint in service.endpoints),
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
        with stop_requests(FINISHING, wake=wakeup.set, say=say_as_json) as stop:
            serve(service, wakeup, lambda: stop.asked or _orphaned(settings))
    finally:
        service.close()
        health.close()
        sockets.shutdown()
        wakeup.close()
        event(logger, "stopped", role=role, peer=peer)
