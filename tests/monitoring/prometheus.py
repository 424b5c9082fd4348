"""A real Prometheus with the shipped rules that scrapes a system on this machine."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from semcom.sockets import free_ports
from tests.integration.harness import DEADLINE_S, REPO, eventually
from tests.monitoring.jobs_exporter import exporting
from tests.monitoring.programs import found
from tests.monitoring.system import LINKS, System, of_another_task

FOLDER = REPO / "docker" / "prometheus"


class Prometheus:
    """One that runs; knows how to ask it."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def ready(self) -> bool:
        """Whether it answers queries."""
        try:
            with urllib.request.urlopen(f"{self._address}/-/ready", timeout=DEADLINE_S):
                return True
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now; an expression that is wrong fails the test."""
        parameters = urllib.parse.urlencode({"query": expression})
        address = f"{self._address}/api/v1/query?{parameters}"
        try:
            with urllib.request.urlopen(address, timeout=DEADLINE_S) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{expression}: {error.read().decode()}") from error
        assert data["resultType"] == "vector", expression
        return list(data["result"])

    def wait_for_data(self, expression: str) -> None:
        """Wait until an expression gives a number; of a task that no link has it gives nothing."""
        if of_another_task(expression):
            assert self.query(expression) == []
            return

        def data() -> bool:
            return any(series["value"][1] != "NaN" for series in self.query(expression))

        eventually(data, f"data for {expression}")


def filled(expression: str) -> str:
    """A panel's query as Grafana asks it, for all links."""
    expression = expression.replace("$__rate_interval", "10s").replace("$link", "|".join(LINKS))
    assert "$" not in expression
    return expression


@contextmanager
def watching(system: System, folder: Path) -> Iterator[Prometheus]:
    """Prometheus on a system, and on a training job under way; skips where there is none."""
    program = found("prometheus")
    with exporting() as port:
        targets: dict[str, dict[str, int]] = {"jobs": {"jobs": port}}
        for peer, role in system.roles.items():
            targets.setdefault(role, {})[peer] = system.ports[peer]
        with running(program, folder, targets) as prometheus:
            yield prometheus


def configuration(targets: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """The shipped configuration, but with these targets: job -> instance -> port; and faster."""
    content = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    content["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    content["rule_files"] = [str(FOLDER / name) for name in content["rule_files"]]
    assert {job["job_name"] for job in content["scrape_configs"]} == set(targets)
    content["scrape_configs"] = [
        {
            "job_name": job,
            "static_configs": [
                {"targets": [f"127.0.0.1:{port}"], "labels": {"instance": instance}}
                for instance, port in instances.items()
            ],
        }
        for job, instances in targets.items()
    ]
    return content


@contextmanager
def running(
    program: str, folder: Path, targets: Mapping[str, Mapping[str, int]]
) -> Iterator[Prometheus]:
    """Start it and wait until it answers; end it afterwards."""
    (port,) = free_ports(1)
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(targets)))
    command = [
        program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(port)

        def there() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            return prometheus.ready()

        eventually(there, "Prometheus is ready")
        yield prometheus
    finally:
        process.terminate()
        process.wait(timeout=DEADLINE_S)
