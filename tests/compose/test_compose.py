"""The composed stack as a newcomer starts it: healthy, exact, confined, healing, watched."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.compose.conftest import SCENARIO
from tests.compose.stack import LINKS, PROCESSES, REPO, Stack, docker, eventually

pytestmark = [pytest.mark.compose, pytest.mark.timeout(7200)]

ROOMS = {
    "transmitter": {"semcom", "transmitters"},
    "channel": {"semcom", "channel_sim"},
    "receiver": {"semcom", "receiver"},
    "orchestrator": {"semcom", "orchestrator", "codecs", "scenarios"},
}
WITH_TORCH = {"transmitter", "receiver"}
# Others may: a slow machine has slow round trips.
MUST_NOT_FIRE = {"ProcessDown", "NoReceiver", "AccountingGap", "PeersRefused", "CodecRefused"}
PEERS = "import os; print(*sorted(os.listdir('/keys/secret')))"


@pytest.fixture(scope="session")
def host_digest(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The results digest of the same sweep by processes of this machine."""
    del stack  # a machine without an engine has nothing to compare
    folder = tmp_path_factory.mktemp("host")
    sweep = [sys.executable, "-m", "orchestrator", "sweep", str(SCENARIO)]
    done = subprocess.run(
        [*sweep, "--codecs", str(REPO / "codecs")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode == 0, done.stdout
    manifest = json.loads((folder / "runs" / "compared" / "manifest.json").read_text())
    return str(manifest["results_digest"])


def digest_in(printed: str) -> str:
    """The results digest that a sweep has told."""
    (digest,) = re.findall(r"results digest ([0-9a-f]{64})", " ".join(printed.split()))
    return str(digest)


def status(stack: Stack) -> dict[str, Any]:
    """What the live system tells of itself."""
    found: dict[str, Any] = json.loads(stack.inside("orchestrator", "semcom", "status", "--json"))
    return found


def firing(stack: Stack) -> set[str]:
    """Alerts that fire."""
    alerts = stack.query("alerts")["alerts"]
    return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"}


def test_every_process_becomes_healthy_and_sizes_are_told(stack: Stack, capsys) -> None:
    stack.wait_healthy((*PROCESSES, "prometheus"))
    sizes = docker(
        "images", "--filter=reference=rkd-sc/*", "--format=table {{.Repository}}\t{{.Size}}"
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{sizes}")


@pytest.mark.parametrize("role", sorted(ROOMS))
def test_image_holds_only_its_room(stack: Stack, role: str) -> None:
    code = (
        "import os, importlib.util as u; print(*os.listdir('/opt/semcom'));"
        "print(*[n for n in ('torch', 'timm', 'torchvision', 'typer', 'pip') if u.find_spec(n)])"
    )
    image = f"rkd-sc/{role}"
    rooms, modules = docker(
        "run", "--rm", "--network=none", "--entrypoint=python", image, "-c", code
    ).splitlines()
    assert set(rooms.split()) == ROOMS[role]
    wanted = {"torch"} if role in WITH_TORCH else {"typer"} if role == "orchestrator" else set()
    # pip of the base image lies outside of the environment that processes run in.
    assert set(modules.split()) == wanted


@pytest.mark.parametrize("service", PROCESSES)
def test_container_may_do_nothing_but_its_work(stack: Stack, service: str) -> None:
    (container,) = stack.containers(service)
    host = container["HostConfig"]
    assert container["Config"]["User"] not in {"", "0", "root"}
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] > 0
    assert not host["Privileged"]


def test_secrets_lie_only_where_they_belong(stack: Stack) -> None:
    receivers = {f"receiver-{number}.yaml" for number in range(1, 9)}
    wanted = {"orchestrator": {"orchestrator.yaml"}, "channel": {"channel.yaml"}}
    wanted |= {f"transmitter-{link}": {f"{link}.yaml"} for link in LINKS}
    for service, names in (wanted | {"receiver": receivers}).items():
        assert set(stack.inside(service, "python", "-c", PEERS).split()) == names


def test_prometheus_sees_every_process_and_no_alert(stack: Stack) -> None:
    def all_up() -> bool:
        active = stack.query("targets?state=active")["activeTargets"]
        # The supervisor of training jobs runs on hosts that train.
        targets = [target for target in active if target["scrapePool"] != "jobs"]
        return len(targets) >= len(PROCESSES) and all(t["health"] == "up" for t in targets)

    eventually(all_up, "all targets are up")
    rules = [r for group in stack.query("rules")["groups"] for r in group["rules"]]
    assert {r["name"] for r in rules if r["type"] == "alerting"} >= MUST_NOT_FIRE
    eventually(lambda: not firing(stack) & MUST_NOT_FIRE, "no alert of these fires")


def test_sweep_has_the_digest_of_the_host(stack: Stack, host_digest: str) -> None:
    done = stack.run("run", "--rm", "--no-deps", "sweep", timeout_s=3600)
    assert digest_in(done.stdout) == host_digest


def test_killed_containers_heal_in_the_middle_of_a_sweep(stack: Stack, host_digest: str) -> None:
    former = (status(stack)["sweep"] or {}).get("folder")

    def under_way() -> bool:
        assert sweep.poll() is None, "the sweep ended before anything was killed"
        now = status(stack)["sweep"] or {"folder": former}
        return now["folder"] != former and now["recorded"] > 0

    with stack.start("run", "--rm", "--no-deps", "sweep") as sweep:
        eventually(under_way, "frames are recorded")
        stack.kill("channel", "receiver", "transmitter-cifar100")
        printed, _ = sweep.communicate(timeout=3600)
    assert sweep.returncode == 0, printed
    assert digest_in(printed) == host_digest
    stack.wait_healthy()


@pytest.mark.parametrize(
    "service", ["orchestrator", "transmitter-cifar10", "transmitter-tiny-imagenet", "prometheus"]
)
def test_killed_container_heals_by_itself(stack: Stack, service: str) -> None:
    stack.kill(service)
    stack.wait_healthy((*PROCESSES, "prometheus"))
    eventually(
        lambda: all(link["recorded"] for link in status(stack)["links"]), "every link streams"
    )


def test_sweep_that_cannot_run_ends_with_its_exit_code(stack: Stack) -> None:
    done = stack.run("run", "--rm", "--no-deps", "sweep", "/etc/semcom/none.yaml", check=False)
    assert done.returncode == 2
    assert "no such file" in done.stdout


def test_stopped_container_raises_an_alert_that_ends_with_it(stack: Stack) -> None:
    stack.run("stop", "channel")
    eventually(lambda: "ProcessDown" in firing(stack), "ProcessDown fires")
    stack.run("start", "channel")
    eventually(lambda: "ProcessDown" not in firing(stack), "ProcessDown has ended")
    stack.wait_healthy()


def test_three_receivers_hold_three_keys_and_are_scraped(stack: Stack) -> None:
    stack.up("--scale", "receiver=3")
    eventually(lambda: stack.healthy("receiver", 3), "three receivers are healthy")

    def peers() -> set[str]:
        found = stack.query("query?query=semcom_process_info{role=%22receiver%22}")["result"]
        return {each["metric"]["peer"] for each in found}

    eventually(lambda: len(peers()) == 3, "Prometheus sees three receivers")
