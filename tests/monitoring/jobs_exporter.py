"""The pages of a supervisor whose one job trains, without the training."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.jobs.progress_lines import ProgressLine
from orchestrator.jobs.queue_metrics import TrainingMetrics
from orchestrator.jobs.store import Job
from semcom.health import HealthServer
from semcom.telemetry import Telemetry


@contextmanager
def exporting() -> Iterator[int]:
    """Serve the metrics of a job under way; gives the port."""
    telemetry = Telemetry("jobs", "jobs")
    metrics = TrainingMetrics(telemetry)
    job = Job(id=1, name="cifar10-small", dataset="cifar10", arguments=(), state="running")
    now_s = time.time()
    metrics.states({"running": 1})
    metrics.progress(
        job,
        [
            ProgressLine(
                time=now_s + seconds,
                stage="stage1",
                epoch=0,
                epochs=2,
                step=10 * seconds,
                steps=100,
                images_per_s=300.0,
                lr=1e-3,
                losses={"kd": 0.3},
                checkpoint_s=now_s - 60,
            )
            for seconds in (1, 2)
        ],
    )
    metrics.ages([job], now_s)
    health = HealthServer("127.0.0.1", 0, telemetry=telemetry, ready=lambda: True)
    try:
        yield health.port
    finally:
        health.close()
