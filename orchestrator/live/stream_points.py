"""The points of a stream: channel conditions, numbered for ever, that frames may still need."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.live.links import Link
from orchestrator.results.frame_rows import misjudged
from semcom.errors import ProtocolError
from semcom.messages import FrameResult, Hello, Message
from semcom.point_tables import point_tables
from semcom.points import PointSpec
from semcom.tasks.task import Task

MAX_POINTS = 1024  # that may be needed at a time


@dataclass(frozen=True)
class _Point:
    link: str
    codec: str
    spec: PointSpec


class StreamPoints:
    """Points of all links, of which the channel is told before any transmitter is moved to them."""

    def __init__(self, run: str) -> None:
        self.lowest = self.total = 0
        self._run = run
        self._points: dict[int, _Point] = {}
        self._known = 0  # points that the channel knows

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._points)

    def is_known(self, point: int) -> bool:
        """Return whether the channel knows a point."""
        return point < self._known

    def lacking(self, hello: Hello) -> list[Message]:
        """Take a channel's word for what it knows; the tables that it lacks."""
        known = hello.points if hello.run == self._run else 0
        self._known = min(known, self.total)
        return [] if known >= self.total else self.tables(self.lowest)

    def tables(self, first: int) -> list[Message]:
        """Return the tables of all points from `first` on."""
        specs = [self._points[point].spec for point in range(first, self.total)]
        return [*point_tables(self._run, specs, first=first, lowest=self.lowest)]

    def renew(self, link: Link) -> None:
        """Give a link a new point where another channel or codec is wanted."""
        spec, digest = link.wanted, link.codec.digest
        if link.point is not None and link.spec == spec:
            current = self._points.get(link.point)
            if current is not None and current.codec == digest:
                return
        self._points[self.total] = _Point(link.name, digest, spec)
        link.move_to(self.total, spec)
        self.total += 1

    def forget(self, links: Collection[Link]) -> None:
        """Forget points below the oldest one needed; no link may need one that is too old."""
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
        """Refuse what no frame of this point can have come to.

        Raises:
            ProtocolError: of a frame that cannot be.
        """
        point = self._points.get(result.point)
        wanted = f"point {result.point} of link {link.name}"
        if point is None or point.link != link.name or point.codec != codec:
            raise ProtocolError("unexpected", f"{wanted} is not one with this codec")
        images = link.images_of(result.frame)
        if result.images != images:
            raise ProtocolError("unexpected", f"frame {result.frame} of {wanted} has other images")
        if wrong := misjudged(task, result.answer, result.score, images):
            raise ProtocolError("unexpected", f"frame {result.frame} of {wanted} {wrong}")
