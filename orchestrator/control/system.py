"""The processes of a run on this machine, or the doors where those of other machines dial in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.control.launcher import Launcher
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import SystemSettings
from semcom import sockets
from semcom.errors import ConfigurationError
from semcom.health import HealthServer, Pages
from semcom.security import open_security
from semcom.service import Service, serve
from semcom.sockets import Endpoint
from semcom.stop_signals import StopRequest
from semcom.telemetry import Telemetry
from semcom.wakeup import Wakeup


@dataclass
class ProcessSystem:
    """The orchestrator's control socket, and the launcher where processes are started here."""

    settings: SystemSettings
    control: Endpoint
    launcher: Launcher | None
    telemetry: Telemetry
    wakeup: Wakeup
    stop: StopRequest
    page_port: int = 0

    def run(
        self,
        service: Service,
        transmitters: Sequence[str],
        *,
        pages: Pages | None = None,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the processes and serve them until the service is done or interrupted.

        Args:
            service: what the orchestrator does.
            transmitters: links to start transmitters for.
            pages: what is served over HTTP beside `/metrics`.
            opened: called once the processes run and the pages are served, at `page_port`.

        Raises:
            PortInUseError: the port of the pages is taken.
        """
        ports = self.settings.ports
        with ExitStack() as stack:
            health = HealthServer(
                ports.metrics_host,
                ports.metrics,
                telemetry=self.telemetry,
                ready=lambda: service.ready,
                pages=pages,
                hosts=ports.metrics_hosts,
            )
            stack.callback(health.close)
            self.page_port = health.port
            if self.launcher is not None:
                self._start(self.launcher, transmitters)
            opened()
            serve(service, self.wakeup, lambda: self.stop.asked)

    def _start(self, launcher: Launcher, transmitters: Sequence[str]) -> None:
        """Every shard's channel and receivers, then the transmitters.

        Links go to the shards in turn, those whose frames meet to one.
        """
        shards = self.settings.shards
        for shard in range(shards):
            launcher.start("channel", f"channel-{shard + 1}" if shard else "channel", shard=shard)
        for index, receiver in enumerate(self.settings.receiver_names):
            launcher.start("receiver", receiver, shard=index // self.settings.receivers)
        together = self.settings.links_together
        shard_of = {link: at % shards for at, links in enumerate(together) for link in links}
        for index, link in enumerate(transmitters):
            launcher.start("transmitter", link, shard=shard_of.get(link, index % shards))


def check_places(settings: SystemSettings, *, launch: bool) -> None:
    """Return whether processes that are started elsewhere can find this one.

    Raises:
        ConfigurationError: they could not know where to dial.
    """
    if not launch and settings.shards > 1:
        raise ConfigurationError("shards are for processes that are started here")
    if not launch and not settings.ports.control:
        raise ConfigurationError(
            "processes that are started elsewhere must know where to dial: set ports.control"
        )


@contextmanager
def open_system(
    settings: SystemSettings,
    folder: Path,
    folders: Folders,
    *,
    launch: bool,
    stop: StopRequest,
    answers: Path | None = None,
) -> Iterator[ProcessSystem]:
    """Bind the control socket; at the end, stop what was started here.

    `answers` is where transmitters that are started here keep their answers.

    Raises:
        ConfigurationError: processes of other machines could not know where to dial.
        PortInUseError: the port is taken.
    """
    check_places(settings, launch=launch)
    ports = sockets.free_ports(3 * settings.shards)
    wanted = settings.ports.control or ports.pop()
    telemetry = Telemetry("orchestrator", "orchestrator")
    telemetry.follow("semcom_disk_free_bytes", lambda: float(shutil.disk_usage(folder).free))
    security = open_security(settings.security, "orchestrator", "orchestrator", telemetry)
    with ExitStack() as stack:
        address = f"tcp://{settings.ports.host}:{wanted}"
        control = Endpoint.bind(address, name="control", security=security)
        stack.callback(control.close)
        telemetry.follow("semcom_connections_hung_up", lambda: control.connections.hung_up)
        launcher: Launcher | None = None
        if launch:
            dialled = [
                ShardPlaces(host_to_dial(control.address), wanted, *_channel_ports(settings, ports))
                for _ in range(settings.shards)
            ]
            sections = [_sections(settings, each, folders, answers) for each in dialled]
            launcher = Launcher(folder, sections)
            stack.callback(launcher.stop)
        wakeup = Wakeup()
        stack.callback(wakeup.close)
        stop.wake = wakeup.set
        yield ProcessSystem(settings, control, launcher, telemetry, wakeup, stop)


class ShardPlaces(NamedTuple):
    """Addresses at which the processes of a shard that are started here find each other."""

    host: str
    control: int
    uplink: int
    downlink: int


def host_to_dial(bound: str) -> str:
    """The host by which processes of this one dial the address that a socket is bound to."""
    host = bound.removeprefix("tcp://").rpartition(":")[0]
    return "127.0.0.1" if host in ("*", "0.0.0.0") else host


def _channel_ports(settings: SystemSettings, free: list[int]) -> tuple[int, int]:
    return settings.ports.uplink or free.pop(), settings.ports.downlink or free.pop()


def _sections(
    settings: SystemSettings, dialled: ShardPlaces, folders: Folders, answers: Path | None
) -> dict[str, dict[str, Any]]:
    """The process file: one section per role. The channel listens where the scenario says."""
    ports = {name: getattr(dialled, name) for name in ("control", "uplink", "downlink")}
    addresses = {name: f"tcp://{dialled.host}:{port}" for name, port in ports.items()}
    bound = {name: f"tcp://{settings.ports.host}:{port}" for name, port in ports.items()}
    common: dict[str, Any] = {"control": addresses["control"]}
    if settings.security is not None:
        common["security"] = {"keys": settings.security.keys.absolute()}
    return {
        "transmitter": {
            **common,
            "uplink": addresses["uplink"],
            "data_dir": folders.data,
            "codec_dir": folders.codecs,
            "threads": settings.threads.transmitter,
            "engine": settings.engine,
            "log_frames": settings.log_frames,
            **({} if answers is None else {"answers_dir": answers.absolute()}),
        },
        "channel": {
            **common,
            "uplink": bound["uplink"],
            "downlink": bound["downlink"],
            "noise_engine": settings.noise_engine,
        },
        "receiver": {
            **common,
            "downlink": addresses["downlink"],
            "codec_dir": folders.codecs,
            "mode": settings.decoding,
            "device": settings.device,
            "engine": settings.receiver_engine,
            "threads": settings.threads.receiver,
            "log_frames": settings.log_frames,
        },
    }
