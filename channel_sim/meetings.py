"""The slots of all groups that a channel serves, by run and group. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from channel_sim.known_points import KnownPoints
from channel_sim.slots import Held, Slot, Slots
from semcom.frame_messages import FrameKey
from semcom.groups import Group


class Meetings:
    """Slots by run and group, as defined by the tables of points."""

    def __init__(self, points: KnownPoints) -> None:
        self._points = points
        self._slots: dict[tuple[str, str], Slots] = {}

    def group(self, key: FrameKey) -> Group | None:
        """Return the group in which a frame meets others."""
        return self._points.group(key)

    def received_as(self, group: Group, key: FrameKey) -> FrameKey:
        """Return the key of the frame that a receiver got for a member's frame."""
        if group.kind == "interference":
            return key
        return self._slots_of(key.run, group).receives_for(key)

    def take(self, group: Group, frame: Held) -> Slot | None:
        """Return the slot of a frame if it is served; None if the frame is held.

        Raises:
            ProtocolError: it does not fit, or there is no room (`channel_sim.slots`).
        """
        return self._slots_of(frame.message.key.run, group).take(frame)

    def answered(self, group: Group, key: FrameKey) -> None:
        """Note that an answer has passed."""
        self._slots_of(key.run, group).answered(key)

    def wanted(self, now_s: float) -> Iterator[FrameKey]:
        """Return frames that slots lack, each once per second; forget slots that are not needed."""
        for (run, name), slots in list(self._slots.items()):
            if run not in self._points.runs:
                del self._slots[run, name]
                continue
            slots.forget(below_point=self._points.lowest(run), stale_at_s=now_s)
            yield from slots.wanted(now_s)

    def overdue(self, now_s: float) -> Iterator[tuple[Group, Slot]]:
        """Return slots that have waited long enough, each once, with their groups."""
        for slots in self._slots.values():
            for slot in slots.overdue(now_s):
                yield slots.group, slot

    def next_overdue_s(self) -> float:
        """Return when the next slot has waited long enough; infinity if there is none."""
        return min((slots.next_overdue_s() for slots in self._slots.values()), default=math.inf)

    def take_absent(self) -> Counter[str]:
        """Return the number of slots in which each link was absent since the last call."""
        absent: Counter[str] = Counter()
        for slots in self._slots.values():
            absent += slots.absent
            slots.absent.clear()
        return absent

    def waiting(self) -> dict[str, int]:
        """Return how many slots wait for a frame of each link."""
        counts: dict[str, int] = {}
        for slots in self._slots.values():
            counts.update(dict.fromkeys(slots.group.links, 0))
        for slots in self._slots.values():
            for link, count in slots.lacking().items():
                counts[link] += count
        return counts

    def _slots_of(self, run: str, group: Group) -> Slots:
        found = self._slots.get((run, group.name))
        if found is None or found.group != group:
            found = self._slots[run, group.name] = Slots(group)
        return found
