"""Choose a receiver for each frame, by the frames that each holds and its past behaviour. Pure.

A frame goes to the receiver that holds the fewest. A receiver that refuses everything would always
be that one; so a receiver that refuses a frame, or leaves it unanswered until another answers it,
rests for a while, twice as long each time, and then gets one frame. After its next answer it is
treated like all others.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from semcom.errors import ProtocolError
from semcom.messages import Hello

FrameName = tuple[str, str, int, int]  # run, link, point, frame

FIRST_REST_S, MAX_REST_S = 0.1, 30.0
REPEAT_AFTER_S = 0.5  # half of the shortest timeout of a transmitter
UNPROVEN_FRAMES = 8  # limit for a receiver that has not answered any frame yet, while others have
NAMES_REMEMBERED = 1024


@dataclass
class Conduct:
    """The conduct of a receiver, across all its connections."""

    failures: int = 0  # failures since its last answer; those during one rest count once
    rest_until_s: float = -math.inf
    proven: bool = False

    def fail(self, now_s: float) -> float:
        """Note a frame that was refused or answered by another; return the rest's seconds, or 0."""
        if now_s < self.rest_until_s:
            return 0.0
        rest_s = min(MAX_REST_S, FIRST_REST_S * 2.0 ** min(self.failures, 30))
        self.failures += 1
        self.rest_until_s = now_s + rest_s
        return rest_s

    def answer(self) -> None:
        """Note an answer to a frame that it was sent."""
        self.failures, self.rest_until_s, self.proven = 0, -math.inf, True


class Held(NamedTuple):
    """A frame sent to a receiver, and the time at which it was last sent."""

    size_bytes: int
    sent_s: float


class Rest(NamedTuple):
    """Notice that a receiver gets fewer frames from now on."""

    peer: str
    why: str
    seconds: float


@dataclass
class Receiver:
    """The channel's record of a receiver."""

    peer: str
    codecs: frozenset[str]
    heard_s: float
    conduct: Conduct
    held: dict[FrameName, Held] = field(default_factory=dict)
    held_bytes: int = 0

    def hold(self, frame: FrameName, held: Held) -> None:
        """Note a frame that is sent to it, for the first time or again."""
        self.release(frame)
        self.held[frame] = held
        self.held_bytes += held.size_bytes

    def release(self, frame: FrameName) -> Held | None:
        """Note that it no longer holds a frame; return the record."""
        held = self.held.pop(frame, None)
        if held is not None:
            self.held_bytes -= held.size_bytes
        return held

    def welcome(self, now_s: float) -> bool:
        """Return whether it should get frames while there are others."""
        conduct, held = self.conduct, len(self.held)
        if now_s < conduct.rest_until_s or (conduct.failures and held):
            return False
        return conduct.proven or held < UNPROVEN_FRAMES


class Receivers:
    """All receivers of a channel, by connection."""

    def __init__(self, *, queue_frames: int, queue_bytes: int) -> None:
        self.here: dict[bytes, Receiver] = {}
        self.rests: list[Rest] = []  # rests that began and have not been reported
        self._queue_frames = queue_frames
        self._queue_bytes = queue_bytes
        self._conducts: OrderedDict[str, Conduct] = OrderedDict()

    def greet(self, identity: bytes, hello: Hello, now_s: float) -> None:
        """Note the codecs of a receiver."""
        receiver = self.here.get(identity)
        if receiver is None:
            conduct = self._conduct(hello.peer)
            receiver = self.here[identity] = Receiver(hello.peer, frozenset(), now_s, conduct)
        receiver.codecs = frozenset(hello.codecs)
        receiver.heard_s = now_s

    def resting(self, now_s: float) -> int:
        """Return how many receivers get fewer frames because they refuse or do not answer."""
        return sum(
            now_s < each.conduct.rest_until_s or each.conduct.failures > 0
            for each in self.here.values()
        )

    def choose(self, codec: str, frame: FrameName, size_bytes: int, now_s: float) -> bytes | None:
        """Choose a receiver for a frame; return its connection, or None if it was just sent there.

        A full receiver may get a frame that it holds again, because that may have been lost.

        Raises:
            ProtocolError: none has the codec, or none has room.
        """
        able = [item for item in self.here.items() if codec in item[1].codecs]
        if not able:
            raise ProtocolError("no_receiver", f"no receiver has codec {codec[:12]} loaded")
        identity, receiver = able[0]
        if len(able) > 1:  # if all rest, none is better
            welcome = [item for item in able if item[1].welcome(now_s)]
            identity, receiver = min(welcome or able, key=lambda item: len(item[1].held))
        held = receiver.held.get(frame)
        if held is not None and now_s - held.sent_s < REPEAT_AFTER_S:
            return None
        if held is None and receiver.held:
            if len(receiver.held) >= self._queue_frames:
                raise ProtocolError(
                    "overloaded", f"every receiver holds {self._queue_frames} frames"
                )
            if receiver.held_bytes + size_bytes > self._queue_bytes:
                raise ProtocolError("overloaded", f"every receiver holds {self._queue_bytes} bytes")
        receiver.hold(frame, Held(size_bytes, now_s))
        return identity

    def answered(self, identity: bytes, frame: FrameName, now_s: float) -> None:
        """Note that a frame was answered; a receiver that left it to another rests."""
        self.here[identity].heard_s = now_s
        if self.here[identity].release(frame) is not None:
            self.here[identity].conduct.answer()
        for each in self.here.values():
            held = each.release(frame)
            if held is not None and now_s - held.sent_s >= REPEAT_AFTER_S:
                self._failed(each, "left a frame to another receiver", now_s)

    def refused(self, identity: bytes, frame: FrameName, why: str, now_s: float) -> None:
        """Note that a receiver refused a frame."""
        receiver = self.here[identity]
        receiver.heard_s = now_s
        if receiver.release(frame) is not None:
            self._failed(receiver, why, now_s)

    def lost(self, identity: bytes, *, why: str, now_s: float) -> None:
        """Forget a receiver to which nothing can be sent, until its next Hello."""
        receiver = self.here.pop(identity, None)
        if receiver is not None:
            self._failed(receiver, why, now_s)

    def forget_silent(self, now_s: float, *, after_s: float) -> list[Receiver]:
        """Drop receivers that were silent for too long, and return them."""
        silent = [key for key, each in self.here.items() if now_s - each.heard_s > after_s]
        return [self.here.pop(identity) for identity in silent]

    def _failed(self, receiver: Receiver, why: str, now_s: float) -> None:
        rest_s = receiver.conduct.fail(now_s)
        if rest_s:
            self.rests.append(Rest(receiver.peer, why, rest_s))

    def _conduct(self, peer: str) -> Conduct:
        conduct = self._conducts.setdefault(peer, Conduct())
        self._conducts.move_to_end(peer)
        while len(self._conducts) > NAMES_REMEMBERED:
            self._conducts.popitem(last=False)
        return conduct
