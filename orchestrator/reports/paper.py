"""`semcom report --format`: a file for each figure, its table in LaTeX, and a CSV of each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from orchestrator.reports.channel_titles import channels_named
from orchestrator.reports.paper_curves import paper_figures
from orchestrator.reports.ratios import RATIO_SNR_DB
from orchestrator.reports.report import drawing_errors
from orchestrator.reports.report_sources import read_sources
from semcom.errors import ConfigurationError, StorageError
from semcom.files import write_atomically

FOLDER = "figures"
CURVES, LATENCIES, SEARCHES = "curves.csv", "latency.csv", "search.csv"


def write_figures(
    folder: Path | str,
    sources: Sequence[Path | str],
    *,
    formats: Sequence[str],
    style: str | None = None,
    labels: Mapping[str, str] | None = None,
    ratio_snr_db: float = RATIO_SNR_DB,
) -> list[Path]:
    """Write figures for a paper; return the files.

    Args:
        folder: target folder, created if absent.
        sources: folders of runs and evaluations, which are combined, and of searches.
        formats: formats of the figures: pdf, svg, png.
        style: name of a shipped style, or a matplotlib style sheet; None: the style of reports.
        labels: display names of systems, codecs and channels by their original names.
        ratio_snr_db: the SNR at which compression ratios are compared.

    Raises:
        ConfigurationError: there is nothing to draw, or a format, style or label is unknown.
        StorageError: a source cannot be read, or a figure cannot be written.
        ReportError: a figure cannot be drawn.
    """
    folder = Path(folder)
    found = read_sources([Path(source) for source in sources], labels)
    with drawing_errors(folder), channels_named(found.labels):
        from orchestrator.reports.paper_latency import latency_csv, latency_drawings
        from orchestrator.reports.paper_plot import (
            FORMATS,
            PaperDrawing,
            draw_paper_figure,
            figure_bytes,
        )
        from orchestrator.reports.paper_search import search_csv, search_drawings
        from orchestrator.reports.paper_style import read_style
        from orchestrator.reports.paper_tables import curves_csv, latex_table

        chosen = [form for form in FORMATS if form in formats]
        for form in formats:
            if form not in FORMATS:
                raise ConfigurationError(f"--format {form}: expected {', '.join(FORMATS)}")
        settings = read_style(style)
        figures = paper_figures(found.runs, ratio_snr_db=ratio_snr_db)
        drawings = [
            *(PaperDrawing(f.name, partial(draw_paper_figure, f), latex_table(f)) for f in figures),
            *latency_drawings(found.timed),
            *search_drawings(found.searches),
        ]
        if not drawings:
            raise ConfigurationError("no curve of at least two points to draw")
        tables = {
            CURVES: curves_csv(figures) if figures else None,
            LATENCIES: latency_csv(found.timed),
            SEARCHES: search_csv(found.searches),
        }
        contents = {name: text.encode() for name, text in tables.items() if text is not None}
        for drawing in drawings:
            for form in chosen:
                contents[f"{drawing.name}.{form}"] = figure_bytes(drawing, settings, form)
            contents[f"{drawing.name}.tex"] = drawing.table.encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}; choose another folder with --out"
        ) from error
    return [folder / name for name in sorted(contents)]
