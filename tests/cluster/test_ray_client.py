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

from orchestrator.datasets.prepare import prepare
from orchestrator.results.verify import verify_run
from tests.cluster.ray_nodes import driver
from tests.integration.harness import command, eventually, write_scenario
from tests.orchestrator.training.harness import WIDTH, setting_words

pytest.importorskip("ray", reason="ray is not installed: make test-cluster")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def ray(*words: str) -> None:
    """Run the `ray` command."""
    environment = {
        **os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "200"
    }  # fmt: skip
    program = "from ray.scripts.scripts import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *words],
        env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def addresses() -> Iterator[tuple[str, str]]:
    """A cluster that asks for a token, as Ray does unless told otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # `semcom` is known on every node.
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        yield from started()


def started() -> Iterator[tuple[str, str]]:
    """Addresses of the client server and of the dashboard."""
    client, gcs, dashboard = free_port(), free_port(), free_port()
    ray(
        "start", "--head", "--num-cpus=2", "--node-ip-address=127.0.0.2", f"--port={gcs}",
        f"--ray-client-server-port={client}", f"--dashboard-port={dashboard}",
        "--include-dashboard=true", "--dashboard-host=127.0.0.2",
    )  # fmt: skip
    try:
        yield f"ray://127.0.0.2:{client}", f"http://127.0.0.2:{dashboard}"
    finally:
        ray("stop", "--force")


@pytest.mark.parametrize("name", ["evaluate", "sweep"])
def test_a_driver_outside_of_the_cluster_gets_the_digest_of_one_process(
    name: str, addresses: tuple[str, str], workplace: Path, tmp_path: Path
) -> None:
    address, _ = addresses
    scenario = write_scenario(tmp_path / "s.yaml", images=50)
    code, printed = command("evaluate", scenario, "--out", tmp_path / "whole", cwd=workplace)
    assert code == 0, printed
    with driver(scenario, tmp_path / "run", address, workplace, command=name) as process:
        printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    wanted = verify_run(tmp_path / "whole").results_digest
    assert verify_run(tmp_path / "run").results_digest == wanted


def test_a_training_is_a_job_of_the_cluster_and_goes_on_after_it_was_cancelled(
    addresses: tuple[str, str], workplace: Path, tmp_path: Path
) -> None:
    client, dashboard = addresses
    data = tmp_path / "data"
    prepare("shapes10", root=data / "shapes10", source=None, train_images=256, test_images=50)

    def jobs(*words: str, address: str = dashboard) -> tuple[int, str]:
        code, printed = command("jobs", *words, "--on", address, cwd=tmp_path)
        return code, printed.strip()

    def submit(address: str) -> str:
        small = [f"architecture.encoder.width={WIDTH}"]
        epochs = ["threads=1", "images=224", "stages.jscc.batch=32", "stages.jscc.epochs=30"]
        words = ["shapes10", "--preset", "smoke", "--system", "jscc-student", "--until", "jscc"]
        code, printed = jobs("submit", *words, *setting_words(*small, *epochs), address=address)
        assert code == 0, printed
        return printed.splitlines()[-1]

    first = submit(client)
    saved = tmp_path / "training" / "artefacts"
    eventually(lambda: bool(list(saved.glob("*/*/resume.pt"))), "a save", 90.0)
    code, printed = jobs("cancel", first)
    assert (code, printed) == (0, f"job {first} was asked to save and end")
    code, printed = jobs("watch", first)
    assert (code, "stopped" in printed) == (143, True), printed
    assert not list(tmp_path.glob("training/artefacts/*/*/weights.safetensors"))

    second = submit(dashboard)
    code, printed = jobs("watch", second)
    assert code == 0, printed
    assert list(tmp_path.glob("training/artefacts/*/*/weights.safetensors"))
    code, printed = jobs("logs", second)
    assert "jscc" in printed
    code, printed = jobs("list")
    states = {
        line.split()[0]: line.split()[-1] for line in printed.splitlines() if first[:9] in line
    }
    assert (states[first], states[second]) == ("stopped", "succeeded"), printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["list", "--on", "ray"], "that cluster ends with the command"),
        (["list", "--on", "127.0.0.1:9"], "no cluster accepts jobs"),
        (["submit", "shapes10", "--on", "auto", "--priority", "1"], "has its own queue"),
        (["submit", "shapes10", "--gpus", "1"], "--gpus has an effect only with --on"),
    ],
)
def test_what_no_cluster_can_do_is_one_line(words: list[str], says: str, workplace: Path) -> None:
    code, printed = command("jobs", *words, cwd=workplace)
    assert code == 2, printed
    assert says in printed.splitlines()[-1]
