"""Names at the ends of lines instead of a legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

LINE_HEIGHT = 1.3  # of the font size
PLACE = 1.035  # where the names start, in widths of the panel


@dataclass(frozen=True)
class EndLabel:
    """A line's last point, in the units of the panel, and its text."""

    x: float
    y: float
    text: str
    colour: str


def label_line_ends(
    axes: Axes, labels: Sequence[EndLabel], *, height_in: float, size: float = 8.5
) -> None:
    """Write the names to the right of the panel without overlap, each with a thin line to its end.

    Call this after the limits of the panel are set.

    Args:
        axes: the panel, with linear scales.
        labels: one per line.
        height_in: approximate height of the panel in inches.
        size: font size in points.
    """
    low, high = axes.get_ylim()
    lines = max(label.text.count("\n") + 1 for label in labels)
    room = lines * LINE_HEIGHT * size / (72 * height_in)
    ordered = sorted(labels, key=lambda label: label.y)
    places = spread([(label.y - low) / (high - low) for label in ordered], room)
    # Keep the area of the panel's title, and that below its axis, free.
    shift = max(0.0, -places[0]) - max(0.0, places[-1] - 1.0)
    places = [place + shift for place in places]
    for label, place in zip(ordered, places, strict=True):
        axes.annotate(
            label.text,
            (label.x, label.y),
            (PLACE, place),
            textcoords="axes fraction",
            color=label.colour,
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": label.colour,
                "linewidth": 0.7,
                "alpha": 0.6,
                "shrinkA": 0,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )


def spread(wanted: Sequence[float], room: float) -> list[float]:
    """Return positions close to the ascending `wanted` ones, with `room` between neighbours.

    Neighbours that are too close are moved as a group with a fixed centre.
    """
    groups: list[list[float]] = []  # sum of wanted starts, number of members
    for index, value in enumerate(wanted):
        groups.append([value - room * index, 1.0])
        while len(groups) > 1 and _mean(groups[-1]) < _mean(groups[-2]):
            last = groups.pop()
            groups[-1] = [groups[-1][0] + last[0], groups[-1][1] + last[1]]
    starts = [_mean(group) for group in groups for _ in range(int(group[1]))]
    return [start + room * index for index, start in enumerate(starts)]


def _mean(group: Sequence[float]) -> float:
    return group[0] / group[1]
