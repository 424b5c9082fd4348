"""`semcom sweep --on ray`: a cluster for a sweep's processes, and their keys."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import ray

from orchestrator.control.key_sets import hand_out, make_keys
from orchestrator.control.local_processes import LaunchedRole, ProcessStarter
from orchestrator.on_ray.connection import connection
from orchestrator.on_ray.placed_processes import PlacedProcesses
from orchestrator.on_ray.process_actor import Files
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario
from semcom.settings import SecuritySettings
from semcom.speakers import Speaker

LOOPBACK = "127."
ANY_ADDRESS = ("*", "0.0.0.0")


@dataclass(frozen=True)
class SweepCluster:
    """A connected cluster; `ProcessCluster`."""

    settings: Scenario
    placed: list[PlacedProcesses] = field(default_factory=list)

    def starter(self, control: str, folders: Folders) -> ProcessStarter:
        """Return a starter of processes that connect to the orchestrator at `control`."""
        host, _, port = control.removeprefix("tcp://").rpartition(":")
        if host in ANY_ADDRESS:
            host = address_to_nodes()
        placed = PlacedProcesses(self.settings, f"tcp://{host}:{port}", folders, keys=self._keys_of)
        self.placed.append(placed)
        return placed

    def close(self) -> None:
        """End all processes."""
        for each in self.placed:
            each.close()

    def _keys_of(self, role: LaunchedRole, peer: str) -> Files:
        """Return the key files that a process needs: its own secret, and the public ones."""
        if self.settings.security is None:
            return {}
        with TemporaryDirectory(prefix="semcom-keys-") as name:
            folder = Path(name)
            hand_out(self.settings.security.keys, folder, [Speaker(role, peer)])
            files = (path for path in folder.rglob("*.yaml") if path.is_file())
            return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@contextmanager
def sweep_cluster(address: str, scenario: Scenario) -> Iterator[SweepCluster]:
    """Connect to the cluster at an address, see `connection`; processes end with the block.

    Processes of a scenario without keys get new ones. Sweeps with several shards have no keys.

    Raises:
        ConfigurationError: there is no cluster.
        StorageError: keys cannot be written here.
    """
    with connection(address), TemporaryDirectory(prefix="semcom-keys-") as folder:
        changes: dict[str, object] = {}
        if scenario.ports.host.startswith(LOOPBACK) or scenario.ports.host == "localhost":
            ports = scenario.ports.model_copy(update={"host": address_to_nodes()})
            changes["ports"] = ports
        if scenario.security is None and scenario.shards == 1:
            keys = Path(folder) / "keys"
            peers = [Speaker("transmitter", link) for link in scenario.links]
            peers += [Speaker("receiver", name) for name in scenario.receiver_names]
            make_keys(keys, peers)
            changes["security"] = SecuritySettings(keys=keys)
        cluster = SweepCluster(scenario.model_copy(update=changes))
        with closing(cluster):
            yield cluster


def address_to_nodes() -> str:
    """Return the address at which the cluster's nodes reach this host."""
    nodes = [str(node["NodeManagerAddress"]) for node in ray.nodes() if node["Alive"]]
    elsewhere = [node for node in nodes if not node.startswith(LOOPBACK)]
    if not elsewhere:
        return "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:  # nothing is sent
        route.connect((elsewhere[0], 9))
        return str(route.getsockname()[0])
