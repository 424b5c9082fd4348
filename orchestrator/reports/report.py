"""The report: a page with plots for the browser, and its tables as Markdown."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.plan.folders import DATA
from orchestrator.reports import report_page
from orchestrator.reports.claims import claims_table, evidence_of
from orchestrator.reports.comparison_page import (
    metric_markdown,
    ratio_sections,
    systems_section,
)
from orchestrator.reports.curves import latency_bars, metric_curves, metrics_of
from orchestrator.reports.evidence_page import (
    energy_sections,
    evidence_section,
    evidence_tables,
)
from orchestrator.reports.footprints import footprint_section, footprint_tables
from orchestrator.reports.interference_tables import interference_section, interference_tables
from orchestrator.reports.markdown import markdown_tables
from orchestrator.reports.markup import Picture, document
from orchestrator.reports.metric_texts import picture_names
from orchestrator.reports.rate_page import rate_section
from orchestrator.reports.rates import rate_curves, rate_tables
from orchestrator.reports.ratios import RATIO_SNR_DB, ratio_curves, ratio_tables
from orchestrator.reports.report_sources import Sources, read_sources
from orchestrator.reports.search_history import group_searches, search_table
from orchestrator.reports.search_page import search_section
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun
from semcom.errors import ReportError, SemcomError, StorageError
from semcom.files import write_atomically

REPORT = "report.html"
MAX_NAMES = 4  # of sources in the page's title
logger = logging.getLogger("orchestrator.reports")


def write_report(
    folder: Path,
    sources: Sequence[Path],
    *,
    ratio_snr_db: float = RATIO_SNR_DB,
    labels: Mapping[str, str] | None = None,
    data: Path = DATA,
) -> Path:
    """Write `report.html` and its plots as PNG; returns the page.

    Args:
        folder: where to; made if it is not there.
        sources: folders of runs, evaluations, searches and footprints, shown side by side.
        ratio_snr_db: the SNR at which compression ratios are compared (Fig. 8).
        labels: names for systems and codecs, by the names that they have.
        data: folder of data sets; those that are there take answers apart by item.

    Raises:
        ConfigurationError: a folder holds nothing to report, or none were given.
        AccountingError: a ledger holds frames that were never planned.
        StorageError: a source cannot be read, or the report not be written.
        ReportError: it cannot be drawn, as where matplotlib raises anything.
    """
    path = folder / REPORT
    found = read_sources(sources, labels, data=data)
    with drawing_errors(path):
        parts, pictures = _sections(found, ratio_snr_db)
    names = list(dict.fromkeys(source.resolve().name for source in sources))
    title = f"RKD-SC: {', '.join(names[:MAX_NAMES])}"
    if len(names) > MAX_NAMES:
        title += f" and {len(names) - MAX_NAMES} more"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (light, _) in pictures.items():
            write_atomically(folder / f"{name}.png", light)
        write_atomically(path, _bytes_of(document(title, parts)))
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; choose another folder with --out"
        ) from error
    return path


def markdown_report(
    sources: Sequence[Path],
    *,
    ratio_snr_db: float = RATIO_SNR_DB,
    labels: Mapping[str, str] | None = None,
    data: Path = DATA,
) -> str:
    """Every table of some folders as Markdown.

    Runs by themselves are a table each, with their seeds apart; with evaluations among them all
    are taken together, by data set.

    Raises:
        SemcomError: as `write_report`.
    """
    found = read_sources(sources, labels, data=data)
    if len(found.timed) == len(found.runs):
        tables = [markdown_tables(run.summary) for run in found.runs]
    else:
        tables = [table.markdown() for table in metric_markdown(found.runs)]
    tables += [table.markdown() for table in interference_tables(found.runs)]
    tables += [table.markdown() for table in rate_tables(rate_curves(found.runs))]
    for metric in metrics_of(found.runs):
        curves = ratio_curves(found.runs, metric, snr_db=ratio_snr_db)
        tables += [table.markdown() for table in ratio_tables(curves, ratio_snr_db)]
    tables += [table.markdown() for table in evidence_tables(found.runs)]
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


@contextmanager
def drawing_errors(path: Path) -> Iterator[None]:
    """Say in one line what cannot be drawn: whatever a library raises, the run is right."""
    try:
        yield
    except SemcomError:
        raise
    except Exception as error:
        logger.info("the report cannot be drawn", exc_info=True)
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ReportError(f"cannot draw {path}: {reason}") from error


def _bytes_of(page: str) -> bytes:
    """UTF-8; a folder's name may hold what is no text."""
    return page.encode(errors="backslashreplace")


def _claims(found: Sources) -> ReportTable | None:
    return claims_table(evidence_of(found.runs, found.searches))


def _sections(found: Sources, ratio_snr_db: float) -> tuple[list[str], dict[str, Picture]]:
    """All parts of the page, and the pictures to be laid beside it."""
    from orchestrator.reports.latency_plot import latency_png

    pictures: dict[str, Picture] = {}
    parts = [report_page.overview(found.runs), *report_page.warnings(found.runs)]
    if not found.runs:
        parts = []
    bars = latency_bars(found.timed)
    parts += _added(pictures, _metric_sections(found.timed))
    parts += _added(pictures, systems_section(found.runs))
    parts += _added(pictures, energy_sections(found.runs))
    parts += evidence_section(found.runs)
    parts += interference_section(found.runs)
    parts += _added(pictures, rate_section(found.runs))
    parts += _added(pictures, ratio_sections(found.runs, snr_db=ratio_snr_db))
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


def _metric_sections(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """A figure of each metric against SNR, with its tables."""
    from orchestrator.reports.metric_plot import metric_png

    parts: list[str] = []
    pictures: dict[str, Picture] = {}
    for metric, name in picture_names(metrics_of(runs)).items():
        curves = metric_curves(runs, metric)
        picture = pictures[name] = metric_png(curves, LIGHT), metric_png(curves, DARK)
        parts += report_page.metric_section(curves, name, picture)
    return parts, pictures


def _added(
    pictures: dict[str, Picture], section: tuple[list[str], dict[str, Picture]]
) -> list[str]:
    parts, drawn = section
    pictures.update(drawn)
    return parts
