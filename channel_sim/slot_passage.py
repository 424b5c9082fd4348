"""Hold frames that meet others until their slot is complete, then send them on (no sockets).

A superposed slot gives one frame for one receiver, an interfering slot one frame for each member.
If a group has patience, late links are absent: they send nothing and get no answer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import assert_never

import numpy as np

from channel_sim.interference import Sent, interfere
from channel_sim.known_points import KnownPoints
from channel_sim.meetings import Meetings
from channel_sim.noise_engine import Engine
from channel_sim.receivers import Receivers
from channel_sim.sends import Arrived, Placed, Send, codewords_of, name_of, sent_powers
from channel_sim.slots import Slot
from channel_sim.superposition import superpose
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.wire import SYMBOL_BYTES, check_power, refusal


class SlotPassage:
    """Passes the frames of slots through their channels, and chooses receivers for them."""

    def __init__(
        self,
        points: KnownPoints,
        receivers: Receivers,
        *,
        claim: Callable[[Arrived], None],
        repeated: Counter[str],
        engine: Engine,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make one; see `Passage`, with which it shares the count of repeated frames."""
        self.meetings = Meetings(points)
        self._points = points
        self._receivers = receivers
        self._claim = claim
        self._repeated = repeated
        self._engine = engine
        self._clock = clock

    def take(self, group: Group, arrived: Arrived) -> list[Send]:
        """Hold a member's frame until its slot is served, then send on the result."""
        try:
            check_power(
                float(sent_powers([arrived], self._engine.mean_power(arrived.payload)).max())
            )
            self._claim(arrived)
            slot = self.meetings.take(group, arrived)
            if slot is None:
                return []
            link = arrived.message.key.link
            match group.kind:
                case "superposition":
                    return self._superpose(group, slot, link, arrived.at_s)
                case "interference":
                    return self._interfere(group, slot, arrived.at_s, again=link)
                case _:
                    assert_never(group.kind)
        except ProtocolError as error:
            return [Send("uplink", arrived.sender, refusal(error, arrived.message.key))]

    def serve_overdue(self, now_s: float) -> list[Send]:
        """Serve slots that have waited long enough, without the missing frames."""
        sends: list[Send] = []
        for group, slot in self.meetings.overdue(now_s):
            if group.kind == "interference":
                sends += self._interfere(group, slot, now_s)
                continue
            frames = slot.in_order(group)
            try:
                sends += self._superpose(group, slot, frames[0].message.key.link, now_s)
            except ProtocolError as error:
                sends += [
                    Send("uplink", each.sender, refusal(error, each.message.key)) for each in frames
                ]
        return sends

    def _interfere(self, group: Group, slot: Slot, now_s: float, *, again: str = "") -> list[Send]:
        """Send each member's frame to a receiver, with the interference of the others.

        This covers all present frames that have not been sent on, and that of `again`.
        """
        sends: list[Send] = []
        for link in group.links:
            if link in slot.waves and (link == again or link not in slot.sent_on):
                try:
                    sends += self._serve_wanted(group, slot, link, now_s)
                except ProtocolError as error:
                    held = slot.frames[link]
                    sends.append(Send("uplink", held.sender, refusal(error, held.message.key)))
        return sends

    def _serve_wanted(self, group: Group, slot: Slot, link: str, now_s: float) -> list[Send]:
        """Send one member's frame on.

        Raises:
            ProtocolError: no receiver can take it, or its channel model fails.
        """
        started_s = self._clock()
        held = slot.frames[link]
        message = held.message
        size_bytes = held.payload.nbytes + SYMBOL_BYTES * message.images
        identity = self._receivers.choose(message.codec, name_of(message.key), size_bytes, now_s)
        if identity is None:
            self._repeated[link] += 1
            return []
        wanted, *others = (
            Sent(codewords_of(self._points, each.message), each.payload)
            for each in (held, *(it for it in slot.met(link) if it.message.key.link != link))
        )
        settings = wanted.codewords.point.interference
        silent = [
            other
            for other in ([] if settings is None else settings.of(link, group.links))
            if other not in slot.waves[link]
        ]
        others += [_silence(wanted, other) for other in silent]
        try:
            passed = interfere(group, wanted, others, engine=self._engine)
        except ProtocolError:
            self._receivers.here[identity].release(name_of(message.key))
            raise
        slot.sent_on.add(link)
        placed = Placed(message, wanted.codewords, held.sender, identity)
        received = placed.received(passed, 1e3 * (self._clock() - started_s), absent=silent)
        return [Send("downlink", identity, received, passed.payload)]

    def _superpose(self, group: Group, slot: Slot, link: str, now_s: float) -> list[Send]:
        """Superpose the frames that meet a link's for one receiver, which answers each of them.

        Absent links send nothing; their fading is drawn nevertheless.

        Raises:
            ProtocolError: no receiver can take it, or its channel model fails.
        """
        started_s = self._clock()
        frames = slot.met(link)
        message = frames[0].message
        absent = [each for each in group.links if each not in slot.waves[link]]
        size_bytes = frames[0].payload.nbytes + SYMBOL_BYTES * message.images * len(group.links)
        identity = self._receivers.choose(message.codec, name_of(message.key), size_bytes, now_s)
        if identity is None:
            self._repeated[message.key.link] += 1
            return []
        sent = [Sent(codewords_of(self._points, each.message), each.payload) for each in frames]
        first = sent[0]
        sent += [_silence(first, each) for each in absent]
        sent.sort(key=lambda each: each.codewords.link)
        members, payloads = zip(*sent, strict=True)
        try:
            passed = superpose(group, members, payloads, engine=self._engine)
        except ProtocolError:
            self._receivers.here[identity].release(name_of(message.key))
            raise
        placed = Placed(message, first.codewords, frames[0].sender, identity)
        spent_ms = 1e3 * (self._clock() - started_s)
        received = placed.received(passed, spent_ms, group.links, absent=absent)
        return [Send("downlink", identity, received, passed.payload)]


def _silence(like: Sent, link: str) -> Sent:
    """Return the zeros that stand for an absent member in a slot."""
    return Sent(like.codewords._replace(link=link), np.zeros_like(like.symbols_BJ))
