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
FINISHING = "finishing work in progress"
GARBAGE_EVERY = 20_000  # objects; a message leaves no cycles behind
logger = logging.getLogger("semcom.service")

# Limits in messages and time for one endpoint before the others are served.
BURST, BURST_S = 64, 0.05


class Service(Protocol):
    """The work of a process, called by the loop."""

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
        """Do time-dependent work; return the seconds until the next call is needed."""
        ...

    def drain(self) -> None:
        """Accept no new work; set `done` once the work in progress is finished."""
        ...

    def close(self) -> None:
        """Close sockets and threads."""
        ...


def serve(service: Service, wakeup: Wakeup, stopped: Callable[[], bool]) -> None:
    """Run a service until it is done; after a stop request, for at most `DRAIN_S`."""
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
    """Return whether the parent process, which this one must not outlive, has ended."""
    return settings.parent_pid is not None and os.getppid() != settings.parent_pid


def new_instance() -> str:
    """Return a random name for this instance of a process; a restart gets a new one."""
    return secrets.token_hex(8)


SettingsT = TypeVar("SettingsT", bound=ProcessSettings)
Build = Callable[[SettingsT, str, Telemetry, Wakeup, Security | None], Service]


def main(
    role: Role,
    settings_type: type[SettingsT],
    load: Callable[[], Build[SettingsT]],
    argv: Sequence[str] | None = None,
) -> int:
    """Run `python -m <room> --config FILE --id NAME` and return the exit code.

    `FILE` is YAML with a section named after the role; other sections belong to other roles.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {role}")
    parser.add_argument(
        "--config", type=Path, required=True, help="YAML file with a section per role"
    )
    parser.add_argument(
        "--id",
        default=role,
        help="this process's name, such as cifar10 or receiver-1; receiver-*: that of any free key",
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
    """Run a process; return its exit code, and log why it failed."""
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
    """Return the process's name: as given, or that of a key of a pool."""
    if not is_pattern(name):
        return name
    if settings.security is None:
        raise ConfigurationError(
            f"--id {name}: a pool needs keys; set security, or give a single name"
        )
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
    gc.freeze()  # objects loaded so far live as long as the process
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
