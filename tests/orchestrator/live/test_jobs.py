"""Training jobs as a live system tells of them."""

from __future__ import annotations

from orchestrator.jobs.settings import JobsFolder
from orchestrator.jobs.store import JobStore, Submission
from orchestrator.live.active_jobs import active_jobs


def test_running_jobs_come_first_then_the_queue_in_its_order(tmp_path):
    store = JobStore(JobsFolder(tmp_path).database, create=True)
    for name, priority in (("low", 0), ("ended", 5), ("high", 9), ("also-low", 0), ("runs", 0)):
        store.submit(
            Submission(
                name=name,
                dataset="shapes10",
                arguments=("shapes10",),
                nproc=1,
                priority=priority,
                work=str(tmp_path),
                codecs="codecs",
                cwd=str(tmp_path),
            ),
            now_s=1.0,
        )
    named = {job.name: job.id for job in store.jobs()}
    store.cancel(named["ended"], now_s=2.0)
    store.start(named["runs"], now_s=3.0)
    store.close()
    assert [job["name"] for job in active_jobs(tmp_path)] == ["runs", "high", "low", "also-low"]


def test_without_a_queue_there_are_no_jobs(tmp_path):
    assert active_jobs(tmp_path) == []
