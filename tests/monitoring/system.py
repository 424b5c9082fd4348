"""A system that runs while it is measured, and how its pages are read."""

from __future__ import annotations

import re
import signal
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import yaml
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from semcom.sockets import free_ports
from semcom.tasks.classification import Classification
from semcom.tasks.registry import our_tasks
from tests.integration.harness import (
    DEADLINE_S,
    Run,
    eventually,
    start,
    start_sweep,
    started,
    write_scenario,
)

LINKS = ("shapes10", "shapes100")
# Four points a seed, of which the first seed is done soon, and more seeds than anybody waits for.
ENDLESS: dict[str, object] = {
    "images": 20,
    "frame_images": 1,
    "snr_db": [0, 10],
    "seeds": list(range(2000)),
}
LIVE: dict[str, object] = {
    "name": "streaming",
    "mode": "live",
    "engine": "onnxruntime",
    "receiver_engine": "onnxruntime",
    "links": {
        link: {
            "dataset": link,
            "codec": link,
            "rate_hz": 5,
            "frame_images": 2,
            "course": {"kind": "steps", "snr_db": [0, 10], "hold_s": 5},
        }
        for link in LINKS
    },
}
CURVE_POINTS = 2 * 2 * len(LINKS)  # channels, SNRs


@dataclass
class System:
    """Processes by name: their role, and the port of their pages."""

    run: Run
    roles: dict[str, str]
    ports: dict[str, int]

    def page(self, peer: str, path: str = "/metrics") -> str:
        """A page of a process that answers."""
        address = f"http://127.0.0.1:{self.ports[peer]}{path}"
        with urllib.request.urlopen(address, timeout=DEADLINE_S) as answer:
            return str(answer.read().decode())

    def families(self, peer: str) -> dict[str, Family]:
        """What a process tells, by the name that the table gives it."""
        families = text_string_to_metric_families(self.page(peer))
        return {family.name + "_total" * (family.type == "counter"): family for family in families}

    def curve(self) -> dict[tuple[str, str, str], float]:
        """The main metric by link, channel and SNR, as the orchestrator tells it."""
        family = self.families("orchestrator").get("semcom_sweep_metric")
        return {
            (s.labels["link"], s.labels["channel"], s.labels["snr_db"]): s.value
            for s in (family.samples if family else [])
        }


def start_sweeping(workplace: Path, folder: Path) -> System:
    """Start a sweep without end and wait until its curve is there."""
    (port,) = free_ports(1)
    scenario = write_scenario(folder / "s.yaml", **ENDLESS, ports={"metrics": port})
    system = _wait(start_sweep(scenario, folder / "run", workplace=workplace), port)
    eventually(lambda: len(system.curve()) == CURVE_POINTS, "the first seed is done")
    return system


def start_streaming(workplace: Path, folder: Path) -> System:
    """Start a live system and wait until every link has answers."""
    (port,) = free_ports(1)
    scenario = folder / "live.yaml"
    content = {**LIVE, "ports": {"metrics": port}}
    scenario.write_text(yaml.safe_dump(content))
    process = start("up", scenario, "--runs", folder / "runs", cwd=workplace)
    system = _wait(Run(process, folder / "runs" / "live" / "streaming"), port)
    evaluated = "semcom_images_evaluated_total"
    for link in LINKS:
        eventually(lambda n=link: total(system, n, evaluated) > 0, f"{link} streams")
    return system


def _wait(run: Run, port: int) -> System:
    """Wait until every process tells where its pages are."""
    started.remove(run.process)  # it outlives the test that starts it: `stop_system` ends it
    roles = dict.fromkeys(LINKS, "transmitter") | {"channel": "channel", "receiver-1": "receiver"}

    def ports() -> dict[str, int]:
        assert run.process.poll() is None, f"it ended: {run.output()}"
        logs = {peer: run.log(peer) for peer in roles}
        starts = {
            peer: [line for line in lines if line["event"] == "started"]
            for peer, lines in logs.items()
        }
        return {peer: found[-1]["metrics_port"] for peer, found in starts.items() if found}

    eventually(lambda: len(ports()) == len(roles), "every process has started")
    every = {**roles, "orchestrator": "orchestrator"}
    return System(run, every, {**ports(), "orchestrator": port})


def total(system: System, peer: str, name: str, **labels: str) -> float:
    """The sum of a metric of a process over the series with these labels."""
    samples = system.families(peer)[name].samples
    return sum(s.value for s in samples if labels.items() <= s.labels.items())


def stop_system(system: System) -> None:
    """End it as Ctrl-C does."""
    if system.run.process.poll() is None:
        system.run.process.send_signal(signal.SIGINT)
    system.run.output()


def of_another_task(expression: str) -> bool:
    """Whether an expression is of a task that no link of these systems has: they classify."""
    others = [task for task in our_tasks() if task is not Classification]
    marks = [f'task="{task.kind_name()}"' for task in others]
    metrics = {metric for task in others for metric in task.METRICS} - {*Classification.METRICS}
    marks += ['sum="symbols"', *(f'metric="{metric.name}"' for metric in metrics)]
    return any(mark in expression for mark in marks)


def names_in(text: str) -> set[str]:
    """Names of metrics that an expression uses, as the table knows them."""
    found = re.findall(r"\b(semcom_[a-z_]+)", text)
    return {re.sub(r"(?<=_seconds)_(bucket|sum|count)$", "", name) for name in found}
