"""`semcom`: the commands."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from orchestrator.cli.bench_commands import bench_app
from orchestrator.cli.cluster_commands import merge
from orchestrator.cli.evaluation_commands import evaluate, footprint, report
from orchestrator.cli.job_commands import jobs_app
from orchestrator.cli.key_commands import keys
from orchestrator.cli.live_commands import channel_app, codec_app, down, status, sweep_live, up
from orchestrator.cli.options import (
    SCENARIOS,
    CodecDir,
    DataDir,
    RunsDir,
    new_app,
    waits_on_console,
)
from orchestrator.cli.outcome_lines import print_outcome
from orchestrator.cli.soak_commands import soak
from orchestrator.cli.terminal import console, new_table, progress_bar
from orchestrator.cli.training_commands import HANDED_ON, search, train
from orchestrator.datasets.hold_out import TEST_SHARE
from orchestrator.datasets.own_sets import prepare_own
from orchestrator.datasets.prepare import DATASETS, DRAWN, draw_missing, ensure, prepare
from orchestrator.datasets.text_sets import TRAIN, WORDS, TextSize, holds_text, prepare_text
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.codec_probe import run_networks
from orchestrator.plan.folders import CODECS, DATA, RUNS, Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario, read_scenario
from orchestrator.reports.console_tables import run_tables
from orchestrator.reports.metric_texts import stated_text
from orchestrator.reports.report import write_report
from orchestrator.results.resumption import going_on, sweep_words
from orchestrator.results.run_folder import open_ledger
from orchestrator.results.run_lock import claim_folder, leave
from orchestrator.results.summary import summarize
from orchestrator.results.verify import verify_run
from orchestrator.sweep.run import (
    InterruptedRunError,
    RunOptions,
    RunOutcome,
    run_sweep,
)
from semcom.checkpoints import CODECS_SHIPPED
from semcom.entry import run_process
from semcom.errors import CheckpointError, ConfigurationError, SemcomError
from semcom.extras import needed_by
from semcom.names import check_name
from semcom.plain_text import take_every_character, tell_error
from semcom.shards import MANIFEST
from semcom.shipped import installed_version
from semcom.stop_signals import Stopped

app = new_app("Semantic communication as a running system.")
data_app = new_app("Data sets.")
checkpoints_app = new_app("The catalogue of codecs.")
app.add_typer(data_app, name="data")
app.add_typer(checkpoints_app, name="checkpoints")
app.add_typer(channel_app, name="channel")
app.add_typer(codec_app, name="codec")
app.add_typer(jobs_app, name="jobs")
app.add_typer(bench_app, name="bench")

for command in (up, status, down, evaluate, merge, footprint, keys, report, soak):
    app.command()(command)
for training in (train, search):
    app.command(**HANDED_ON)(training)

# What typer raises for a command line that cannot be understood; where it is from has changed.
UNUSABLE: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
DEMO_SCENARIO = SCENARIOS / "demo.yaml"


def _print_version(asked: bool) -> None:
    if asked:
        console.print(f"semcom {installed_version() or 'from a checkout that pip did not install'}")
        raise typer.Exit


@app.callback()
def semcom(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say it.")
    ] = False,
) -> None:
    """Semantic communication as a running system."""
    del version


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
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """Run a sweep: every link over every channel and SNR of a scenario."""
    wanted = read_scenario(scenario)
    folders = Folders(data=data, codecs=codecs, runs=runs)
    if live:
        if out is not None:
            raise ConfigurationError("with --live the live system chooses the folder: no --out")
        if not launch:
            raise ConfigurationError("--no-launch has no effect with --live; leave one out")
        sweep_live(wanted, scenario, runs=runs, name=name, resume=resume, report=report)
        return
    if name is not None:
        raise ConfigurationError("--name is that of a live system; add --live, or choose --out")
    folder = out if out is not None else runs / wanted.name
    draw_missing((link.dataset for link in wanted.links.values()), folders.data)
    options = RunOptions(
        resume=resume,
        launch=launch,
        report=write_report if report else None,
        command=sweep_words(scenario, folders, launch=launch, report=report),
    )
    _finish(_sweep(wanted, folder, folders, options))


@app.command()
def demo(
    out: Annotated[Path | None, typer.Option(help="The run's folder (RUNS/demo).")] = None,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """The main job on what ships with the project: three links, AWGN and Rayleigh."""
    wanted = read_scenario(DEMO_SCENARIO)
    folders = Folders(data=data, codecs=codecs, runs=runs)
    folder = claim_folder(out if out is not None else runs / wanted.name)
    console.print(
        "Three edge transmitters, a channel, an edge server and the orchestrator, each a process."
    )
    try:
        draw_missing((link.dataset for link in wanted.links.values()), folders.data)
        options = RunOptions(command=sweep_words(DEMO_SCENARIO, folders))
        outcome = _sweep(wanted, folder, folders, options)
    finally:
        leave(folder)
    _finish(outcome)


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    data: DataDir = DATA,
    *,
    judge: Annotated[
        bool, typer.Option("--judge", help="End with exit code 2 unless every link is judged.")
    ] = False,
) -> None:
    """Re-check a run: every planned frame exactly once, digests, totals; judge its answers again.

    Answers are judged by the data sets in --data, where they are there as they were planned.
    SNRs, codecs and times are compared between ledger and files, but not measured again.
    """
    found = verify_run(run, data)
    for line in found.lines():
        console.print(line)
    if judge:
        found.check_judged()


@data_app.command("prepare")
def data_prepare(  # noqa: PLR0913, PLR0917 - the options of a command
    name: Annotated[str, typer.Argument(help=f"{', '.join(DATASETS)}, or one of your own.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A local copy instead of the download, or your own items."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Crop and resize your own images to so many pixels a side."),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help=f"Of your own images, if they have no test folder ({TEST_SHARE:g})."),
    ] = None,
    words: Annotated[
        int | None,
        typer.Option(help=f"Of your own sentences: words of the vocabulary ({WORDS})."),
    ] = None,
    sentences: Annotated[
        int | None, typer.Option(help=f"... sentences to train on, at most ({TRAIN}).")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it if it is there and whole.")
    ] = False,
    data: DataDir = DATA,
) -> None:
    """Download, copy or draw a data set, and write the shards that the processes read."""
    check_name(name, what="data set")
    of_images, of_text = (size, test_share) != (None, None), (words, sentences) != (None, None)
    if name in DATASETS and (of_images or of_text):
        raise ConfigurationError(
            f"--size, --test-share, --words, --sentences: of your own items, not of {name}"
        )
    if keep and (name in DRAWN or (data / name / MANIFEST).exists()):
        manifest = ensure(name, data / name)
    elif name in DATASETS or source is None:
        manifest = prepare(name, root=data / name, source=source)
    elif holds_text(source):
        if of_images:
            raise ConfigurationError(f"--size, --test-share: of images, {source} holds text")
        wanted = TextSize(
            WORDS if words is None else words, TRAIN if sentences is None else sentences
        )
        manifest = prepare_text(name, root=data / name, source=source, size=wanted)
    else:
        if of_text:
            raise ConfigurationError(f"--words, --sentences: of text, {source} holds none")
        manifest = prepare_own(
            name, root=data / name, source=source, size=size, test_share=test_share
        )
    console.print(f"{data / name}: {manifest.summary}")


@checkpoints_app.command("list")
def checkpoints_list(codecs: CodecDir = CODECS) -> None:
    """Codecs and what they are."""
    table = new_table(
        "codec", "data set", "family", "system", "task", "symbols", "noise-free", "MB", "digest"
    )
    catalog = Catalog(codecs)
    for name in catalog.names():
        manifest = catalog.open(name).manifest
        metric = manifest.task.METRICS[0]
        table.add_row(
            name,
            manifest.dataset,
            manifest.family.name,
            manifest.system,
            manifest.task.kind,
            str(manifest.symbols),
            stated_text(metric, manifest.results.get(f"noise_free_{metric.name}")),
            f"{sum(file.bytes for file in manifest.weights.values()) / 1e6:.1f}",
            manifest.digest[:12],
        )
    console.print(table)


@checkpoints_app.command("verify")
def checkpoints_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Codecs; all if none is named.")] = None,
    codecs: CodecDir = CODECS,
) -> None:
    """Check manifests, digests, shapes and values of codecs, and run their networks once."""
    catalog = Catalog(codecs)
    chosen = names or catalog.names()
    if not chosen:
        raise CheckpointError(f"no codec in {codecs}")
    verified = {name: catalog.verified(name) for name in chosen}
    remarks = run_networks([checkpoint.folder for checkpoint in verified.values()])
    for name, checkpoint in verified.items():
        console.print(f"{name}: ok, digest {checkpoint.digest}")
    for remark in remarks:
        console.print(remark)


@checkpoints_app.command("classes")
def checkpoints_classes(
    names: Annotated[list[str] | None, typer.Argument(help="Codecs; all if none is named.")] = None,
    codecs: CodecDir = CODECS,
    data: DataDir = DATA,
) -> None:
    """Name the classes of codecs that were written before codecs named them; digests stay."""
    catalog = Catalog(codecs)
    for name in names or catalog.names():
        classes = catalog.name_classes(name, data).manifest.classes
        assert classes is not None
        console.print(f"{name}: {len(classes)} classes, from {classes[0]} to {classes[-1]}")


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


def _sweep(scenario: Scenario, folder: Path, folders: Folders, options: RunOptions) -> RunOutcome:
    try:
        with progress_bar() as progress, waits_on_console():
            return run_sweep(
                scenario,
                folder,
                folders=folders,
                watcher=lambda plan: ProgressBar(progress, plan),
                options=options,
            )
    except InterruptedRunError as error:
        again = going_on(options.command, folder)
        raise InterruptedRunError(f"{error}; go on with: {again}", error.exit_code) from error
    except Stopped as stopped:
        text = f"{stopped}; go on with: {going_on(options.command, folder)}"
        raise InterruptedRunError(text, stopped.exit_code) from stopped


def _finish(outcome: RunOutcome) -> None:
    with open_ledger(outcome.folder) as ledger:
        for table in run_tables(summarize(ledger), width=console.table_width):
            console.print(table)
    print_outcome(outcome)


def main() -> None:
    """Run a command; every error of ours is one line and its exit code."""
    sys.exit(run_process(lambda: _run(sys.argv[1:])))


def _run(words: Sequence[str]) -> int:
    take_every_character()
    try:
        with needed_by("semcom", "orchestrator"):  # matplotlib is imported where it draws
            code = app(list(words), prog_name="semcom", standalone_mode=False)
        with suppress(OSError):  # nobody reads it
            sys.stdout.flush()
    except SemcomError as error:
        tell_error(str(error))
        return error.exit_code
    except UNUSABLE as error:
        return _tell_usage(error)
    except Exception:
        traceback.print_exc()
        return SemcomError.exit_code
    return code if isinstance(code, int) else 0


def _tell_usage(error: Any) -> int:
    """Say what is wrong with a command line, and where its help is; help where none was given."""
    text, context = error.format_message(), getattr(error, "ctx", None)
    if "\n" in text:
        error.show()
    else:
        help_at = "semcom" if context is None else context.command_path
        tell_error(f"{text.rstrip('.')}; see {help_at} --help")
    return int(error.exit_code)


if __name__ == "__main__":
    main()
