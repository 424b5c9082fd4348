"""A cluster that `ray start` began, reached through its client server from outside: `ray://HOST`.

`make test-cluster` installs Ray and runs this.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.results.verify import verify_run
from tests.cluster.ray_nodes import driver
from tests.integration.harness import command, write_scenario

pytest.importorskip("ray", reason="ray is not installed: make test-cluster")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def ray(*words: str) -> None:
    """Run the `ray` command."""
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    program = "from ray.scripts.scripts import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *words],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster that asks for a token, as Ray does unless told otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield from started()


def started() -> Iterator[str]:
    client, gcs, dashboard = free_port(), free_port(), free_port()
    ray(
        "start", "--head", "--num-cpus=2", "--node-ip-address=127.0.0.2", f"--port={gcs}",
        f"--ray-client-server-port={client}", f"--dashboard-port={dashboard}",
    )  # fmt: skip
    try:
        yield f"ray://127.0.0.2:{client}"
    finally:
        ray("stop", "--force")


@pytest.mark.parametrize("name", ["evaluate", "sweep"])
def test_a_driver_outside_of_the_cluster_gets_the_digest_of_one_process(
    name: str, address: str, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", images=50)
    code, printed = command("evaluate", scenario, "--out", tmp_path / "whole", cwd=workplace)
    assert code == 0, printed
    with driver(scenario, tmp_path / "run", address, workplace, command=name) as process:
        printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    wanted = verify_run(tmp_path / "whole").results_digest
    assert verify_run(tmp_path / "run").results_digest == wanted
