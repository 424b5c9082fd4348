"""Frames that meet others: held until their slot is complete, then sent on, without sockets.

Superposed, a slot is one frame for one receiver. Interfering, it is one for each member.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import assert_never

from channel_sim.interference import Sent, interfere
from channel_sim.known_points import KnownPoints
from channel_sim.meetings import Meetings
from channel_sim.noise import Normals
from channel_sim.receivers import Receivers
from channel_sim.sends import Arrived, Placed, Send, codewords_of, name_of, sent_powers
from channel_sim.slots import Slot
from channel_sim.superposition import superpose
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.wire import SYMBOL_BYTES, check_power, mean_power, refusal


class SlotPassage:
    """Takes the frames of slots through their channels, and chooses receivers for them."""

    def __init__(
        self,
        points: KnownPoints,
        receivers: Receivers,
        *,
        claim: Callable[[Arrived], None],
        repeated: Counter[str],
        normals: Normals,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make one; see `Passage`, whose count of frames that were just sent on it shares."""
        self.meetings = Meetings(points)
        self._points = points
        self._receivers = receivers
        self._claim = claim
        self._repeated = repeated
        self._normals = normals
        self._clock = clock

    def take(self, group: Group, arrived: Arrived) -> list[Send]:
        """Hold a member's frame until its slot is complete; then serve the slot."""
        try:
            check_power(float(sent_powers([arrived], mean_power(arrived.payload)).max()))
            self._claim(arrived)
            slot = self.meetings.take(group, arrived)
            if slot is None:
                return []
            match group.kind:
                case "superposition":
                    return self._superpose(group, slot, arrived.at_s)
                case "interference":
                    return self._interfere(group, slot, arrived)
                case _:
                    assert_never(group.kind)
        except ProtocolError as error:
            return [Send("uplink", arrived.sender, refusal(error, arrived.message.key))]

    def _interfere(self, group: Group, slot: Slot, arrived: Arrived) -> list[Send]:
        """Send members' frames to a receiver each, as the others disturb them.

        All that have not been sent on, and the one that has just come, perhaps again.
        """
        sends: list[Send] = []
        for link in group.links:
            if link == arrived.message.key.link or link not in slot.sent_on:
                try:
                    sends += self._serve_wanted(group, slot, link, arrived.at_s)
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
            for each in (held, *(it for other, it in slot.frames.items() if other != link))
        )
        try:
            passed = interfere(group, wanted, others, normals=self._normals)
        except ProtocolError:
            self._receivers.here[identity].release(name_of(message.key))
            raise
        slot.sent_on.add(link)
        placed = Placed(message, wanted.codewords, held.sender, identity)
        received = placed.received(passed, 1e3 * (self._clock() - started_s))
        return [Send("downlink", identity, received, passed.payload)]

    def _superpose(self, group: Group, slot: Slot, now_s: float) -> list[Send]:
        """Superpose the frames of a slot for one receiver, which answers each member.

        Raises:
            ProtocolError: no receiver can take it, or its channel model fails.
        """
        started_s = self._clock()
        frames = slot.in_order(group)
        message = frames[0].message
        size_bytes = frames[0].payload.nbytes + SYMBOL_BYTES * message.images * len(frames)
        identity = self._receivers.choose(message.codec, name_of(message.key), size_bytes, now_s)
        if identity is None:
            self._repeated[message.key.link] += 1
            return []
        members = [codewords_of(self._points, each.message) for each in frames]
        payloads = [each.payload for each in frames]
        try:
            passed = superpose(group, members, payloads, normals=self._normals)
        except ProtocolError:
            self._receivers.here[identity].release(name_of(message.key))
            raise
        placed = Placed(message, members[0], frames[0].sender, identity)
        received = placed.received(passed, 1e3 * (self._clock() - started_s), group.links)
        return [Send("downlink", identity, received, passed.payload)]
