"""Every process of a run answers /livez, /readyz and /metrics, and its counters add up."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.harness import eventually, start_sweep, write_scenario
from tests.integration.pages import get, metric

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

LINKS = ("shapes10", "shapes100")
PEERS = (*LINKS, "channel", "receiver-1")
# A sweep that no machine finishes while it is looked at: 282 points of 1000 frames a link.
ENDLESS: dict[str, object] = {
    "images": 1000,
    "frame_images": 1,
    "snr_db": {"start": -10, "stop": 60, "step": 0.5},
}


def test_processes_of_a_running_sweep_are_alive_ready_and_counted(
    workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **ENDLESS)
    run = start_sweep(scenario, tmp_path / "run", workplace=workplace)
    for peer in PEERS:
        for path, answer in (("/livez", (200, "ok\n")), ("/readyz", (200, "ok\n"))):
            eventually(lambda p=peer, q=path, a=answer: get(run, p, q) == a, f"{peer}{path}")
        eventually(lambda p=peer: get(run, p, "/nothing")[0] == 404, f"{peer} has no such page")

    def counted(peer: str, name: str) -> None:
        eventually(lambda: metric(run, peer, name) > 0, f"{peer} counts {name}")

    for link in LINKS:
        counted(link, "semcom_images_evaluated_total")
        counted(link, "semcom_stage_seconds_count")
        # The frames go on between two looks, so what came back is looked at first.
        evaluated = metric(run, link, "semcom_images_evaluated_total")
        assert 0 < evaluated <= metric(run, link, "semcom_frames_sent_total")
    counted("channel", "semcom_frames_received_total")
    eventually(lambda: metric(run, "channel", "semcom_peers") == 4, "the channel sees 4 peers")
    counted("receiver-1", "semcom_images_decoded_total")
    os.kill(run.process.pid, signal.SIGINT)
    printed = run.output()
    assert run.process.returncode == 130, f"the sweep was not running any more: {printed}"
