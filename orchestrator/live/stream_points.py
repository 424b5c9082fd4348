"""The points of a stream: numbered channel conditions that frames may still need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.live.links import Link
from orchestrator.live.live_groups import LiveGroup
from orchestrator.results.frame_rows import misjudged
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.messages import FrameResult, Hello, Message
from semcom.point_tables import point_tables
from semcom.points import PointSpec
from semcom.tasks.task import Task

MAX_POINTS = 1024  # number of points needed at a time


@dataclass(frozen=True)
class _Point:
    links: tuple[str, ...]
    codec: str
    spec: PointSpec


class StreamPoints:
    """Points of all links, sent to the channel before any transmitter is moved to them."""

    def __init__(self, run: str, groups: Sequence[Group] = ()) -> None:
        self.lowest = self.total = 0
        self._groups = groups
        self._run = run
        self._points: dict[int, _Point] = {}
        self._known = 0  # points that the channel knows

    def __len__(self) -> int:
        """Return the number of kept points."""
        return len(self._points)

    def is_known(self, point: int) -> bool:
        """Return whether the channel knows a point."""
        return point < self._known

    def lacking(self, hello: Hello) -> list[Message]:
        """Note the points that a channel reports; return the missing tables."""
        known = hello.points if hello.run == self._run else 0
        self._known = min(known, self.total)
        return [] if known >= self.total else self.tables(self.lowest)

    def tables(self, first: int) -> list[Message]:
        """Return the tables of all points from `first` on."""
        specs = [self._points[point].spec for point in range(first, self.total)]
        return [
            *point_tables(self._run, specs, first=first, lowest=self.lowest, groups=self._groups)
        ]

    def renew(self, links: Iterable[Link], groups: Iterable[LiveGroup], now_s: float) -> None:
        """Give links and groups a new point if another channel or codec is wanted."""
        for link in links:
            if link.instance and link.group is None:
                self._renew(link)
        for group in groups:
            if group.needs_point:
                spec, digest = group.wanted, group.links[0].codec.digest
                group.move_to(self._add(tuple(group.planned.links), digest, spec), spec, now_s)

    def _renew(self, link: Link) -> None:
        """Give a link a new point if another channel or codec is wanted."""
        spec, digest = link.wanted, link.codec.digest
        if link.point is not None and link.spec == spec:
            current = self._points.get(link.point)
            if current is not None and current.codec == digest:
                return
        link.move_to(self._add((link.name,), digest, spec), spec)

    def _add(self, links: tuple[str, ...], codec: str, spec: PointSpec) -> int:
        self._points[self.total] = _Point(links, codec, spec)
        self.total += 1
        return self.total - 1

    def forget(self, links: Collection[Link]) -> None:
        """Forget points below the oldest needed one.

        Return links that need points that are too old.
        """
        for link in links:
            oldest = link.oldest
            if oldest is not None and self.total - oldest > MAX_POINTS:
                link.begin_epoch(link.instance)
        needed = [link.oldest for link in links if link.oldest is not None]
        lowest = min(needed, default=self.total)
        for point in range(self.lowest, lowest):
            del self._points[point]
        self.lowest = lowest

    def check(self, link: Link, codec: str, task: Task, result: FrameResult) -> None:
        """Refuse results that no frame of this point can have.

        Raises:
            ProtocolError: the frame is impossible.
        """
        point = self._points.get(result.point)
        wanted = f"point {result.point} of link {link.name}"
        if point is None or link.name not in point.links or point.codec != codec:
            raise ProtocolError("unexpected", f"{wanted} is not a point of this codec")
        images = link.images_of(result.frame)
        if result.images != images:
            raise ProtocolError(
                "unexpected", f"frame {result.frame} of {wanted} has a wrong number of items"
            )
        if wrong := misjudged(task, result.answer, result.score, images):
            raise ProtocolError("unexpected", f"frame {result.frame} of {wanted} {wrong}")
