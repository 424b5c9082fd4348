"""The report: a page with plots for the browser, and its tables as Markdown."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.plan.folders import DATA
from orchestrator.reports import report_page
from orchestrator.reports.channel_titles import channels_named
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
from orchestrator.reports.interference_page import interference_section
from orchestrator.reports.interference_tables import interference_tables
from orchestrator.reports.markdown import markdown_tables
from orchestrator.reports.markup import Picture, document
from orchestrator.reports.metric_texts import picture_names
from orchestrator.reports.noma_gates import gate_tables
from orchestrator.reports.picture_page import PAGE, picture_page
from orchestrator.reports.point_measures import point_measure_tables
from orchestrator.reports.rate_page import rate_section
from orchestrator.reports.rates import rate_curves, rate_tables
from orchestrator.reports.ratios import RATIO_SNR_DB, ratio_curves, ratio_tables
from orchestrator.reports.received_pictures import galleries, has_pictures
from orchestrator.reports.report_sources import Sources, read_sources
from orchestrator.reports.search_history import group_searches, search_table
from orchestrator.reports.search_page import search_section
from orchestrator.reports.sentences_page import sentences_section, sentences_tables
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.text_claims import text_evidence_tables
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
    example_snrs_db: Sequence[float] = (),
) -> Path:
    """Write `report.html` and its plots as PNG, and `pictures.html`; return the first page.

    Args:
        folder: target folder, created if absent.
        sources: folders of runs, evaluations, searches and footprints, shown side by side.
        ratio_snr_db: the SNR at which compression ratios are compared (Fig. 8).
        labels: display names of systems, codecs and channels by their original names.
        data: folder of data sets; with them, answers are compared item by item.
        example_snrs_db: SNRs of example pictures; for sentences, the nearest to the first one. By
            default three of each run's, and the middle one.

    Raises:
        ConfigurationError: a folder contains nothing to report, or none were given.
        AccountingError: a ledger has frames that were never planned.
        StorageError: a source cannot be read, or the report cannot be written.
        ReportError: the report cannot be drawn.
    """
    path = folder / REPORT
    found = read_sources(sources, labels, data=data)
    with drawing_errors(path), channels_named(found.labels):
        sentences = sentences_section(found.runs, data, snr_db=_first(example_snrs_db))
        parts, pictures = _sections(found, ratio_snr_db, sentences)
        shown = [each for run in found.runs for each in galleries(run, data, example_snrs_db)]
        album = picture_page(shown) if shown else ""
    parts[:0] = _album_note(found, there=bool(shown))
    names = list(dict.fromkeys(source.resolve().name for source in sources))
    title = f"RKD-SC: {', '.join(names[:MAX_NAMES])}"
    if len(names) > MAX_NAMES:
        title += f" and {len(names) - MAX_NAMES} more"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, (light, _) in pictures.items():
            write_atomically(folder / f"{name}.png", light)
        if album:
            write_atomically(folder / PAGE, _bytes_of(album))
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
    example_snrs_db: Sequence[float] = (),
) -> str:
    """Return every table of some folders as Markdown.

    Without evaluations, each run has its own table; with evaluations, all are combined by data set.

    Raises:
        SemcomError: as for `write_report`.
    """
    found = read_sources(sources, labels, data=data)
    with channels_named(found.labels):
        return "\n\n".join(_markdown(found, ratio_snr_db, data, _first(example_snrs_db)))


def _markdown(
    found: Sources, ratio_snr_db: float, data: Path, example_snr_db: float | None
) -> list[str]:
    if len(found.timed) == len(found.runs):
        tables = [markdown_tables(run.summary, run.labels) for run in found.runs]
    else:
        tables = [table.markdown() for table in metric_markdown(found.runs)]
    tables += [table.markdown() for table in interference_tables(found.runs)]
    tables += [table.markdown() for table in rate_tables(rate_curves(found.runs))]
    for metric in metrics_of(found.runs):
        curves = ratio_curves(found.runs, metric, snr_db=ratio_snr_db)
        tables += [table.markdown() for table in ratio_tables(curves, ratio_snr_db)]
    tables += [table.markdown() for table in point_measure_tables(found.runs)]
    tables += [table.markdown() for table in evidence_tables(found.runs)]
    examples = sentences_tables(found.runs, data, snr_db=example_snr_db)
    tables += [table.markdown() for table in examples]
    return [*tables, *(table.markdown() for table in source_tables(found))]


def source_tables(found: Sources) -> list[ReportTable]:
    """Return the tables of searches and footprints, and of the paper's claims.

    Raises:
        ConfigurationError: a seed of a search occurs twice.
    """
    groups = group_searches(found.searches)
    claims = _claims(found)
    return [
        *([search_table(groups)] if groups else []),
        *footprint_tables(found.footprints),
        *([claims] if claims is not None else []),
        *text_evidence_tables(found.runs),
        *gate_tables(found.runs),
    ]


@contextmanager
def drawing_errors(path: Path) -> Iterator[None]:
    """Turn any error of a library into one line; the run itself is not affected."""
    try:
        yield
    except SemcomError:
        raise
    except Exception as error:
        logger.info("the report cannot be drawn", exc_info=True)
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ReportError(f"cannot draw {path}: {reason}") from error


def _album_note(found: Sources, *, there: bool) -> list[str]:
    """Return a link to the page of pictures, or what it needs."""
    if there:
        return [f'<p><a href="{PAGE}">Pictures: images sent and received</a></p>']
    if any(has_pictures(run) for run in found.runs):
        return ['<p class="muted">Pictures need the data sets: name their folder with --data.</p>']
    return []


def album_of(page: Path) -> Path | None:
    """Return the page of pictures to which a report links, if it does."""
    linked = f'href="{PAGE}"' in page.read_text(encoding="utf-8")
    return page.with_name(PAGE) if linked else None


def _first(snrs_db: Sequence[float]) -> float | None:
    return next(iter(snrs_db), None)


def _bytes_of(page: str) -> bytes:
    """Return a page as UTF-8; a folder's name may contain bytes that are not text."""
    return page.encode(errors="backslashreplace")


def _claims(found: Sources) -> ReportTable | None:
    return claims_table(evidence_of(found.runs, found.searches))


def _sections(
    found: Sources, ratio_snr_db: float, sentences: Sequence[str]
) -> tuple[list[str], dict[str, Picture]]:
    """Return all parts of the page, and the pictures to be stored next to it."""
    from orchestrator.reports.latency_plot import latency_png

    pictures: dict[str, Picture] = {}
    parts = [report_page.overview(found.runs), *report_page.warnings(found.runs)]
    if not found.runs:
        parts = []
    bars = latency_bars(found.timed)
    parts += _added(pictures, _metric_sections([run for run in found.runs if _by_link(run)]))
    parts += _added(pictures, systems_section(found.runs))
    if tables := point_measure_tables(found.runs):
        parts += ["<h2>Measures of whole points</h2>", *(table.html() for table in tables)]
    parts += _added(pictures, energy_sections(found.runs))
    parts += evidence_section(found.runs)
    parts += _added(pictures, interference_section(found.runs))
    parts += sentences
    parts += _added(pictures, rate_section(found.runs))
    parts += _added(pictures, ratio_sections(found.runs, snr_db=ratio_snr_db))
    parts += _added(pictures, search_section(found.searches))
    parts += footprint_section(found.footprints)
    if (claims := _claims(found)) is not None:
        parts += ["<h2>The paper</h2>", claims.html()]
    if text := text_evidence_tables(found.runs):
        parts += ["<h2>The paper on sentences</h2>", *(table.html() for table in text)]
    if gates := gate_tables(found.runs):
        parts += ["<h2>Superposed images</h2>", *(table.html() for table in gates)]
    if bars:
        picture = pictures["latency"] = latency_png(bars, LIGHT), latency_png(bars, DARK)
        parts += report_page.latency(bars, picture)
    if found.runs:
        parts += [*report_page.facts(found.runs), *report_page.every_point(found.runs)]
    return parts, pictures


def _by_link(run: StoredRun) -> bool:
    """Return whether links are shown separately: users of one channel, and links of a sweep."""
    return not run.is_evaluation or any(
        group.kind == "superposition" for group in run.summary.plan.groups.values()
    )


def _metric_sections(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Return a figure of each metric against SNR, with its tables."""
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
