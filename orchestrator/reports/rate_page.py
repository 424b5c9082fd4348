"""The part of a page on codewords of several lengths: a figure and its tables."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.reports.markup import Picture, figure
from orchestrator.reports.rates import rate_curves, rate_tables
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun

CAPTION = (
    "{metric} against the mean number of complex symbols of an item. Lines: the same number "
    "of increments for every item; dashes: increments until the receiver is confident.{table} "
    "Bars: 95 % intervals."
)
OF_TABLE = " Triangles: the number of increments in the codec's table for this SNR."


def rate_section(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Return parts and pictures; nothing if no codec was sent at several rates."""
    from orchestrator.reports.rate_plot import rate_png

    curves = rate_curves(runs)
    if not curves:
        return [], {}
    picture = rate_png(curves, LIGHT), rate_png(curves, DARK)
    table = OF_TABLE if any(curve.by_snr for curve in curves) else ""
    text = CAPTION.format(metric=curves[0].metric.title, table=table)
    parts = ["<h2>Symbols</h2>", figure("rates", picture, text)]
    return parts + [table.html() for table in rate_tables(curves)], {"rates": picture}
