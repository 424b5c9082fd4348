"""Tools of all figures: a separate canvas, legends that fit, uninterpreted text.

Drawn with matplotlib's objects on its Agg canvas, without its global state. Equal results give
equal files.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.legend import Legend
from matplotlib.text import Text

from orchestrator.reports.theme import DPI, Theme, rc_params
from semcom.plain_text import one_line

MAX_PIXELS = 30_000  # pixels per side: Agg draws fewer than 65,536
MAX_COLUMNS = 8  # of a legend
MAX_NAME = 60  # characters of a line; longer names take several
ABOVE, BELOW = "outside upper center", "outside lower center"


@contextmanager
def dressed(theme: Theme) -> Iterator[None]:
    """Apply the colours and sizes of a theme in the block, whatever the user has set."""
    with style.context(["default", rc_params(theme)], after_reset=True):
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure with automatic layout."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def png_bytes(figure: Figure) -> bytes:
    """Return the figure as PNG without times."""
    content = io.BytesIO()
    FigureCanvasAgg(figure)
    dpi = min(DPI, MAX_PIXELS / max(figure.get_size_inches()))
    figure.savefig(content, format="png", dpi=dpi, metadata={"Software": None})
    return content.getvalue()


def add_legend(figure: Figure, handles: Sequence[Artist], place: str) -> Legend:
    """Add a legend above or below the panels, with as many columns as fit.

    The figure grows by the height of the legend, so that the panels keep their size.
    """
    columns = min(MAX_COLUMNS, len(handles))
    while True:
        rows = -(-len(handles) // columns)
        columns = -(-len(handles) // rows)  # full rows, as far as possible
        legend = figure.legend(handles=handles, loc=place, ncols=columns)
        extent = legend.get_window_extent(_renderer(figure))
        if columns == 1 or extent.width <= figure.bbox.width:
            break
        legend.remove()
        columns -= 1
    width_in, height_in = figure.get_size_inches()
    needed_in = extent.width / figure.dpi
    figure.set_size_inches(max(width_in, needed_in), height_in + extent.height / figure.dpi)
    return legend


def widest_in(figure: Figure, texts: Sequence[str], size: float) -> float:
    """Return the width of the widest text in a size of the font in points, in inches."""
    shown = [Text(text=text, fontsize=size, figure=figure) for text in texts]
    renderer = _renderer(figure)
    extents = [text.get_window_extent(renderer, dpi=figure.dpi) for text in shown]
    return float(max((extent.width for extent in extents), default=0.0) / figure.dpi)


def lines_of(text: str) -> int:
    """Return how many lines a text of `plain` takes."""
    return text.count("\n") + 1


def plain(name: str, width: int = MAX_NAME) -> str:
    """Return a name in a printable form, because a folder may have any name.

    Nothing is interpreted as a formula or a hidden name; characters that the font lacks become
    their codes; long names are wrapped.
    """
    known = _letters()
    shown = "".join(
        letter if ord(letter) in known else letter.encode("ascii", "backslashreplace").decode()
        for letter in one_line(name)
    )
    lines = textwrap.wrap(shown, width, break_on_hyphens=False) or [""]
    text = "\n".join(lines).replace("$", r"\$")
    return f"\N{ZERO WIDTH SPACE}{text}" if text.startswith("_") else text


@cache
def _letters() -> frozenset[int]:
    """Return the characters of matplotlib's default font."""
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def _renderer(figure: Figure) -> RendererAgg:
    return FigureCanvasAgg(figure).get_renderer()
