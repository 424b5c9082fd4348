"""Points in progress: frames still to be accepted, and frames not yet recorded. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from semcom.messages import PointWork, Recorded
from transmitters.frame_plan import FramePlan


@dataclass
class _Point:
    """Frames not yet accepted, and those not yet recorded."""

    work: PointWork
    pending: deque[int] = field(default_factory=deque)
    open_frames: set[int] = field(default_factory=set)


class OpenPoints:
    """The points of a link with unrecorded frames, in order of assignment."""

    def __init__(self) -> None:
        self._points: OrderedDict[tuple[str, int], _Point] = OrderedDict()

    @property
    def indices(self) -> list[int]:
        """Points with unrecorded frames."""
        return [point for _, point in self._points]

    @property
    def backlog(self) -> int:
        """Number of frames not accepted yet."""
        return sum(len(point.pending) for point in self._points.values())

    @property
    def open_frames(self) -> int:
        """Frames that are not recorded."""
        return sum(len(point.open_frames) for point in self._points.values())

    def lowest_frame(self, otherwise: int) -> int:
        """Return the lowest unrecorded frame; `otherwise` if there is none."""
        lowest = (min(each.open_frames) for each in self._points.values() if each.open_frames)
        return min(lowest, default=otherwise)

    def add(self, work: PointWork, frames: Iterable[int]) -> int:
        """Add frames of a point unless they are already in progress; return how many are new."""
        point = self._points.setdefault((work.run, work.point), _Point(work))
        new = [frame for frame in frames if frame not in point.open_frames]
        point.open_frames.update(new)
        point.pending.extend(new)
        return len(new)

    def take(self, has_room: Callable[[PointWork], bool]) -> Iterator[FramePlan]:
        """Yield frames to accept while there is room."""
        for point in self._points.values():
            while point.pending and has_room(point.work):
                yield FramePlan(point.work, point.pending.popleft())

    def work(self, run: str, point: int) -> PointWork | None:
        """Return the work of a point; None if nothing is left to do."""
        found = self._points.get((run, point))
        return None if found is None else found.work

    def is_pending(self, run: str, point: int, frame: int) -> bool:
        """Return whether a frame is still to be accepted."""
        found = self._points.get((run, point))
        return found is not None and frame in found.pending

    def keep_only(self, kept: Callable[[tuple[str, int]], bool]) -> None:
        """Forget all other runs and points."""
        for key in [key for key in self._points if not kept(key)]:
            del self._points[key]

    def recorded(self, receipt: Recorded) -> list[PointWork]:
        """Forget recorded frames; return the work that is thereby finished."""
        finished: list[PointWork] = []
        for point, frame in receipt.frames:
            found = self._points.get((receipt.run, point))
            if found is not None:
                found.open_frames.discard(frame)
                if not found.open_frames:
                    del self._points[receipt.run, point]
                    finished.append(found.work)
        return finished
