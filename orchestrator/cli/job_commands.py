"""`semcom jobs`: the queue of training jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.cluster_jobs import (
    cancel_cluster_job,
    cluster_jobs,
    list_cluster_jobs,
    own_number,
    print_cluster_output,
    watch_cluster_jobs,
)
from orchestrator.cli.command_order import examples
from orchestrator.cli.options import new_app
from orchestrator.cli.terminal import Terminal, console
from orchestrator.jobs import instance, queue_view
from orchestrator.jobs.logs import read_along
from orchestrator.jobs.service import supervise
from orchestrator.jobs.settings import JobsFolder, read_settings
from orchestrator.jobs.settings_check import TRAINING, check_arguments
from orchestrator.jobs.store import JobStore, Submission
from orchestrator.plan.folders import DATA, WORK
from semcom.checkpoints import default_name
from semcom.errors import ConfigurationError
from semcom.extras import require
from semcom.names import check_name
from semcom.plain_text import command, one_line
from semcom.shards import read_manifest
from semcom.telemetry import log_json

POLL_S = 0.5
beside = Terminal(stderr=True)  # standard output has only the job's number
# Options that the queue itself passes to a training job.
OURS = (
    "--work", "--out", "--progress", "--nproc", "--name", "--data", "--preset", "--system",
)  # fmt: skip

jobs_app = new_app(
    "Queue and watch training jobs.",
    "semcom jobs submit cifar10 --set stages.stage1.epochs=30",
    "semcom jobs watch",
)

WorkDir = Annotated[Path, typer.Option("--work", help="Folder of training artefacts.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Number of a job in `semcom jobs list`.")]
JobsCluster = Annotated[
    str | None,
    typer.Option(
        "--on", help="On a Ray cluster: http://HOST:8265, its dashboard; ray://HOST; auto."
    ),
]
Parallel = Annotated[
    int | None,
    typer.Option(
        min=1, max=64, help="Number of jobs that run at the same time, if this starts a supervisor."
    ),
]


@jobs_app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=examples(
        "semcom jobs submit cifar10 --priority 1 --set stages.stage1.epochs=30",
        "semcom jobs submit shapes10 --preset smoke --foreground",
    ),
)
def submit(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A prepared data set.")],
    *,
    preset: Annotated[str, typer.Option(help="See `semcom train --help`.")] = "compact",
    system: Annotated[str, typer.Option(help="See `semcom train --help`.")] = "rkd-sc",
    name: Annotated[
        str | None, typer.Option(help="Name of the codec (DATASET-PRESET[-SYSTEM]).")
    ] = None,
    nproc: Annotated[
        int, typer.Option(min=1, max=256, help="Number of ranks on this machine.")
    ] = 1,
    priority: Annotated[int, typer.Option(help="Jobs with a higher priority run first.")] = 0,
    parallel: Parallel = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Run the queue here until it is empty.")
    ] = False,
    on: JobsCluster = None,
    gpus: Annotated[
        int | None,
        typer.Option(min=0, max=256, help="Number of GPUs for a job on a cluster; with --on."),
    ] = None,
    data: Annotated[Path, typer.Option(help="Folder of data sets.")] = DATA,
    codecs: Annotated[Path, typer.Option(help="Folder of codecs.")] = Path("codecs"),
    work: WorkDir = WORK,
) -> None:
    """Queue a training job.

    Options of `semcom train`, such as --set KEY=VALUE, are passed to the training run unchanged.
    """
    require("semcom jobs submit", "training")
    name = name or default_name(dataset, preset, system)
    for what, value in (("data set", dataset), ("name", name)):
        check_name(value, what=what)
    for word in context.args:
        if word.partition("=")[0] in OURS:
            raise ConfigurationError(f"{word}: write it as an option of `semcom jobs submit`")
    if on is None:
        read_manifest(data / dataset)
    arguments = [dataset, "--preset", preset, "--system", system, *context.args, "--name", name]
    arguments += ["--data", str(data), "--work", str(work), "--out", str(codecs / name)]
    if nproc > 1 or any(word.startswith("--rendezvous") for word in context.args):
        arguments += ["--nproc", str(nproc)]
    wanted = Submission(
        name=name,
        dataset=dataset,
        arguments=tuple(arguments),
        nproc=nproc,
        priority=priority,
        work=str(work),
        codecs=str(codecs),
        cwd=str(Path.cwd()),
    )
    if on is not None:
        if foreground or parallel is not None or priority:
            raise ConfigurationError(
                "--on: the cluster has its own queue: leave out --foreground, --parallel and "
                "--priority"
            )
        _submit_to_cluster(on, wanted, gpus=gpus or 0, checked=(data / dataset).exists())
        return
    if gpus is not None:
        raise ConfigurationError("--gpus has an effect only with --on; leave it out")
    folder = JobsFolder(work)
    # Mistakes are found before anything is queued.
    if read_settings(folder, parallel=parallel).module == TRAINING:
        check_arguments(arguments)
    with _store(folder, create=True) as store:
        job_id = store.submit(wanted, time.time())
    console.print(str(job_id))
    beside.print(f"job {job_id} is queued: {name}, trained on {dataset} with preset {preset}")
    if foreground:
        stopped_by = _serve(folder, parallel=parallel, idle_s=0.0)
        with _store(folder) as store:
            job = store.job(job_id)
        if stopped_by and not job.ended:
            _note(f"job {job_id} is {job.state}; resume with: {serve_command(work)}")
            raise typer.Exit(128 + stopped_by)
        raise typer.Exit(queue_view.exit_status(job))
    if not instance.ensure(folder, parallel) and parallel is not None:
        _note("a supervisor is already running; it keeps its own --parallel")


def _submit_to_cluster(address: str, wanted: Submission, *, gpus: int, checked: bool) -> None:
    """Submit a training to a cluster; check its settings if the data set is on this host."""
    if checked:
        check_arguments(wanted.arguments)
    console.print(cluster_jobs(address).submit(wanted, gpus=gpus))


@jobs_app.command("list", epilog=examples("semcom jobs list"))
def list_jobs(on: JobsCluster = None, work: WorkDir = WORK) -> None:
    """List all jobs with state, progress and codec."""
    if on is not None:
        list_cluster_jobs(on)
        return
    folder = JobsFolder(work)
    with _store(folder) as store:
        jobs = store.jobs()
    console.print(queue_view.table(jobs, folder))
    for job in jobs:
        if job.error:
            _note(f"job {job.id} {job.name}: {job.error}")
    running = instance.find(folder)
    if running is not None:
        _note(f"supervisor: process {running.pid}, {running.metrics}")
    elif not all(job.ended for job in jobs):
        _note(f"no supervisor runs; start one with: {serve_command(work)}")


@jobs_app.command(epilog=examples("semcom jobs watch 1"))
def watch(
    job_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Number of a job (default: all jobs).")
    ] = None,
    on: JobsCluster = None,
    work: WorkDir = WORK,
) -> None:
    """Show jobs while they run and end with their exit code."""
    if on is not None:
        raise typer.Exit(watch_cluster_jobs(on, job_id))
    number = None if job_id is None else own_number(job_id)
    folder = JobsFolder(work)
    with _store(folder) as store:
        jobs = store.active() if number is None else [store.job(number)]
        if not jobs:
            _note("no job is queued or running")
        elif not all(job.ended for job in jobs) and instance.find(folder) is None:
            _note(f"no supervisor runs; start one with: {serve_command(work)}")
        raise typer.Exit(queue_view.watch(store, folder, jobs, console, poll_s=POLL_S))


@jobs_app.command(epilog=examples("semcom jobs cancel 1"))
def cancel(job_id: JobId, on: JobsCluster = None, work: WorkDir = WORK) -> None:
    """Remove a job from the queue, or ask it to save and end.

    `semcom jobs restart` resumes it.
    """
    if on is not None:
        cancel_cluster_job(on, job_id)
        return
    folder = JobsFolder(work)
    with _store(folder) as store:
        job = store.cancel(own_number(job_id), time.time())
    if job.state == "running":
        instance.ensure(folder)
        _note(f"job {job_id} was asked to save and end")
    else:
        _note(f"job {job_id} is cancelled")


@jobs_app.command(epilog=examples("semcom jobs restart 1"))
def restart(job_id: JobId, work: WorkDir = WORK) -> None:
    """Queue a failed or cancelled job again.

    It resumes from its last checkpoint.
    """
    folder = JobsFolder(work)
    with _store(folder) as store:
        store.restart(own_number(job_id))
    instance.ensure(folder)
    _note(f"job {job_id} is queued")


@jobs_app.command(epilog=examples("semcom jobs logs 1 --follow"))
def logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Continue until the job ends.")] = False,
    on: JobsCluster = None,
    work: WorkDir = WORK,
) -> None:
    """Print the output of a job."""
    if on is not None:
        print_cluster_output(on, job_id, follow=follow)
        return
    folder, number = JobsFolder(work), own_number(job_id)
    with _store(folder) as store:
        store.job(number)
        parts = read_along(
            folder.job_log(number),
            lambda: not follow or console.quiet or store.job(number).ended,
            poll_s=POLL_S,
        )
        for part in parts:
            console.write_bytes(part)


@jobs_app.command(epilog=examples("semcom jobs serve --parallel 2"))
def serve(
    parallel: Annotated[
        int | None, typer.Option(min=1, max=64, help="Number of jobs that run at the same time.")
    ] = None,
    work: WorkDir = WORK,
) -> None:
    """Run the supervisor in the foreground.

    Use it in a service or a container. Ctrl-C queues its running jobs again.
    """
    _serve(JobsFolder(work), parallel=parallel, idle_s=float("inf"))


def _serve(folder: JobsFolder, *, parallel: int | None, idle_s: float) -> int:
    """Run the supervisor to its end; return the signal that ended it, or 0."""
    log_json()
    absolute = JobsFolder(folder.work.absolute())
    stopped_by = supervise(absolute, read_settings(folder, parallel=parallel, idle_s=idle_s))
    if stopped_by is None:
        raise ConfigurationError(f"another supervisor runs for {folder.work} and runs the jobs")
    return stopped_by


def serve_command(work: Path) -> str:
    return command("semcom", "jobs", "serve", "--work", work)


def _note(text: str) -> None:
    console.print(one_line(text))


@contextmanager
def _store(folder: JobsFolder, *, create: bool = False) -> Iterator[JobStore]:
    store = JobStore(folder.database, create=create)
    try:
        yield store
    finally:
        store.close()
