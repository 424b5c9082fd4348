"""`semcom`: the commands."""

from __future__ import annotations

import shlex
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from orchestrator.catalog import Catalog
from orchestrator.cli_bench import bench_app
from orchestrator.cli_evaluate import evaluate, footprint, report
from orchestrator.cli_jobs import jobs_app
from orchestrator.cli_keys import keys
from orchestrator.cli_live import channel_app, codec_app, down, status, sweep_live, up
from orchestrator.cli_options import (
    CODECS,
    PROJECT,
    CodecDir,
    DataDir,
    RunsDir,
    console,
    frame_progress,
)
from orchestrator.cli_soak import soak
from orchestrator.cli_training import HANDED_ON, search, train
from orchestrator.datasets.prepare import DATASETS, draw_missing, ensure, prepare
from orchestrator.reports.report import console_table, write_report
from orchestrator.run_folder import open_ledger
from orchestrator.runs import InterruptedRunError, RunOutcome, free_folder, run_sweep
from orchestrator.scenarios import Plan, Scenario, read_scenario
from orchestrator.settings import Folders
from orchestrator.summary import summarize
from orchestrator.verify import verify_run
from semcom.checkpoints import CODECS_SHIPPED
from semcom.errors import INTERRUPTED, CheckpointError, ConfigurationError, SemcomError
from semcom.shards import MANIFEST

app = typer.Typer(
    help="Semantic communication as a running system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Data sets.", no_args_is_help=True)
checkpoints_app = typer.Typer(help="The catalogue of codecs.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(checkpoints_app, name="checkpoints")
app.add_typer(channel_app, name="channel")
app.add_typer(codec_app, name="codec")
app.add_typer(jobs_app, name="jobs")
app.add_typer(bench_app, name="bench")

for command in (up, status, down, evaluate, footprint, keys, report, soak):
    app.command()(command)
for training in (train, search):
    app.command(**HANDED_ON)(training)

DEMO_SCENARIO = PROJECT / "scenarios" / "demo.yaml"


class ProgressBar:
    """A progress bar, and a line whenever somebody is missing."""

    def __init__(self, progress: Progress, plan: Plan) -> None:
        self._progress = progress
        self._bar = progress.add_task(plan.name, total=plan.total_frames, note="starting")

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        self._progress.update(self._bar, completed=recorded)

    def waiting(self, roles: list[str]) -> None:
        """Say who is missing."""
        note = f"waiting for {', '.join(roles)}" if roles else ""
        self._progress.update(self._bar, note=note)


@app.command()
def sweep(  # noqa: PLR0913 - the options of a command
    scenario: Annotated[Path, typer.Argument(help="A scenario in YAML.")],
    *,
    out: Annotated[Path | None, typer.Option(help="The run's folder (RUNS/NAME).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Finish what is missing.")] = False,
    launch: Annotated[
        bool, typer.Option(help="Start the processes here, or wait for them to dial in.")
    ] = True,
    live: Annotated[
        bool, typer.Option("--live", help="With the processes of a running live system.")
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Of the live system, or its URL, if there are several.")
    ] = None,
    report: Annotated[bool, typer.Option(help="Draw the report, or leave it to semcom report.")] = (
        True
    ),
    data: DataDir = Path("data"),
    codecs: CodecDir = CODECS,
    runs: RunsDir = Path("runs"),
) -> None:
    """Run a sweep: every link over every channel and SNR of a scenario."""
    wanted = read_scenario(scenario)
    if live:
        if out is not None:
            raise ConfigurationError("with --live the live system chooses the folder: no --out")
        if not launch:
            raise ConfigurationError("--no-launch has no effect with --live; leave one out")
        sweep_live(wanted, scenario, runs=runs, name=name, resume=resume, report=report)
        return
    if name is not None:
        raise ConfigurationError("--name is that of a live system; add --live, or choose --out")
    folders = Folders(data=data, codecs=codecs, runs=runs)
    folder = out if out is not None else runs / wanted.name
    draw_missing((link.dataset for link in wanted.links.values()), folders.data)
    words: list[object] = ["semcom", "sweep", scenario, "--out", folder, "--resume"]
    words += ["--data", data] if data != Path("data") else []
    words += ["--codecs", codecs] if codecs != CODECS else []
    words += [] if launch else ["--no-launch"]
    again = shlex.join(map(str, words))
    outcome = _sweep(
        wanted, folder, folders, resume=resume, launch=launch, again=again, report=report
    )
    _finish(outcome)


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="The run's folder (RUNS/demo).")] = None,
    data: DataDir = Path("data"),
    codecs: CodecDir = CODECS,
    runs: RunsDir = Path("runs"),
) -> None:
    """The main job on what ships with the project: three links, AWGN and Rayleigh."""
    wanted = read_scenario(DEMO_SCENARIO)
    folders = Folders(data=data, codecs=codecs, runs=runs)
    folder = free_folder(out if out is not None else runs / wanted.name)
    console.print(
        "Three edge transmitters, a channel, an edge server and the orchestrator, each a process."
    )
    draw_missing((link.dataset for link in wanted.links.values()), folders.data)
    again = f"semcom sweep {DEMO_SCENARIO} --out {folder} --resume"
    _finish(_sweep(wanted, folder, folders, again=again))


@app.command()
def verify(run: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Re-check a run from its ledger: every planned frame exactly once, digests, totals."""
    found = verify_run(run)
    console.print(
        f"{run}: {found.frames} frames and {found.images} images, each exactly once; "
        f"results digest {found.results_digest}"
    )


@data_app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help=", ".join(DATASETS))],
    source: Annotated[
        Path | None, typer.Option("--from", help="A local copy instead of the download.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it if it is there and whole.")
    ] = False,
    data: DataDir = Path("data"),
) -> None:
    """Download, copy or draw a data set, and write the shards that the processes read."""
    if keep and (data / name / MANIFEST).exists():
        manifest = ensure(name, data / name)
    else:
        manifest = prepare(name, root=data / name, source=source)
    sizes = ", ".join(f"{s.images} {split}" for split, s in manifest.splits.items())
    console.print(f"{data / name}: {len(manifest.classes)} classes, {sizes} images")


@checkpoints_app.command("list")
def checkpoints_list(codecs: CodecDir = CODECS) -> None:
    """Codecs and what they are."""
    table = Table("codec", "data set", "system", "reals", "noise-free", "MB", "digest")
    catalog = Catalog(codecs)
    for name in catalog.names():
        manifest = catalog.open(name).manifest
        accuracy = manifest.results.get("noise_free_accuracy")
        table.add_row(
            name,
            manifest.dataset,
            manifest.architecture.channel.system,
            str(manifest.architecture.channel.codeword_dim),
            "" if accuracy is None else f"{100 * accuracy:.2f} %",
            f"{sum(file.bytes for file in manifest.weights.values()) / 1e6:.1f}",
            manifest.digest[:12],
        )
    console.print(table)


@checkpoints_app.command("verify")
def checkpoints_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Codecs; all if none is named.")] = None,
    codecs: CodecDir = CODECS,
) -> None:
    """Check manifests, digests and values of codecs."""
    catalog = Catalog(codecs)
    chosen = names or catalog.names()
    if not chosen:
        raise CheckpointError(f"no codec in {codecs}")
    for name in chosen:
        console.print(f"{name}: ok, digest {catalog.verified(name).digest}")


@checkpoints_app.command("export")
def checkpoints_export(
    name: Annotated[str, typer.Argument(help="A codec.")],
    target: Annotated[Path, typer.Argument(help="Folder of another catalogue.")],
    codecs: CodecDir = CODECS,
) -> None:
    """Copy a verified codec into another catalogue; a shipped one if none here has that name."""
    catalog, shipped = Catalog(codecs), Catalog(CODECS_SHIPPED)
    if codecs == CODECS and name not in catalog.names() and name in shipped.names():
        catalog = shipped
    console.print(f"exported to {catalog.export(name, target)}")


def _sweep(
    scenario: Scenario,
    folder: Path,
    folders: Folders,
    *,
    again: str,
    resume: bool = False,
    launch: bool = True,
    report: bool = True,
) -> RunOutcome:
    try:
        with frame_progress() as progress:
            return run_sweep(
                scenario,
                folder,
                folders=folders,
                watcher=lambda plan: ProgressBar(progress, plan),
                resume=resume,
                launch=launch,
                report=write_report if report else None,
            )
    except InterruptedRunError as error:
        raise InterruptedRunError(f"{error}; go on with: {again}", error.exit_code) from error


def _finish(outcome: RunOutcome) -> None:
    with open_ledger(outcome.folder) as ledger:
        console.print(console_table(summarize(ledger)))
    console.print(f"results digest {outcome.results_digest} in {outcome.seconds:.0f} s")
    if outcome.report is not None:
        console.print(f"report: {outcome.report}")


def main() -> None:
    """Run a command; every error of ours is one line and its exit code."""
    try:
        app(standalone_mode=True)
    except SemcomError as error:
        Console(stderr=True).print(
            f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:
        traceback.print_exc()
        sys.exit(SemcomError.exit_code)


if __name__ == "__main__":
    main()
