"""Finished work that other links of the group may still need. Pure.

Frames that meet others in a slot may be needed again after they were answered: a restarted channel
has lost them, and so cannot answer the other links.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from semcom.frame_messages import FrameKey
from semcom.messages import PointWork, StreamAssignment
from transmitters.frame_plan import FramePlan
from transmitters.reports import Key

MAX_WORKS = 64  # largest number of kept points; links of a group advance together


class KeptWork:
    """Points of a run that other links of the group have not finished."""

    def __init__(self) -> None:
        self._works: dict[tuple[str, int], PointWork] = {}
        self._wanted: dict[Key, FramePlan] = {}  # to be passed to the encoder
        self._encoding: set[Key] = set()

    @property
    def points(self) -> list[int]:
        """The kept points."""
        return [point for _, point in self._works]

    def keep(self, work: PointWork) -> None:
        """Keep a point whose frames are all recorded; if necessary, forget the lowest one."""
        if work.user is None or isinstance(work, StreamAssignment):
            return
        self._works[work.run, work.point] = work
        while len(self._works) > MAX_WORKS:
            del self._works[min(self._works)]

    def work(self, run: str, point: int) -> PointWork | None:
        """Return the work of a kept point."""
        return self._works.get((run, point))

    def keep_only(self, kept: Callable[[tuple[str, int]], bool]) -> None:
        """Forget all other runs and points."""
        mappings: tuple[dict[Any, Any], ...] = (self._works, self._wanted)
        for mapping in mappings:
            for key in [key for key in mapping if not kept(key[:2])]:
                del mapping[key]
        self._encoding = {key for key in self._encoding if kept(key[:2])}

    def want(self, key: FrameKey, work: PointWork) -> None:
        """Accept a frame to be encoded and sent once more, within the window."""
        plan = FramePlan(work, key.frame)
        waiting = len(self._wanted) + len(self._encoding)
        if key.frame < work.frame_count and waiting < work.window:
            self._wanted.setdefault(plan.key, plan)

    def frames_to_encode(self) -> list[FramePlan]:
        """Return wanted frames, each once."""
        plans = [plan for key, plan in self._wanted.items() if key not in self._encoding]
        self._encoding.update(plan.key for plan in plans)
        self._wanted.clear()
        return plans

    def encoded(self, plan: FramePlan) -> bool:
        """Return whether an encoded frame is one of these, and forget it."""
        wanted = plan.key in self._encoding
        self._encoding.discard(plan.key)
        return wanted
