"""`semcom evaluate`, `semcom footprint` and `semcom report`: from codecs to figures and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from orchestrator.cli.inspection_commands import parse_snrs
from orchestrator.cli.options import (
    ClusterAddress,
    CodecDir,
    DataDir,
    RunsDir,
    say_equalizers,
    say_origins,
)
from orchestrator.cli.outcome_lines import print_outcome, print_part, print_slurm_script
from orchestrator.cli.terminal import console, progress_bar
from orchestrator.datasets.prepare import draw_missing
from orchestrator.evaluation.on_cluster import run_on_cluster
from orchestrator.evaluation.one_process import run_evaluation
from orchestrator.evaluation.part_choice import Part, parse_part
from orchestrator.evaluation.scenario_of_codecs import (
    checked_codecs,
    parse_channels,
    parse_seeds,
    parse_snr_db,
    scenario_first,
    scenario_for,
    with_codecs,
)
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import CODECS, DATA, RUNS, Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario, read_scenario
from orchestrator.plan.units import units_of_part
from orchestrator.reports.channel_titles import channels_named
from orchestrator.reports.console_tables import run_tables, system_tables
from orchestrator.reports.footprints import footprint_tables, read_footprints
from orchestrator.reports.paper import FOLDER as FIGURES
from orchestrator.reports.paper import write_figures
from orchestrator.reports.ratios import RATIO_SNR_DB
from orchestrator.reports.report import album_of, markdown_report, source_tables, write_report
from orchestrator.reports.report_sources import parse_labels, read_sources
from orchestrator.results.resumption import EVALUATE, folder_words, going_on, part_words
from orchestrator.sweep.run import InterruptedRunError, RunOutcome
from semcom.architecture import TABLE_III_DEPTHS
from semcom.children import run_module
from semcom.errors import ConfigurationError
from semcom.extras import needed_by, require
from semcom.plain_text import command, option

PAPER_DATASETS = tuple(dict.fromkeys(dataset for _, dataset in TABLE_III_DEPTHS))
CHANNELS, SNR_DB, SEEDS = "awgn,rayleigh", "-10:25:2.5", "0,1,2"


class EvaluationBar:
    """A progress bar of frames, with a note while images are encoded."""

    def __init__(self, progress: Progress, plan: Plan, part: Part | None = None) -> None:
        self._progress = progress
        units = [] if part is None else units_of_part(plan, part.number, part.of)
        total = plan.total_frames if part is None else sum(unit.frames for unit in units)
        self._bar = progress.add_task(plan.name, total=total, note="starting")

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        self._progress.update(self._bar, completed=recorded, note="")

    def encoding(self, codec: str, images: int, total: int) -> None:
        """Items were encoded."""
        self._progress.update(self._bar, note=f"{codec}: {images} of {total} items encoded")

    def notice(self, text: str) -> None:
        """Print a line above the bar."""
        console.print(f"note: {text}")


def evaluate(  # noqa: PLR0913 - the options of a command
    codecs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODEC",
            help="Codecs. With a scenario, they replace the scenario's codecs.",
        ),
    ] = None,
    *,
    scenario: Annotated[
        Path | None, typer.Option(help="A scenario in YAML: its links and points.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help=f"Channel models (default: {CHANNELS}).")
    ] = None,
    snr_db: Annotated[
        str | None,
        typer.Option("--snr-db", help=f"START:STOP:STEP or a list (default: {SNR_DB})."),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help=f"Channel seeds (default: {SEEDS}).")] = None,
    images: Annotated[int | None, typer.Option(help="Number of test items (default: all).")] = None,
    part: Annotated[
        str | None,
        typer.Option(
            help="Compute one part: 3/10, auto/10, or auto in a job array; see semcom merge."
        ),
    ] = None,
    on: ClusterAddress = None,
    slurm_script: Annotated[
        Path | None,
        typer.Option("--slurm-script", help="Only write a batch script for --part auto/N."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The evaluation's folder (RUNS/NAME-evaluation), or that of all parts."),
    ] = None,
    data: DataDir = DATA,
    codec_dir: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """Evaluate codecs in one process, without links.

    The answers equal those of a sweep over the same points. The same command resumes an interrupted
    evaluation.
    """
    require("semcom evaluate", "training")
    scenario, codecs = scenario_first(scenario, codecs or [])
    catalog = Catalog(codec_dir)
    given: dict[str, object] = {
        "--channels": channels,
        "--snr-db": snr_db,
        "--seeds": seeds,
        "--images": images,
    }
    if scenario is None:
        points = _points(channels=channels, snr_db=snr_db, seeds=seeds, images=images)
        wanted = scenario_for(codecs, catalog, points=points)
        name = wanted.name
    else:
        if any(value is not None for value in given.values()):
            raise ConfigurationError(
                "--scenario defines all points: leave out --channels, --snr-db, --seeds "
                "and --images"
            )
        wanted = with_codecs(read_scenario(scenario), codecs, catalog)
        name = f"{wanted.name}-evaluation"
    folders = Folders(data=data, codecs=codec_dir, runs=runs)
    given["--scenario"] = scenario
    words = [EVALUATE, *codecs, *folder_words(folders)]
    words += [str(word) for name, value in given.items() for word in option(name, value)]
    if on is not None:
        if part is not None or slurm_script is not None:
            raise ConfigurationError("--on computes all parts: leave out --part and --slurm-script")
        _evaluate(wanted, out or runs / name, folders, [*words, "--on", on], on=on)
        return
    parts = out or runs / f"{name}-parts"
    if slurm_script is not None:
        print_slurm_script(wanted, words, part=part, out=parts, script=slurm_script)
        return
    if part is None:
        _evaluate(wanted, out or runs / name, folders, words)
        return
    chosen = parse_part(part)
    words = part_words(words, str(chosen))
    _evaluate(wanted, parts / chosen.folder, folders, words, part=chosen)


def footprint(
    codecs: Annotated[list[str] | None, typer.Argument(metavar="CODEC", help="Codecs.")] = None,
    paper: Annotated[
        list[str] | None,
        typer.Option(
            help="Also measure the architecture of Table I at 224x224 for cifar10, cifar100 "
            "or tiny-imagenet."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads of the networks.")] = 1,
    repeats: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of timed runs at batch size 1.")
    ] = 100,
    out: Annotated[Path | None, typer.Option(help="Folder of the result (RUNS/footprint).")] = None,
    codec_dir: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """Measure size, FLOPs and latency of codecs.

    These are Table II of RKD-SC and Table III of KD-SemCom. Run nothing else meanwhile.
    """
    require("semcom footprint", "training")
    folder = out or runs / "footprint"
    if not (codecs or paper):
        raise ConfigurationError("name at least one codec, or a data set with --paper")
    words = ["--out", str(folder), "--threads", str(threads), "--repeats", str(repeats)]
    catalog = Catalog(codec_dir)
    say_origins(codecs or [], codec_dir)
    for codec in checked_codecs(codecs or [], catalog):
        words += ["--codec", str(catalog.folder(codec))]
    for dataset in paper or []:
        if dataset not in PAPER_DATASETS:
            raise ConfigurationError(
                f"--paper: unknown data set '{dataset}'; available: {', '.join(PAPER_DATASETS)}"
            )
        words += ["--paper", dataset]
    code = run_module("orchestrator.training.footprint", *words).returncode
    if code:
        raise typer.Exit(code)
    record = read_footprints(folder)
    assert record is not None
    for table in footprint_tables([record]):
        console.print(table.rich())
    console.print(f"wrote {folder}; draw it with: {command('semcom', 'report', folder)}")


def report(  # noqa: PLR0913, PLR0917 - the options of a command
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER", help="Folders of runs, evaluations, searches and footprints."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report (default: the run's; with several runs, "
            "a folder `comparison` next to the first)."
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Only print the tables as Markdown.")
    ] = False,
    ratio_snr_db: Annotated[
        float, typer.Option("--ratio-snr-db", help="SNR at which compression ratios are compared.")
    ] = RATIO_SNR_DB,
    example_snr_db: Annotated[
        str | None,
        typer.Option(
            "--example-snr-db",
            help="SNRs of example pictures and sentences, such as 0,10 (default: some SNRs).",
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format", help="Write figures for a paper instead, one file each: pdf,svg,png."
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(help="Style of those figures: ieee, ieee-wide, or a matplotlib style sheet."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="Display name of a system, codec or channel."),
    ] = None,
    data: DataDir = DATA,
) -> None:
    """Draw and print runs, evaluations, searches and footprints.

    If --data contains the data sets, systems are compared item by item.
    """
    labels = parse_labels(label or [])
    if style is not None and formats is None:
        raise ConfigurationError(
            "--style applies to figures for a paper: set --format, such as pdf"
        )
    if markdown:
        text = markdown_report(
            folders, ratio_snr_db=ratio_snr_db, labels=labels, data=data,
            example_snrs_db=parse_snrs(example_snr_db) or (),
        )  # fmt: skip
        console.print(text)
        return
    folder = folders[0] if len(folders) == 1 else folders[0].parent / "comparison"
    if formats is not None:
        place = out or folder / FIGURES
        written = write_figures(
            place, folders, formats=[each.strip() for each in formats.split(",")], style=style,
            labels=labels, ratio_snr_db=ratio_snr_db,
        )  # fmt: skip
        for path in written:
            console.print(f"wrote {path}")
        return
    print_folders(folders, labels)
    path = write_report(
        out or folder, folders, ratio_snr_db=ratio_snr_db, labels=labels, data=data,
        example_snrs_db=parse_snrs(example_snr_db) or (),
    )  # fmt: skip
    console.print(f"report: {path}")
    if (album := album_of(path)) is not None:
        console.print(f"pictures: {album}")


def _points(
    *, channels: str | None, snr_db: str | None, seeds: str | None, images: int | None
) -> dict[str, Any]:
    return {
        "channels": parse_channels(channels or CHANNELS),
        "snr_db": parse_snr_db(snr_db or SNR_DB),
        "seeds": parse_seeds(seeds or SEEDS),
        "images": images,
    }


def _evaluate(
    scenario: Scenario,
    folder: Path,
    folders: Folders,
    words: Sequence[str],
    *,
    part: Part | None = None,
    on: str | None = None,
) -> None:
    say_origins((c for link in scenario.links.values() for c in link.all_codecs), folders.codecs)
    say_equalizers(scenario.channels)
    draw_missing((link.dataset for link in scenario.links.values()), folders.data)
    run = partial(run_evaluation, part=part) if on is None else on_ray(on)
    try:
        with progress_bar() as progress:
            outcome = run(
                scenario,
                folder,
                folders=folders,
                watcher=lambda plan: EvaluationBar(progress, plan, part),
                command=words,
            )
    except InterruptedRunError as error:
        text = f"{error}; resume with: {going_on(words, folder)}"
        raise InterruptedRunError(text, error.exit_code) from error
    if part is not None:
        print_part(outcome, part)
        return
    print_folders([folder])
    print_outcome(outcome)


def on_ray(address: str) -> Callable[..., RunOutcome]:
    """Return a function that evaluates on a Ray cluster.

    Raises:
        ConfigurationError: Ray is not installed.
    """
    with needed_by("semcom evaluate --on", "ray"):
        from orchestrator.on_ray.units import connected  # noqa: PLC0415 - few have it

    return partial(run_on_cluster, cluster=partial(connected, address))


def print_folders(folders: Sequence[Path], labels: Mapping[str, str] | None = None) -> None:
    """Print each run separately, evaluations together, then searches and footprints."""
    found = read_sources(folders, labels)
    width = console.table_width
    with channels_named(found.labels):
        for run in found.timed:
            for shown in run_tables(run.summary, width=width):
                console.print(shown)
        for shown in system_tables([run for run in found.runs if run.is_evaluation], width=width):
            console.print(shown)
        for table in source_tables(found):
            console.print(table.rich())
