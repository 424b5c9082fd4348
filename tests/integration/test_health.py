"""Every process of a run answers /livez, /readyz and /metrics, and its counters add up."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.harness import eventually, start_sweep, write_scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

PEERS = ("shapes10", "shapes100", "channel", "receiver-1")


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body of a process's page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metrics_port(folder: Path, peer: str) -> int:
    """The port that a process says it serves metrics at."""
    for line in (folder / "logs" / f"{peer}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["event"] == "started":
            return int(record["metrics_port"])
    raise AssertionError(f"{peer} has not started")


def value(page: str, name: str) -> float:
    """The sum of a metric over its labels."""
    samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
    return sum(sample.value for sample in samples if sample.name == name)


def test_processes_of_a_running_sweep_are_alive_ready_and_counted(
    workplace: Path, tmp_path: Path
) -> None:
    run = start_sweep(write_scenario(tmp_path / "s.yaml"), tmp_path / "run", workplace=workplace)
    run.wait_recorded(50)
    pages: dict[str, str] = {}
    for peer in PEERS:
        port = metrics_port(run.folder, peer)
        assert get(port, "/livez") == (200, "ok\n")
        eventually(lambda port=port: get(port, "/readyz")[0] == 200, f"{peer} is ready")
        assert get(port, "/nothing")[0] == 404
        pages[peer] = get(port, "/metrics")[1]
    for link in ("shapes10", "shapes100"):
        sent = value(pages[link], "semcom_frames_sent_total")
        assert sent > 0
        assert value(pages[link], "semcom_images_evaluated_total") <= 5 * sent
        assert value(pages[link], "semcom_stage_seconds_count") > 0
    assert value(pages["channel"], "semcom_frames_received_total") > 0
    assert value(pages["channel"], "semcom_peers") == 3
    assert value(pages["receiver-1"], "semcom_images_evaluated_total") > 0
    run.finish()
