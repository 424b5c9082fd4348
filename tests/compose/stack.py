"""The composed stack on a real Docker engine, driven through the same commands as by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).resolve().parents[2]
COMPOSE_FILE = REPO / "docker" / "compose.yaml"
PROJECT = "rkd-sc-test"  # not that of a stack which somebody uses
ONE_OFF = "com.docker.compose.oneoff"  # label of `docker compose run`
BUILD_S = 3600.0
DEADLINE_S = 600.0
LINKS = ("cifar10", "cifar100", "tiny-imagenet")
PROCESSES = ("orchestrator", "channel", "receiver", *(f"transmitter-{link}" for link in LINKS))
GRAFANA = yaml.safe_load(COMPOSE_FILE.read_text())["services"]["grafana"]["image"]


def eventually(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait until a condition holds; fail with its name after the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(0.5)


def why_not() -> str | None:
    """Why the stack cannot be started here; None if it can."""
    if shutil.which("docker") is None:
        return "no docker client in PATH"
    if not _compose_command():
        return "neither docker compose nor docker-compose is installed"
    done = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if done.returncode or "Cannot connect" in done.stdout + done.stderr:
        return "no Docker engine is reachable: start one, or set DOCKER_HOST"
    return None


def _compose_command() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            done = subprocess.run([*command, "version"], capture_output=True, check=False)
            if done.returncode == 0:
                return command
    return []


def docker(*arguments: str, check: bool = True, timeout_s: float = DEADLINE_S) -> str:
    """Run `docker ...`; its output."""
    done = subprocess.run(
        ["docker", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stdout}"
    return done.stdout


def can_be_had(image: str) -> bool:
    """Whether an image is here or can be pulled."""
    if subprocess.run(
        ["docker", "image", "inspect", image], capture_output=True, check=False
    ).returncode:
        pulled = subprocess.run(["docker", "pull", image], capture_output=True, check=False)
        return pulled.returncode == 0
    return True


@dataclass
class Stack:
    """The project under test."""

    environment: dict[str, str]
    prometheus: str = ""
    left_out: list[str] = field(default_factory=list)

    def command(self, *arguments: str) -> list[str]:
        """The words of `docker compose ...` for this project."""
        return [*_compose_command(), "-p", PROJECT, "-f", str(COMPOSE_FILE), *arguments]

    def run(
        self, *arguments: str, check: bool = True, timeout_s: float = DEADLINE_S
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose ...` to its end."""
        done = subprocess.run(
            self.command(*arguments),
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        assert not check or done.returncode == 0, f"compose {arguments}: {done.stdout[-4000:]}"
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `docker compose ...` and go on."""
        return subprocess.Popen(
            self.command(*arguments),
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, *options: str) -> None:
        """Start everything but what is left out."""
        wanted = [s for s in (*PROCESSES, "prometheus", "grafana") if s not in self.left_out]
        self.run("up", "-d", "--no-build", *options, *wanted, timeout_s=BUILD_S)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What `docker inspect` says of each container of a service."""
        labels = [f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}"]
        found = docker(
            "ps", "-a", "-q", *(word for label in labels for word in ("--filter", f"label={label}"))
        ).split()
        inspected: list[dict[str, Any]] = json.loads(docker("inspect", *found)) if found else []
        return [c for c in inspected if c["Config"]["Labels"][ONE_OFF] == "False"]

    def healthy(self, service: str, replicas: int = 1) -> bool:
        """Whether so many containers of a service run and are healthy."""
        states = [container["State"] for container in self.containers(service)]
        fit = [s for s in states if s["Running"] and s["Health"]["Status"] == "healthy"]
        return len(fit) == len(states) == replicas

    def wait_healthy(self, services: Sequence[str] = PROCESSES) -> None:
        """Wait until services are healthy."""
        for service in services:
            eventually(partial(self.healthy, service), f"{service} is healthy")

    def inside(self, service: str, *command: str) -> str:
        """Run a command in the container of a service."""
        return docker("exec", self.containers(service)[0]["Id"], *command)

    def kill(self, *services: str) -> None:
        """kill -9 of containers' processes at once, from outside: `docker kill` may do nothing.

        Returns once the engine has started the containers again.
        """
        before = {service: self.containers(service)[0] for service in services}
        pids = [container["State"]["Pid"] for container in before.values()]
        code = f"import os; [os.kill(pid, 9) for pid in {pids}]"
        docker(
            "run", "--rm", "--pid=host", "--user=0", "--entrypoint=python", "rkd-sc/channel",
            "-c", code,
        )  # fmt: skip

        def again(service: str) -> bool:
            (now,) = self.containers(service)
            return bool(
                now["State"]["Running"] and now["RestartCount"] > before[service]["RestartCount"]
            )

        for service in services:
            eventually(partial(again, service), f"{service} is started again")

    def query(self, path: str) -> Any:
        """The data of a page of Prometheus's API."""
        with urllib.request.urlopen(f"{self.prometheus}/api/v1/{path}", timeout=30) as page:
            answer = json.load(page)
        assert answer["status"] == "success", answer
        return answer["data"]
