"""Slots: frames of several links that meet in the channel. Pure: no sockets, no clock.

    held ... held -> complete -> (all members answered) forgotten

A slot is served when all members' frames have arrived. In a group with patience, it is served
without late frames; a frame that arrives afterwards is served by itself. All of this is soft state:
frames that are forgotten, or lost with the process, are sent again after timeouts and by `Wanted`.

Members send their frames in ascending order, so each live member's frame of the lowest slot is
held, in flight or wanted. That slot is never given up for a higher one, unless no frame has arrived
for it for a long time, as for one opened by a late repetition. So no order of arrival and no bound
can cause a deadlock.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from semcom.errors import ProtocolError
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.groups import Group
from semcom.wire import Symbols

COMPLETE_KEPT = 64  # slots of a group with outstanding answers
HELD_BYTES = 256 << 20  # bytes of all frames held for a group
STALE_S = 90.0  # a frame in flight is repeated after 60 s at the latest
GIVEN_UP_S = 5.0  # without activity, if there is no room; live members are asked again
WANTED_EVERY_S = 1.0

Position = tuple[int, int]  # point and frame: slots are served in this order


class Held(NamedTuple):
    """A member's frame, its sender, and its time."""

    sender: bytes
    message: SymbolFrame
    payload: Symbols
    at_s: float

    @property
    def checksum(self) -> int:
        """CRC-32 of everything that a repetition must have in common with it."""
        message = self.message
        words = f"{message.codec} {message.first_image} {message.images} {message.symbols}"
        stated = zlib.crc32(message.used, zlib.crc32(words.encode()))
        return zlib.crc32(self.payload.tobytes(), stated)


@dataclass
class Slot:
    """One slot: the present frames by link, those sent on, and those answered.

    `waves` names for each served link the frames that met: a repetition meets the same.
    """

    run: str
    position: Position
    opened_s: float
    touched_s: float
    asked_s: float  # time of the last request for missing frames
    frames: dict[str, Held] = field(default_factory=dict)
    waves: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sent_on: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)

    @property
    def size_bytes(self) -> int:
        """Memory of its frames."""
        return sum(each.payload.nbytes for each in self.frames.values())

    @property
    def settled(self) -> bool:
        """Return whether all served members have been answered."""
        return self.answered.issuperset(self.waves)

    def in_order(self, group: Group) -> list[Held]:
        """Return the present frames, with members in ascending order."""
        return [self.frames[link] for link in group.links if link in self.frames]

    def met(self, link: str) -> list[Held]:
        """Return the frames that met a served link's, including its own, in ascending order."""
        return [self.frames[each] for each in self.waves[link]]

    def serve(self, links: Iterable[str]) -> None:
        """Note that these frames meet."""
        wave = tuple(links)
        self.waves.update(dict.fromkeys(wave, wave))

    def missing(self, group: Group) -> Iterator[FrameKey]:
        """Return the keys of the missing frames."""
        point, frame = self.position
        for link in group.links:
            if link not in self.frames:
                yield FrameKey(run=self.run, point=point, link=link, frame=frame)

    def check(self, new: Held) -> None:
        """Check that a frame fits the present ones.

        Raises:
            ProtocolError: `conflict`, it differs from the one that its member sent before; `shape`,
                its form differs from those of other members.
        """
        link = new.message.key.link
        before = self.frames.get(link)
        if before is not None and before.checksum != new.checksum:
            raise ProtocolError("conflict", "a repeated frame has different content")
        for other, held in self.frames.items():
            if other != link and _form(held.message) != _form(new.message):
                raise ProtocolError(
                    "shape", f"codec, symbols, first image or images differ from those of {other}"
                )


class Slots:
    """The slots of one group in one run."""

    def __init__(self, group: Group, *, max_bytes: int = HELD_BYTES) -> None:
        self.group = group
        self._max_bytes = max_bytes
        self._max_held = len(group.links) * group.window  # what correct members have in flight
        # Served slots are kept so that repetitions meet the same frames: more than can be in
        # flight.
        self._kept = COMPLETE_KEPT if group.patience_s is None else COMPLETE_KEPT + self._max_held
        self.absent: Counter[str] = Counter()  # slots served without a link
        self._held: dict[Position, Slot] = {}
        self._complete: OrderedDict[Position, Slot] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held) + len(self._complete)

    def lacking(self) -> Counter[str]:
        """Return the number of slots that lack a frame of each link."""
        held = self._held.values()
        return Counter(key.link for slot in held for key in slot.missing(self.group))

    def take(self, frame: Held) -> Slot | None:
        """Return the slot of a frame if it is served; None if the frame is held.

        Raises:
            ProtocolError: `conflict` or `shape`, it does not fit; `overloaded`, its slot is too far
                above the lowest one.
        """
        key = frame.message.key
        position = (key.point, key.frame)
        slot = self._complete.get(position) or self._held.get(position)
        if slot is None:
            self._make_room(position, frame)
            slot = self._held[position] = Slot(
                key.run, position, frame.at_s, frame.at_s, frame.at_s
            )
        slot.check(frame)
        slot.frames[key.link] = frame
        slot.touched_s = frame.at_s
        if slot.waves and key.link not in slot.waves:
            slot.serve([key.link])  # too late to meet the others
        elif not slot.waves and len(slot.frames) < len(self.group.links):
            return None
        self._serve(slot)
        return slot

    def overdue(self, now_s: float) -> list[Slot]:
        """Return slots that have waited for the group's patience; they count as served."""
        patience_s = self.group.patience_s
        if patience_s is None:
            return []
        late = [slot for slot in self._held.values() if now_s - slot.opened_s >= patience_s]
        for slot in late:
            self.absent.update(key.link for key in slot.missing(self.group))
            self._serve(slot)
        return sorted(late, key=lambda slot: slot.position)

    def next_overdue_s(self) -> float:
        """Return the time at which the next slot is overdue; infinity if there is none."""
        opened_s = (slot.opened_s for slot in self._held.values())
        return min(opened_s, default=math.inf) + (self.group.patience_s or math.inf)

    def receives_for(self, key: FrameKey) -> FrameKey:
        """Return the key of the frame that a receiver got for a superposed member's frame."""
        slot = self._complete.get((key.point, key.frame))
        wave = None if slot is None else slot.waves.get(key.link)
        return key.of_link((wave or self.group.links)[0])

    def _serve(self, slot: Slot) -> None:
        """Keep a slot whose frames meet, or have met, among the served ones."""
        if not slot.waves:
            slot.serve(each.message.key.link for each in slot.in_order(self.group))
        self._held.pop(slot.position, None)
        self._complete[slot.position] = slot
        self._complete.move_to_end(slot.position)
        while len(self._complete) > self._kept:
            self._complete.popitem(last=False)

    def answered(self, key: FrameKey) -> None:
        """Note a member's answer; a slot is forgotten when all members have been answered."""
        slot = self._complete.get((key.point, key.frame))
        if slot is None:
            return
        slot.answered.add(key.link)
        if len(slot.answered) == len(self.group.links):
            del self._complete[slot.position]

    def wanted(self, now_s: float) -> list[FrameKey]:
        """Return frames that slots have lacked for a second; each is requested once per second."""
        keys: list[FrameKey] = []
        for slot in self._held.values():
            if now_s - slot.asked_s >= WANTED_EVERY_S:
                slot.asked_s = now_s
                keys += slot.missing(self.group)
        return keys

    def forget(self, *, below_point: int = 0, stale_at_s: float | None = None) -> None:
        """Forget slots of points that are no longer needed, or whose frames are not repeated."""
        for slots in (self._held, self._complete):
            for position, slot in list(slots.items()):
                stale = stale_at_s is not None and stale_at_s - slot.touched_s > STALE_S
                if position[0] < below_point or stale:
                    del slots[position]

    def _make_room(self, position: Position, frame: Held) -> None:
        """Give up a slot without recent frames, or the highest one for a lower one.

        Raises:
            ProtocolError: `overloaded`, this is the highest one.
        """
        if not self._has_room(frame):
            for served in [slot for slot in self._complete.values() if slot.settled]:
                del self._complete[served.position]
        while self._held and not self._has_room(frame):
            quiet = min(self._held.values(), key=lambda slot: slot.touched_s)
            highest = max(self._held)
            if frame.at_s - quiet.touched_s > GIVEN_UP_S:
                del self._held[quiet.position]
            elif position < highest:
                del self._held[highest]
            else:
                raise ProtocolError("overloaded", f"group {self.group.name} waits for lower frames")

    def _has_room(self, frame: Held) -> bool:
        slots = (*self._held.values(), *self._complete.values())
        taken = sum(slot.size_bytes for slot in slots) + frame.payload.nbytes
        return len(self._held) < self._max_held and taken <= self._max_bytes


def _form(message: SymbolFrame) -> Sequence[object]:
    return message.codec, message.symbols, message.first_image, message.images
