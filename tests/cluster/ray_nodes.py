"""Ray clusters of several nodes on this machine, and drivers that use them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.results.run_folder import open_ledger
from semcom.errors import SemcomError
from tests.integration.harness import eventually


@contextmanager
def cluster_of(nodes: int, *, head_cpus: int = 1) -> Iterator[Any]:
    """A Ray cluster on this machine, each node with one processor and an address of its own."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - not installed everywhere

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": head_cpus, "include_dashboard": False, "node_ip_address": "127.0.0.2"}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for number in range(nodes - 1):
            add_node(cluster, number)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any, number: int = 0) -> Any:
    """Add a node with one processor, its address that of its number."""
    return cluster.add_node(num_cpus=1, node_ip_address=f"127.0.0.{3 + number}")


@contextmanager
def driver(
    scenario: Path, folder: Path, address: str, cwd: Path, *, command: str = "evaluate"
) -> Iterator[subprocess.Popen[str]]:
    """A command with `--on` as a process; it is gone with the block."""
    words = [command, str(scenario), "--on", address, "--out", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "orchestrator", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def recorded(folder: Path) -> int:
    """How many answers the ledger holds by now."""
    try:
        with open_ledger(folder) as ledger:
            return sum(map(len, ledger.recorded_frames().values()))
    except SemcomError:
        return 0


def begun(folder: Path, process: subprocess.Popen[str]) -> int:
    """Wait for the first answers; returns how many there are."""
    eventually(
        lambda: recorded(folder) > 0 or process.poll() is not None, "the first answers", 120.0
    )
    assert process.poll() is None, process.communicate()[0]
    return recorded(folder)
