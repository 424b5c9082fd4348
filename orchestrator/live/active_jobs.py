"""Training jobs for the status of a live system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.jobs.queue_view import Watched
from orchestrator.jobs.settings import JobsFolder
from orchestrator.jobs.store import JobStore
from semcom.errors import SemcomError


def active_jobs(work: Path) -> list[dict[str, Any]]:
    """Return the jobs of a work folder: running ones, then queued ones in order.

    Empty without a queue.
    """
    folder = JobsFolder(work)
    try:
        store = JobStore(folder.database)
    except SemcomError:
        return []
    try:
        active = sorted(store.active(), key=lambda job: (job.state == "queued", job.turn))
        return [_described(Watched(job, folder)) for job in active]
    except SemcomError:
        return []
    finally:
        store.close()


def _described(watched: Watched) -> dict[str, Any]:
    job, last = watched.job, watched.pace.last
    return {
        "id": job.id,
        "name": job.name,
        "dataset": job.dataset,
        "state": job.state,
        "stage": watched.stage,
        "progress": 0.0 if last is None else round(last.ratio, 4),
        "restarts": job.restarts,
    }
