"""`semcom report --format`: a file for each figure, its table in LaTeX, and one CSV of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.reports.paper_curves import paper_figures
from orchestrator.reports.ratios import RATIO_SNR_DB
from orchestrator.reports.report import drawing_errors
from orchestrator.reports.report_sources import read_sources
from semcom.errors import ConfigurationError, StorageError
from semcom.files import write_atomically

FOLDER = "figures"
CURVES = "curves.csv"


def write_figures(
    folder: Path | str,
    sources: Sequence[Path | str],
    *,
    formats: Sequence[str],
    style: str | None = None,
    labels: Mapping[str, str] | None = None,
    ratio_snr_db: float = RATIO_SNR_DB,
) -> list[Path]:
    """Write figures for a paper; returns the files.

    Args:
        folder: where to; made if it is not there.
        sources: folders of runs and evaluations, taken together.
        formats: of the figures: pdf, svg, png.
        style: name of a shipped style, or a style sheet of matplotlib; that of reports if None.
        labels: names for systems and codecs, by the names that they have.
        ratio_snr_db: the SNR at which compression ratios are compared.

    Raises:
        ConfigurationError: nothing to draw, an unknown format, style or label.
        StorageError: a source cannot be read, or a figure not be written.
        ReportError: it cannot be drawn, as where matplotlib raises anything.
    """
    folder = Path(folder)
    found = read_sources([Path(source) for source in sources], labels)
    with drawing_errors(folder):
        from orchestrator.reports.paper_plot import FORMATS, figure_bytes
        from orchestrator.reports.paper_style import read_style
        from orchestrator.reports.paper_tables import curves_csv, latex_table

        chosen = [form for form in FORMATS if form in formats]
        for form in formats:
            if form not in FORMATS:
                raise ConfigurationError(f"--format {form}: expected {', '.join(FORMATS)}")
        settings = read_style(style)
        figures = paper_figures(found.runs, ratio_snr_db=ratio_snr_db)
        if not figures:
            raise ConfigurationError("no curve of at least two points to draw")
        contents = {CURVES: curves_csv(figures).encode()}
        for figure in figures:
            for form in chosen:
                contents[f"{figure.name}.{form}"] = figure_bytes(figure, settings, form)
            contents[f"{figure.name}.tex"] = latex_table(figure).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            write_atomically(folder / name, content)
    except OSError as error:
        raise StorageError(
            f"cannot write {folder}: {error.strerror}; choose another folder with --out"
        ) from error
    return [folder / name for name in sorted(contents)]
