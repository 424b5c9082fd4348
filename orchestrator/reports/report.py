"""Results for people: a table for the terminal, a page with plots for the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich import box
from rich.table import Table

from orchestrator.reports import report_page
from orchestrator.reports.claims import claims_table, evidence_of
from orchestrator.reports.comparison_page import (
    accuracy_markdown,
    ratio_section,
    systems_section,
)
from orchestrator.reports.curves import accuracy_curves, channel_title, latency_bars
from orchestrator.reports.footprints import footprint_section, footprint_tables
from orchestrator.reports.markdown import markdown_table
from orchestrator.reports.markup import Picture, document
from orchestrator.reports.ratios import RATIO_SNR_DB, ratio_curves, ratio_tables
from orchestrator.reports.search_history import group_searches, search_table
from orchestrator.reports.search_page import search_section
from orchestrator.reports.sources import Sources, read_sources
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.run_folder import RESULTS_CSV, Run
from orchestrator.summary import Summary
from semcom.errors import StorageError
from semcom.files import write_atomically

REPORT = "report.html"
MAX_SNR_COLUMNS = 15  # what 100 columns of a terminal hold beside the names
MAX_NAMES = 4  # of sources in the page's title
INCOMPLETE = "…"


class Series(NamedTuple):
    """A line of the console's table."""

    link: str
    codec: str
    channel: str
    seed: int


def write_report(
    folder: Path, sources: Sequence[Path], *, ratio_snr_db: float = RATIO_SNR_DB
) -> Path:
    """Write `report.html` and its plots as PNG; returns the page.

    Args:
        folder: where to; made if it is not there.
        sources: folders of runs, evaluations, searches and footprints, shown side by side.
        ratio_snr_db: the SNR at which compression ratios are compared (Fig. 8).

    Raises:
        ConfigurationError: a folder holds nothing to report, or none were given.
        AccountingError: a ledger holds frames that were never planned.
        StorageError: a source cannot be read, or the report not be written.
    """
    parts, pictures = _sections(read_sources(sources), ratio_snr_db)
    path = folder / REPORT
    names = list(dict.fromkeys(source.resolve().name for source in sources))
    title = f"RKD-SC: {', '.join(names[:MAX_NAMES])}"
    if len(names) > MAX_NAMES:
        title += f" and {len(names) - MAX_NAMES} more"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (light, _) in pictures.items():
            write_atomically(folder / f"{name}.png", light)
        write_atomically(path, document(title, parts).encode())
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; choose another folder with --out"
        ) from error
    return path


def markdown_report(sources: Sequence[Path], *, ratio_snr_db: float = RATIO_SNR_DB) -> str:
    """Every table of some folders as Markdown.

    Runs by themselves are a table each, with their seeds apart; with evaluations among them all
    are taken together, by data set.

    Raises:
        SemcomError: as `write_report`.
    """
    found = read_sources(sources)
    if len(found.timed) == len(found.runs):
        tables = [markdown_table(run.summary) for run in found.runs]
    else:
        tables = [table.markdown() for table in accuracy_markdown(found.runs)]
    curves = ratio_curves(found.runs, snr_db=ratio_snr_db)
    tables += [table.markdown() for table in ratio_tables(curves, ratio_snr_db)]
    tables += [table.markdown() for table in source_tables(found)]
    return "\n\n".join(tables)


def source_tables(found: Sources) -> list[ReportTable]:
    """The tables of searches and footprints, and the paper's claims that all of it answers.

    Raises:
        ConfigurationError: one seed of a search is there twice.
    """
    groups = group_searches(found.searches)
    claims = _claims(found)
    return [
        *([search_table(groups)] if groups else []),
        *footprint_tables(found.footprints),
        *([claims] if claims is not None else []),
    ]


def _claims(found: Sources) -> ReportTable | None:
    return claims_table(evidence_of(found.runs, found.searches))


def _sections(found: Sources, ratio_snr_db: float) -> tuple[list[str], dict[str, Picture]]:
    """All parts of the page, and the pictures to be laid beside it."""
    from orchestrator.reports.plots import accuracy_png, latency_png

    pictures: dict[str, Picture] = {}
    parts = [report_page.overview(found.runs), *report_page.warnings(found.runs)]
    if not found.runs:
        parts = []
    curves, bars = accuracy_curves(found.timed), latency_bars(found.timed)
    if curves:
        picture = pictures["accuracy"] = accuracy_png(curves, LIGHT), accuracy_png(curves, DARK)
        parts += report_page.accuracy(curves, picture)
    if len(found.timed) < len(found.runs) or _several_systems(found.runs):
        parts += _added(pictures, systems_section(found.runs))
    parts += _added(pictures, ratio_section(found.runs, snr_db=ratio_snr_db))
    parts += _added(pictures, search_section(found.searches))
    parts += footprint_section(found.footprints)
    if (claims := _claims(found)) is not None:
        parts += ["<h2>The paper</h2>", claims.html()]
    if bars:
        picture = pictures["latency"] = latency_png(bars, LIGHT), latency_png(bars, DARK)
        parts += report_page.latency(bars, picture)
    if found.runs:
        parts += [*report_page.facts(found.runs), *report_page.every_point(found.runs)]
    return parts, pictures


def _added(
    pictures: dict[str, Picture], section: tuple[list[str], dict[str, Picture]]
) -> list[str]:
    parts, drawn = section
    pictures.update(drawn)
    return parts


def _several_systems(runs: Sequence[Run]) -> bool:
    return len({point.system for run in runs for point in run.summary.points}) > 1


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
