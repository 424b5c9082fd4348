"""The points and groups of the runs known to a channel. Pure; sent again after a restart."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from semcom.frame_messages import FrameKey
from semcom.groups import Group
from semcom.messages import PointTable
from semcom.points import PointSpec

RUNS_REMEMBERED = 4


class KnownPoints:
    """Points by run and index; only those of the latest runs."""

    def __init__(self) -> None:
        self._points: OrderedDict[str, dict[int, PointSpec]] = OrderedDict()
        self._lowest: dict[str, int] = {}  # run -> first point that is still needed
        self._groups: dict[str, dict[str, Group]] = {}  # run -> link -> its group

    @property
    def runs(self) -> list[str]:
        """The known runs, the latest one last."""
        return [*self._points]

    @property
    def latest(self) -> str | None:
        """The run whose table arrived last."""
        return next(reversed(self._points), None)

    def learn(self, table: PointTable) -> None:
        """Add points of a run and forget those below `lowest`; only the latest runs are kept."""
        points = self._points.setdefault(table.run, {})
        lowest = self._lowest.get(table.run, 0)
        if table.lowest > lowest:
            lowest = self._lowest[table.run] = table.lowest
            for point in [point for point in points if point < lowest]:
                del points[point]
        given = enumerate(table.points, start=table.first)
        points.update((point, spec) for point, spec in given if point >= lowest)
        self._groups[table.run] = {link: group for group in table.groups for link in group.links}
        self._points.move_to_end(table.run)
        while len(self._points) > RUNS_REMEMBERED:
            forgotten, _ = self._points.popitem(last=False)
            self._lowest.pop(forgotten, None)
            self._groups.pop(forgotten, None)

    def of(self, run: str) -> Mapping[int, PointSpec]:
        """Return the points of a run by their index."""
        return self._points.get(run, {})

    def count(self, run: str) -> int:
        """Return how many points of a run are known or no longer needed."""
        return self.lowest(run) + len(self.of(run))

    def lowest(self, run: str) -> int:
        """Return the first point of a run that is still needed."""
        return self._lowest.get(run, 0)

    def group(self, key: FrameKey) -> Group | None:
        """Return the group in which a frame meets others; None if it meets none.

        A link at a point without interferers meets none, even in a group.
        """
        group = self._groups.get(key.run, {}).get(key.link)
        if group is None or group.kind == "superposition":
            return group
        point = self.of(key.run).get(key.point)
        return None if point is None or point.interference is None else group
