"""The slots of all groups that a channel serves: which run and group a frame belongs to. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from channel_sim.known_points import KnownPoints
from channel_sim.slots import Held, Slot, Slots
from semcom.frame_messages import FrameKey
from semcom.groups import Group


class Meetings:
    """Slots by run and group, as the tables of points name them."""

    def __init__(self, points: KnownPoints) -> None:
        self._points = points
        self._slots: dict[tuple[str, str], Slots] = {}

    def group(self, key: FrameKey) -> Group | None:
        """Return the group in which a frame meets others."""
        return self._points.group(key)

    @staticmethod
    def received_as(group: Group, key: FrameKey) -> FrameKey:
        """Return the key of the frame that a receiver was sent for a member's."""
        return key.of_link(group.links[0]) if group.kind == "superposition" else key

    def take(self, group: Group, frame: Held) -> Slot | None:
        """Return the slot of a frame if it is complete; None where it is held.

        Raises:
            ProtocolError: it does not fit, or there is no room: `channel_sim.slots`.
        """
        return self._slots_of(frame.message.key.run, group).take(frame)

    def answered(self, group: Group, key: FrameKey) -> None:
        """An answer has passed."""
        self._slots_of(key.run, group).answered(key)

    def wanted(self, now_s: float) -> Iterator[FrameKey]:
        """Return frames that slots lack, each once a second; forget those that are not needed."""
        for (run, name), slots in list(self._slots.items()):
            if run not in self._points.runs:
                del self._slots[run, name]
                continue
            slots.forget(below_point=self._points.lowest(run), stale_at_s=now_s)
            yield from slots.wanted(now_s)

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
