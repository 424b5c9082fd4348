"""`semcom jobs ... --on`: training jobs on a Ray cluster instead of in this machine's queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from orchestrator.cli.terminal import console, new_table
from semcom.extras import needed_by
from semcom.plain_text import one_line

if TYPE_CHECKING:
    from orchestrator.on_ray.training_jobs import ClusterJob, ClusterJobs


def cluster_jobs(address: str) -> ClusterJobs:
    """Return the jobs of the cluster at an address.

    Raises:
        ConfigurationError: Ray is not installed, or there is no such cluster.
    """
    with needed_by("semcom jobs --on", "ray"):
        from orchestrator.on_ray.training_jobs import ClusterJobs  # noqa: PLC0415 - few have it

    return ClusterJobs(address)


def list_cluster_jobs(address: str) -> None:
    """Print a table of the jobs."""
    table = new_table("id", "name", "data set", "state")
    for job in cluster_jobs(address).all():
        table.add_row(job.id, job.name, job.dataset, job.state.lower())
    console.print(table)


def watch_cluster_jobs(address: str, job_id: str | None) -> int:
    """Print the states of jobs until they end; return the first exit code that is not 0, or 0."""
    jobs = cluster_jobs(address)
    chosen = [each for each in jobs.all() if not each.ended] if job_id is None else []
    chosen = [jobs.job(job_id)] if job_id is not None else chosen
    if not chosen:
        console.print("no job is queued or running")
    ended: list[int] = []
    for job in jobs.wait(chosen):
        console.print(one_line(_told(job)))
        ended += [job.exit_status] if job.ended else []
    return next(filter(None, ended), 0)


def cancel_cluster_job(address: str, job_id: str) -> None:
    """Ask a job to save and end."""
    job = cluster_jobs(address).cancel(job_id)
    ended = f"has ended: {job.state.lower()}" if job.ended else "was asked to save and end"
    console.print(one_line(f"job {job_id} {ended}"))


def print_cluster_output(address: str, job_id: str, *, follow: bool) -> None:
    """Print the output of a job."""
    for text in cluster_jobs(address).output(job_id, follow=follow):
        console.write_bytes(text.encode())


def own_number(job_id: str) -> int:
    """Return the number of a job of this machine's queue.

    Raises:
        typer.BadParameter: it is not a number.
    """
    if not job_id.isascii() or not job_id.isdecimal() or len(job_id) > 18:
        raise typer.BadParameter(f"{job_id!r} is not a valid integer; expected the number of a job")
    return int(job_id)


def _told(job: ClusterJob) -> str:
    why = f": {job.message}" if job.ended and job.exit_status else ""
    return f"job {job.id} {job.name}: {job.state.lower()}{why}"
