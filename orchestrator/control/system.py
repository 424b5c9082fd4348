"""The processes of a run, here or on a cluster, or the addresses to which external ones connect."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.control.launcher import Launcher
from orchestrator.control.local_processes import LocalProcesses, ProcessStarter
from orchestrator.control.process_sections import ChannelPlace, host_to_dial, process_sections
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


class ProcessCluster(Protocol):
    """An engine that places processes on the nodes of its cluster."""

    @property
    def settings(self) -> SystemSettings:
        """Return the settings with this host's address and keys, as the cluster requires."""

    def starter(self, control: str, folders: Folders) -> ProcessStarter:
        """Return a starter of processes that connect to the orchestrator at `control`."""


@dataclass
class ProcessSystem:
    """The orchestrator's control socket, and the launcher if processes are started here."""

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
            service: the orchestrator's service.
            transmitters: links for which to start transmitters.
            pages: pages to serve over HTTP besides `/metrics`.
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
        """Start every shard's channel and receivers, then the transmitters.

        Links are distributed over the shards in turn; links that meet share a shard.
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
    """Return whether processes that are started elsewhere can reach this one.

    Raises:
        ConfigurationError: they could not know where to connect.
    """
    if not launch and settings.shards > 1:
        raise ConfigurationError("shards need processes that this command starts")
    if not launch and not settings.ports.control:
        raise ConfigurationError(
            "processes that are started elsewhere need fixed addresses: set ports.control"
        )


@contextmanager
def open_system(
    settings: SystemSettings,
    folder: Path,
    folders: Folders,
    *,
    launch: bool | ProcessCluster,
    stop: StopRequest,
    answers: Path | None = None,
) -> Iterator[ProcessSystem]:
    """Bind the control socket; at the end, stop the processes that were started.

    `answers` is the folder in which transmitters that are started here keep their answers.

    Raises:
        ConfigurationError: processes on other machines could not know where to connect.
        PortInUseError: the port is taken.
    """
    check_places(settings, launch=bool(launch))
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
            starter = (
                _start_here(
                    settings,
                    folder,
                    folders,
                    control=control.address,
                    ports=ports,
                    answers=answers,
                )
                if launch is True
                else launch.starter(control.address, folders)
            )
            launcher = Launcher(folder, starter)
            stack.callback(launcher.stop)
        wakeup = Wakeup()
        stack.callback(wakeup.close)
        stop.wake = wakeup.set
        yield ProcessSystem(settings, control, launcher, telemetry, wakeup, stop)


def _start_here(
    settings: SystemSettings,
    folder: Path,
    folders: Folders,
    *,
    control: str,
    ports: list[int],
    answers: Path | None,
) -> LocalProcesses:
    """Return a starter of processes on this machine; the channel listens as the scenario says."""
    host = host_to_dial(control)
    dialled = f"tcp://{host}:{control.rpartition(':')[2]}"
    places = [
        ChannelPlace(
            settings.ports.host,
            host,
            settings.ports.uplink or ports.pop(),
            settings.ports.downlink or ports.pop(),
        )
        for _ in range(settings.shards)
    ]
    return LocalProcesses(
        folder,
        [process_sections(settings, dialled, place, folders, answers=answers) for place in places],
    )
