"""The processes of a run on this machine, or the doors where those of other machines dial in."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.launcher import Launcher
from orchestrator.scenarios import SystemSettings
from orchestrator.settings import Folders
from semcom import sockets
from semcom.errors import ConfigurationError
from semcom.health import HealthServer, Pages
from semcom.security import open_security
from semcom.service import Service, serve
from semcom.sockets import Endpoint
from semcom.telemetry import Telemetry
from semcom.wakeup import Wakeup


@dataclass
class System:
    """The orchestrator's control socket, and the launcher where processes are started here."""

    settings: SystemSettings
    control: Endpoint
    launcher: Launcher | None
    telemetry: Telemetry
    wakeup: Wakeup
    page_port: int = 0
    _asked: Sequence[int] = ()  # the signals that asked for the end

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
            with _interruptions(self.wakeup) as asked:
                self._asked = asked
                serve(service, self.wakeup, lambda: bool(asked))

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that the signal ended: 130, or 143 for SIGTERM."""
        return 128 + (self._asked[0] if self._asked else signal.SIGINT)

    def _start(self, launcher: Launcher, transmitters: Sequence[str]) -> None:
        """Every shard's channel and receivers, then the transmitters, to each shard in turn."""
        shards = self.settings.shards
        for shard in range(shards):
            launcher.start("channel", f"channel-{shard + 1}" if shard else "channel", shard=shard)
        for index, receiver in enumerate(self.settings.receiver_names):
            launcher.start("receiver", receiver, shard=index // self.settings.receivers)
        for index, link in enumerate(transmitters):
            launcher.start("transmitter", link, shard=index % shards)


def check_places(settings: SystemSettings, *, launch: bool) -> None:
    """Whether processes that are started elsewhere can find this one.

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
    settings: SystemSettings, folder: Path, folders: Folders, *, launch: bool
) -> Iterator[System]:
    """Bind the control socket; at the end, stop what was started here.

    Raises:
        ConfigurationError: processes of other machines could not know where to dial.
        PortInUseError: the port is taken.
    """
    check_places(settings, launch=launch)
    free = iter(sockets.free_ports(3 * settings.shards))
    shards = [_addresses(settings, free) for _ in range(settings.shards)]
    addresses = shards[0]
    telemetry = Telemetry("orchestrator", "orchestrator")
    telemetry.follow("semcom_disk_free_bytes", lambda: float(shutil.disk_usage(folder).free))
    security = open_security(settings.security, "orchestrator", "orchestrator", telemetry)
    with ExitStack() as stack:
        control = Endpoint.bind(addresses["control"], name="control", security=security)
        stack.callback(control.close)
        telemetry.follow("semcom_connections_hung_up", lambda: control.connections.hung_up)
        launcher: Launcher | None = None
        if launch:
            for shard in shards:
                shard["control"] = addresses["control"]
            launcher = Launcher(folder, [_sections(settings, shard, folders) for shard in shards])
            stack.callback(launcher.stop)
        wakeup = Wakeup()
        stack.callback(wakeup.close)
        yield System(settings, control, launcher, telemetry, wakeup)


def _addresses(settings: SystemSettings, free: Iterator[int]) -> dict[str, str]:
    ports = settings.ports
    wanted = {"control": ports.control, "uplink": ports.uplink, "downlink": ports.downlink}
    chosen = {name: port or next(free) for name, port in wanted.items()}
    return {name: f"tcp://{ports.host}:{port}" for name, port in chosen.items()}


def _sections(
    settings: SystemSettings, addresses: dict[str, str], folders: Folders
) -> dict[str, dict[str, Any]]:
    """The process file: one section per role."""
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
        },
        "channel": {
            **common,
            "uplink": addresses["uplink"],
            "downlink": addresses["downlink"],
            "noise_engine": settings.noise_engine,
        },
        "receiver": {
            **common,
            "downlink": addresses["downlink"],
            "codec_dir": folders.codecs,
            "mode": settings.decoding,
            "device": settings.device,
            "threads": settings.threads.receiver,
            "log_frames": settings.log_frames,
        },
    }


@contextmanager
def _interruptions(wakeup: Wakeup) -> Iterator[Sequence[int]]:
    """SIGINT and SIGTERM ask for the end instead of raising; a second one raises."""
    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        wakeup.set()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
