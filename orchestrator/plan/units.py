"""Units of work of a plan, and their distribution over parts. Pure.

A unit is a range of frames of a link with one of its codecs, at all points: an item is encoded once
and sent at every point, so points are never split. Links whose frames meet form one unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from orchestrator.plan.plan import Plan

Recorded = Mapping[tuple[int, str], AbstractSet[int]]  # frames by (point, link)


@dataclass(frozen=True)
class Unit:
    """Frames `first` to `stop` - 1 of links that are decoded together, at some points.

    Attributes:
        links: one link, or the members of a group in ascending order.
        variant: index of the links' codec.
        first: the first frame.
        stop: the frame after the last one.
        points: indices in the plan, ascending; all are of `variant`.
    """

    links: tuple[str, ...]
    variant: int
    first: int
    stop: int
    points: tuple[int, ...]

    @property
    def frames(self) -> int:
        """Return the number of frames: each frame of each link at each point."""
        return (self.stop - self.first) * self._frame_answers

    @property
    def _frame_answers(self) -> int:
        return len(self.links) * len(self.points)


def whole_units(plan: Plan) -> list[Unit]:
    """Return a unit of all frames for each link, or group of links, and codec."""
    units: list[Unit] = []
    for name, link in plan.links.items():
        group = plan.group_of(name)
        links = (name,) if group is None else tuple(group.links)
        if name != links[0]:
            continue  # it is in its group's unit
        for variant in range(len(link.codecs)):
            points = (each for each in plan.points_of(name) if plan.points[each].variant == variant)
            units.append(Unit(links, variant, 0, plan.frames(name), tuple(points)))
    return units


def units_of_part(plan: Plan, number: int, of: int) -> list[Unit]:
    """Return the units of one of `of` parts, counted from 1.

    The units form one sequence, in which each frame has its number of answers as weight; a part
    lies between two marks. So parts have about the same size, each frame is in exactly one of them,
    and a part loads as few codecs as possible. If there are fewer frames than parts, some are
    empty.
    """
    assert 1 <= number <= of
    units = whole_units(plan)
    total = sum(unit.frames for unit in units)
    found: list[Unit] = []
    before = 0
    for unit in units:
        weight = unit.frames // unit.stop
        marks = [-(-(total * end - before * of) // (weight * of)) for end in (number - 1, number)]
        first, stop = (min(max(mark, 0), unit.stop) for mark in marks)
        if first < stop:
            found.append(replace(unit, first=first, stop=stop))
        before += unit.frames
    return found


def missing_units(units: Iterable[Unit], recorded: Recorded) -> list[Unit]:
    """Return the missing units: consecutive frames that lack answers at the same points."""
    return [left for unit in units for left in _left_of(unit, recorded)]


def in_pieces(unit: Unit, *, answers: int) -> list[Unit]:
    """Split a unit into units of about this many answers, with at least one frame each."""
    length = max(1, round(answers * (unit.stop - unit.first) / max(1, unit.frames)))
    return [
        replace(unit, first=first, stop=min(first + length, unit.stop))
        for first in range(unit.first, unit.stop, length)
    ]


def _left_of(unit: Unit, recorded: Recorded) -> Iterator[Unit]:
    begun: Unit | None = None
    for frame in range(unit.first, unit.stop):
        points = tuple(
            point
            for point in unit.points
            if any(frame not in recorded.get((point, link), ()) for link in unit.links)
        )
        if begun is not None and begun.points != points:
            yield begun
            begun = None
        if points:
            first = frame if begun is None else begun.first
            begun = replace(unit, first=first, stop=frame + 1, points=points)
    if begun is not None:
        yield begun
