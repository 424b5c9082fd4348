"""Strokes of lines: combinations of colour, dashes and marker, different for every line.

A line has a colour of the theme and a form: its dashes and its marker. There are 8 colours and 32
forms; neighbours differ in both if possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.reports.theme import Theme

DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
FORMS = len(DASHES) * len(MARKERS)


@dataclass(frozen=True)
class Stroke:
    """A line's colour, dashes and marker, which may be hollow."""

    colour: str
    dashes: str
    marker: str
    filled: bool

    def style(self, theme: Theme) -> dict[str, Any]:
        """Arguments of matplotlib's lines."""
        return {
            "color": self.colour,
            "linestyle": self.dashes,
            "marker": self.marker,
            "markerfacecolor": self.colour if self.filled else theme.background,
        }


def stroke(colour: str, form: int) -> Stroke:
    """Return a line of a colour with a form by its number; the first one is solid and filled.

    Within a period of 32, all forms differ: four neighbours differ in dashes and marker, and the
    markers shift by one from each group of four to the next.
    """
    dashes = DASHES[form % len(DASHES)]
    marker = MARKERS[(form + form // len(DASHES)) % len(MARKERS)]
    return Stroke(colour, dashes, marker, filled=form % FORMS == 0)


def series_stroke(index: int, theme: Theme) -> Stroke:
    """Return the line of a series, each with its own colour and form; 256 are different."""
    colours = theme.series
    return stroke(colours[index % len(colours)], index // len(colours))
