"""The second figure of a report: where the time of a frame goes, in light and dark mode."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from orchestrator.reports.curves import LatencyBar
from orchestrator.reports.drawing import (
    ABOVE,
    add_legend,
    dressed,
    lines_of,
    new_figure,
    plain,
    png_bytes,
    widest_in,
)
from orchestrator.reports.theme import LIGHT, Theme

STAGES = ("encode", "channel", "batch wait", "decode", "network and queues")
MIN_LABELLED_SHARE = 0.06  # share of the longest bar: narrower segments have no number
MAX_BARS = 60  # only the slowest links are drawn; the table next to the figure has all
BARS_IN, BAR_IN, NAME_LINE_IN = 6.2, 0.38, 0.16
NAME_LETTERS, NAME_SIZE = 44, 8.5


def latency_figure(bars: Sequence[LatencyBar], theme: Theme = LIGHT) -> Figure:
    """Draw stacked bars of median milliseconds per frame: encoding, then the round trip."""
    shown = bars
    if len(bars) > MAX_BARS:
        shown = sorted(bars, key=_total_ms, reverse=True)[:MAX_BARS]
    names = [plain(bar.name, NAME_LETTERS) for bar in shown]
    with dressed(theme):
        lines = max(map(lines_of, names))
        height_in = 0.8 + len(shown) * max(BAR_IN, NAME_LINE_IN * lines + 0.06)
        figure = new_figure(BARS_IN, height_in)
        figure.set_figwidth(BARS_IN + widest_in(figure, names, NAME_SIZE))
        axes = figure.subplots()
        _draw(axes, shown, theme)
        axes.set_yticks(range(len(names)), names)
        of_all = f", the {len(shown)} slowest of {len(bars)}" if len(shown) < len(bars) else ""
        axes.set_xlabel(f"median time per frame{_frame_size(bars)}{of_all} (ms)")
        handles = [
            Patch(color=colour, label=stage)
            for stage, colour in zip(STAGES, theme.stages, strict=True)
        ]
        add_legend(figure, handles, ABOVE)
        return figure


def latency_png(bars: Sequence[LatencyBar], theme: Theme = LIGHT) -> bytes:
    """`latency_figure` as PNG."""
    with dressed(theme):
        return png_bytes(latency_figure(bars, theme))


def stages_ms(bar: LatencyBar) -> tuple[float, ...]:
    """Return milliseconds in the order of `STAGES`."""
    found = bar.latency
    return (
        found.encode_ms, found.channel_ms, found.batch_wait_ms, found.decode_ms, found.network_ms,
    )  # fmt: skip


def _total_ms(bar: LatencyBar) -> float:
    return sum(stages_ms(bar))


def _draw(axes: Axes, bars: Sequence[LatencyBar], theme: Theme) -> None:
    rows = range(len(bars))
    totals = [_total_ms(bar) for bar in bars]
    room = MIN_LABELLED_SHARE * max(totals)
    left = [0.0] * len(bars)
    for colour, widths in zip(theme.stages, zip(*map(stages_ms, bars), strict=True), strict=True):
        drawn = axes.barh(rows, widths, left=left, height=0.62, color=colour)
        labels = [_milliseconds(width) if width >= room else "" for width in widths]
        axes.bar_label(drawn, labels, label_type="center", fontsize=7.5)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for row, total in zip(rows, totals, strict=True):
        axes.annotate(
            f"{_milliseconds(total)} ms", (total, row), (5, 0),
            textcoords="offset points", va="center", fontsize=8.5, fontweight="bold",
        )  # fmt: skip
    axes.set_xlim(0, 1.13 * max(totals) or 1.0)
    axes.set_ylim(len(bars) - 0.4, -0.6)  # the first one on top
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _milliseconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _frame_size(bars: Sequence[LatencyBar]) -> str:
    sizes = {bar.frame_images for bar in bars}
    return f" of {sizes.pop()} items" if len(sizes) == 1 else ""
