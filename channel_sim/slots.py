"""Slots: frames of several links that meet in the channel. Pure: no sockets, no clock.

    held ... held -> complete -> (all members answered) forgotten

A slot is served when every member's frame is there, never before. All of it is soft state: what is
forgotten, or lost with the process, comes again by time-outs of the transmitters and by `Wanted`.

Members send their frames in ascending order, so each live member's frame of the lowest slot is
held, under way or wanted. That slot is never given up for a higher one, unless nothing has been
heard of it for long, as of one that a late repeat opened: no order of arrival and no bound leads to
a deadlock.
"""

from __future__ import annotations

import zlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from semcom.errors import ProtocolError
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.groups import Group
from semcom.wire import Symbols

COMPLETE_KEPT = 64  # slots of a group whose answers have not all come
HELD_BYTES = 256 << 20  # of all frames that are held for a group
STALE_S = 90.0  # a frame in flight is repeated after 60 s at the latest
GIVEN_UP_S = 5.0  # without a sign of life, where there is no room: who is there is asked again
WANTED_EVERY_S = 1.0

Position = tuple[int, int]  # point and frame: slots are served in this order


class Held(NamedTuple):
    """A member's frame, who sent it, and when."""

    sender: bytes
    message: SymbolFrame
    payload: Symbols
    at_s: float

    @property
    def checksum(self) -> int:
        """CRC-32 of all that a repeat must have in common with it."""
        message = self.message
        words = f"{message.codec} {message.first_image} {message.images} {message.symbols}"
        stated = zlib.crc32(message.used, zlib.crc32(words.encode()))
        return zlib.crc32(self.payload.tobytes(), stated)


@dataclass
class Slot:
    """One slot: the frames that are there, by link; whose were sent on; who has been answered."""

    run: str
    position: Position
    touched_s: float
    asked_s: float  # when frames that it lacks were asked for last
    frames: dict[str, Held] = field(default_factory=dict)
    sent_on: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)

    @property
    def size_bytes(self) -> int:
        """Memory that its frames take."""
        return sum(each.payload.nbytes for each in self.frames.values())

    def in_order(self, group: Group) -> list[Held]:
        """Return the frames of a complete slot, members in ascending order."""
        return [self.frames[link] for link in group.links]

    def missing(self, group: Group) -> Iterator[FrameKey]:
        """Return the keys of the frames that it lacks."""
        point, frame = self.position
        for link in group.links:
            if link not in self.frames:
                yield FrameKey(run=self.run, point=point, link=link, frame=frame)

    def check(self, new: Held) -> None:
        """See that a frame fits those that are there.

        Raises:
            ProtocolError: `conflict`, it is another one than its member sent before; `shape`, it
                has another form than those of other members.
        """
        link = new.message.key.link
        before = self.frames.get(link)
        if before is not None and before.checksum != new.checksum:
            raise ProtocolError("conflict", "a frame came again with another content")
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
        self._max_held = len(group.links) * group.window  # what honest members have in flight
        self._held: dict[Position, Slot] = {}
        self._complete: OrderedDict[Position, Slot] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held) + len(self._complete)

    def lacking(self) -> Counter[str]:
        """Return how many slots lack a frame of each link."""
        held = self._held.values()
        return Counter(key.link for slot in held for key in slot.missing(self.group))

    def take(self, frame: Held) -> Slot | None:
        """Return the slot that a frame belongs to if it is complete; None where it is held.

        Raises:
            ProtocolError: `conflict` or `shape`, it does not fit; `overloaded`, its slot is too far
                above the lowest one.
        """
        key = frame.message.key
        position = (key.point, key.frame)
        slot = self._complete.get(position) or self._held.get(position)
        if slot is None:
            self._make_room(position, frame)
            slot = self._held[position] = Slot(key.run, position, frame.at_s, frame.at_s)
        slot.check(frame)
        slot.frames[key.link] = frame
        slot.touched_s = frame.at_s
        if len(slot.frames) < len(self.group.links):
            return None
        self._held.pop(position, None)
        self._complete[position] = slot
        self._complete.move_to_end(position)
        while len(self._complete) > COMPLETE_KEPT:
            self._complete.popitem(last=False)
        return slot

    def answered(self, key: FrameKey) -> None:
        """A member's answer has passed: a slot is forgotten when all of them have."""
        slot = self._complete.get((key.point, key.frame))
        if slot is None:
            return
        slot.answered.add(key.link)
        if len(slot.answered) == len(self.group.links):
            del self._complete[slot.position]

    def wanted(self, now_s: float) -> list[FrameKey]:
        """Return frames that slots have lacked for a second; each is asked for once a second."""
        keys: list[FrameKey] = []
        for slot in self._held.values():
            if now_s - slot.asked_s >= WANTED_EVERY_S:
                slot.asked_s = now_s
                keys += slot.missing(self.group)
        return keys

    def forget(self, *, below_point: int = 0, stale_at_s: float | None = None) -> None:
        """Forget slots of points that are needed no more, or whose frames are not repeated."""
        for slots in (self._held, self._complete):
            for position, slot in list(slots.items()):
                stale = stale_at_s is not None and stale_at_s - slot.touched_s > STALE_S
                if position[0] < below_point or stale:
                    del slots[position]

    def _make_room(self, position: Position, frame: Held) -> None:
        """Give up a slot that nothing was heard of, or the highest one for a lower one.

        Raises:
            ProtocolError: `overloaded`, this is the highest one.
        """
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
