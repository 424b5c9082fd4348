"""Results for people: a table for the terminal, a page with plots for the browser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.table import Table

from orchestrator.curves import accuracy_curves, channel_title, latency_bars
from orchestrator.plots import DARK, LIGHT, accuracy_png, latency_png
from orchestrator.report_page import page
from orchestrator.run_folder import RESULTS_CSV, Run, read_run
from orchestrator.summary import Summary
from semcom.errors import ConfigurationError, StorageError
from semcom.files import write_atomically

REPORT = "report.html"
MAX_SNR_COLUMNS = 15  # what 100 columns of a terminal hold beside the names
INCOMPLETE = "…"


class Series(NamedTuple):
    """A line of the console's table."""

    link: str
    codec: str
    channel: str
    seed: int


def write_report(folder: Path, runs: Sequence[Path]) -> Path:
    """Write `report.html` and its plots as PNG; returns the page.

    Args:
        folder: where to; made if it is not there.
        runs: folders of one run, or of several to be shown side by side.

    Raises:
        ConfigurationError: a folder holds no run, or none were given.
        AccountingError: a ledger holds frames that were never planned.
        StorageError: a run cannot be read, or the report not be written.
    """
    if not runs:
        raise ConfigurationError("no runs to report; name at least one run's folder")
    found = _with_own_names([read_run(run) for run in runs])
    curves, bars = accuracy_curves(found), latency_bars(found)
    figures: dict[str, tuple[bytes, bytes]] = {}
    if curves:
        figures["accuracy"] = accuracy_png(curves, LIGHT), accuracy_png(curves, DARK)
        figures["latency"] = latency_png(bars, LIGHT), latency_png(bars, DARK)
    path = folder / REPORT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (light, _) in figures.items():
            write_atomically(folder / f"{name}.png", light)
        write_atomically(path, page(found, curves, bars, figures=figures).encode())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    return path


def console_table(summary: Summary) -> Table:
    """Accuracy in percent: a line per link, channel and seed; an SNR per column.

    Fits 100 columns: of more SNRs than have room there, every second or third is shown, and the
    caption says so. A point without all of its frames shows as an ellipsis.
    """
    cells = _cells(summary)
    snrs_db = sorted({snr_db for _, snr_db in cells})
    step = -(-len(snrs_db) // MAX_SNR_COLUMNS)
    table = Table(
        title=f"{summary.plan.name}: accuracy in % against Es/N0 in dB",
        caption=_caption(summary, step),
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    table.add_column("link", overflow="fold")
    table.add_column("channel", no_wrap=True)
    several_seeds = len({series.seed for series, _ in cells}) > 1
    if several_seeds:
        table.add_column("seed", justify="right", no_wrap=True)
    for snr_db in snrs_db[::step]:
        table.add_column(f"{snr_db:g}", justify="right", no_wrap=True, min_width=4)
    # One row of the table per link: its name may take several lines, beside the channels'.
    for name, lines in _groups(summary, cells).items():
        columns = [[channel_title(series.channel) for series in lines]]
        if several_seeds:
            columns.append([str(series.seed) for series in lines])
        for snr_db in snrs_db[::step]:
            columns.append([cells.get((series, snr_db), "") for series in lines])
        table.add_row(name, *("\n".join(column) for column in columns), end_section=True)
    return table


def _with_own_names(runs: list[Run]) -> list[Run]:
    """Runs whose folders are called alike are numbered."""
    alike = Counter(run.name for run in runs)
    return [
        replace(run, name=f"{run.name} ({number})") if alike[run.name] > 1 else run
        for number, run in enumerate(runs, start=1)
    ]


def _cells(summary: Summary) -> dict[tuple[Series, float], str]:
    """What stands at every planned series and SNR, in the order of the plan."""
    plan = summary.plan
    cells: dict[tuple[Series, float], str] = {}
    for link in plan.links:
        for point in plan.points_of(link):
            spec, codec = plan.points[point].spec, plan.codec_at(link, point).name
            series = Series(link, codec, spec.channel.label, spec.seed)
            cells[series, spec.snr_db] = INCOMPLETE
    for done in summary.points:
        series = Series(done.link, done.codec, done.channel, done.seed)
        cells[series, done.snr_db] = f"{100 * done.accuracy:.1f}"
    return cells


def _groups(summary: Summary, cells: dict[tuple[Series, float], str]) -> dict[str, list[Series]]:
    """Series by the name of their link, and of their codec if it has several; by channel."""
    groups: dict[str, dict[Series, None]] = {}
    channels = list(dict.fromkeys(series.channel for series, _ in cells))
    for series, _ in cells:
        several = len(summary.plan.links[series.link].codecs) > 1
        name = f"{series.link}\n{series.codec}" if several else series.link
        groups.setdefault(name, {})[series] = None
    return {
        name: sorted(found, key=lambda series: channels.index(series.channel))
        for name, found in groups.items()
    }


def _caption(summary: Summary, step: int) -> str | None:
    """What the reader must know of cells that are not there."""
    notes = [f"one of {step} SNRs shown, all are in {RESULTS_CSV}"] * (step > 1)
    notes += [f"{INCOMPLETE} not complete"] * bool(summary.incomplete)
    return "; ".join(notes) or None
