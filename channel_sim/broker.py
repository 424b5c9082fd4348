"""The channel process without sockets or clocks: messages in, messages out.

Soft state only: known points, connected peers, the number of frames at each receiver, and frames
that wait for others. All of it is restored after a restart; a frame that cannot be assigned is
refused.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from channel_sim.known_points import KnownPoints
from channel_sim.noise_engine import NUMPY, Engine
from channel_sim.passage import Passage
from channel_sim.receivers import Receiver, Receivers, Rest
from channel_sim.sends import Arrived, Send, name_of
from semcom.errors import ProtocolError
from semcom.frame_messages import ReceivedFrame, TaskResult
from semcom.messages import Hello, Message, Refusal, Role, Wanted, Welcome
from semcom.wire import refusal

MAX_LINKS = 4096  # number of links whose transmitters are remembered
QUEUE_BYTES = 64 << 20  # bytes that one receiver may hold


class Broker:
    """Passes frames from transmitters through the channel to receivers, and results back."""

    def __init__(
        self,
        instance: str,
        *,
        dead_after_s: float,
        queue_frames: int,
        queue_bytes: int = QUEUE_BYTES,
        engine: Engine = NUMPY,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.instance = instance
        self.points = KnownPoints()
        self._receivers = Receivers(queue_frames=queue_frames, queue_bytes=queue_bytes)
        self.transmitters: dict[str, tuple[bytes, float]] = {}
        self._dead_after_s = dead_after_s
        self._passage = Passage(
            self.points, self._receivers, claim=self._claim, engine=engine, clock=clock
        )

    @property
    def receivers(self) -> dict[bytes, Receiver]:
        """Connected receivers, by connection."""
        return self._receivers.here

    @property
    def repeated(self) -> Counter[str]:
        """Frames of each link that were not sent on because they had just been."""
        return self._passage.repeated

    def transmit(self, batch: Sequence[Arrived]) -> list[Send]:
        """Pass frames through their channels; see `Passage.transmit`."""
        return self._passage.transmit(batch)

    def waiting_for(self) -> dict[str, int]:
        """Return how many slots wait for a frame of each link of a group."""
        return self._passage.meetings.waiting()

    def resting(self, now_s: float) -> int:
        """Return how many receivers get fewer frames because they refuse or do not answer."""
        return self._receivers.resting(now_s)

    def take_rests(self) -> list[Rest]:
        """Return the rests of receivers that began since the last call."""
        rests, self._receivers.rests = self._receivers.rests, []
        return rests

    def greet_transmitter(self, sender: bytes, message: Message, *, now_s: float) -> Send:
        """Process and answer a transmitter's message that is not a frame, a Hello.

        Raises:
            ProtocolError: a message that has no place here.
        """
        if not isinstance(message, Hello):
            raise ProtocolError("unexpected", f"{type(message).__name__} on the uplink")
        _check_role(message, "transmitter")
        self._check_link(message.peer)
        self.transmitters[message.peer] = (sender, now_s)
        return Send("uplink", sender, Welcome(instance=self.instance))

    def on_downlink(self, sender: bytes, message: Message, *, now_s: float) -> list[Send]:
        """Process a receiver's message: a Hello, a result, or a refusal to pass back.

        Raises:
            ProtocolError: a message that has no place here.
        """
        if isinstance(message, Hello):
            _check_role(message, "receiver")
            self._receivers.greet(sender, message, now_s)
            return [Send("downlink", sender, Welcome(instance=self.instance))]
        if not isinstance(message, TaskResult | Refusal):
            raise ProtocolError("unexpected", f"{type(message).__name__} on the downlink")
        if sender not in self.receivers:
            raise ProtocolError("unexpected", "an answer from a receiver that never sent a Hello")
        if message.key is None:
            return []
        meetings = self._passage.meetings
        group = meetings.group(message.key)
        sent = name_of(message.key if group is None else meetings.received_as(group, message.key))
        if isinstance(message, TaskResult):
            self._receivers.answered(sender, sent, now_s)
            if group is not None:
                meetings.answered(group, message.key)
        else:
            self._receivers.refused(sender, sent, _words(message), now_s)
        transmitter = self.transmitters.get(message.key.link)
        return [] if transmitter is None else [Send("uplink", transmitter[0], message)]

    def forget_silent(self, now_s: float) -> list[Receiver]:
        """Drop peers that have been silent for too long; return the receivers among them."""
        for link, (_, heard_s) in list(self.transmitters.items()):
            if now_s - heard_s > self._dead_after_s:
                del self.transmitters[link]
        return self._receivers.forget_silent(now_s, after_s=self._dead_after_s)

    def undelivered(self, frame: ReceivedFrame, *, to: bytes, now_s: float) -> list[Send]:
        """Handle a frame that could not be sent: its receiver disconnected or does not read."""
        self._receivers.lost(to, why="takes no more messages", now_s=now_s)
        transmitter = self.transmitters.get(frame.key.link)
        if transmitter is None:
            return []
        error = ProtocolError("no_receiver", "its receiver accepts no more messages")
        return [Send("uplink", transmitter[0], refusal(error, frame.key))]

    def serve_overdue(self, now_s: float) -> list[Send]:
        """Serve slots that have waited long enough; see `SlotPassage.serve_overdue`."""
        return self._passage.serve_overdue(now_s)

    def next_overdue_s(self) -> float:
        """Return the time at which the next slot has waited long enough."""
        return self._passage.meetings.next_overdue_s()

    def take_absent(self) -> Counter[str]:
        """Return the number of slots in which each link was absent since the last call."""
        return self._passage.meetings.take_absent()

    def wanted(self, now_s: float) -> list[tuple[str, Send]]:
        """Return requests to connected transmitters for frames that slots lack, by link."""
        return [
            (key.link, Send("uplink", transmitter[0], Wanted(key=key)))
            for key in self._passage.meetings.wanted(now_s)
            if (transmitter := self.transmitters.get(key.link)) is not None
        ]

    def _claim(self, frame: Arrived) -> None:
        """Note that the answers for a frame's link go to its sender.

        Raises:
            ProtocolError: there are too many links.
        """
        link = frame.message.key.link
        self._check_link(link)
        self.transmitters[link] = (frame.sender, frame.at_s)

    def _check_link(self, link: str) -> None:
        """Check that answers for a link can be delivered.

        Raises:
            ProtocolError: there are too many links.
        """
        if link not in self.transmitters and len(self.transmitters) >= MAX_LINKS:
            raise ProtocolError("overloaded", f"{MAX_LINKS} links are already served")


def _check_role(hello: Hello, role: Role) -> None:
    if hello.role != role:
        raise ProtocolError("unexpected", f"a {hello.role} where only {role}s may connect")


def _words(message: Refusal) -> str:
    return f"{message.reason}: {message.detail}"
