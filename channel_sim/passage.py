"""Frames through the channel to receivers, without sockets or clocks.

A frame of a link that is in no group goes by itself. One that meets others waits in its slot.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

import numpy as np

from channel_sim.channels import Codewords
from channel_sim.known_points import KnownPoints
from channel_sim.meetings import Meetings
from channel_sim.noise import Normals
from channel_sim.passing import Passed, pass_frames
from channel_sim.receivers import FrameName, Receivers
from channel_sim.slots import Held, Slot
from channel_sim.superposition import superpose
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.messages import FrameKey, Message, ReceivedFrame, SymbolFrame
from semcom.used_symbols import parse_used
from semcom.wire import (
    EMPTY,
    SYMBOL_BYTES,
    Powers,
    Symbols,
    check_power,
    mean_power,
    power_while_sent,
    refusal,
)

Side = Literal["uplink", "downlink"]
SYMBOLS_TOGETHER = 8192


class Send(NamedTuple):
    """An instruction: send this to that peer."""

    side: Side
    to: bytes
    message: Message
    payload: Symbols = EMPTY


Arrived = Held  # a frame that came up, from whom, and when its socket was found readable


class _Placed(NamedTuple):
    """A frame that is taken: its channel, and the receiver it goes to."""

    message: SymbolFrame
    codewords: Codewords
    sender: bytes
    to: bytes

    def received(self, passed: Passed, channel_ms: float) -> ReceivedFrame:
        """What the receiver is told."""
        message = self.message
        return ReceivedFrame(
            key=message.key,
            images=message.images,
            symbols=message.symbols,
            codec=message.codec,
            csi_columns=passed.csi_columns,
            snr_db=self.codewords.point.snr_db,
            equalizer=passed.equalizer,
            channel_ms=channel_ms,
            snr_measured_db=passed.snr_measured_db,
            first_image=message.first_image,
            seed=self.codewords.point.seed,
            used=message.used,
        )


class Passage:
    """Takes frames through their channels, and chooses a receiver for each."""

    def __init__(
        self,
        points: KnownPoints,
        receivers: Receivers,
        *,
        claim: Callable[[Held], None],
        normals: Normals,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make one.

        Args:
            points: what is known of the runs.
            receivers: who is there.
            claim: notes who speaks for the link of a frame, or raises ProtocolError.
            normals: what draws.
            clock: measures how long drawing takes.
        """
        self.repeated: Counter[str] = Counter()  # frames of links not sent on: they just were
        self.meetings = Meetings(points)
        self._points = points
        self._receivers = receivers
        self._claim = claim
        self._normals = normals
        self._clock = clock

    def transmit(self, batch: Sequence[Arrived]) -> list[Send]:
        """Take frames of `batches` through their channels: first refusals, then what was received.

        Frames that are drawn together are cheap even if they are small; no number depends on the
        company.
        """
        started_s = self._clock()
        known, sends = self._known(batch)
        batch = []
        for each in known:
            group = self.meetings.group(each.message.key)
            if group is None:
                batch.append(each)
            else:
                sends += self._meet(group, each)
        if not batch:
            return sends
        symbols_BK = np.concatenate([each.payload for each in batch])
        power_B = mean_power(symbols_BK)
        images = [len(each.payload) for each in batch]
        sent_B = _power_while_sent(batch, power_B)
        worst = np.maximum.reduceat(sent_B, _starts(images)).tolist()
        placed: list[_Placed] = []
        taken: list[bool] = []
        for each, worst_power in zip(batch, worst, strict=True):
            there = None
            try:
                there = self._place(each, worst_power)
            except ProtocolError as error:
                sends.append(Send("uplink", each.sender, refusal(error, each.message.key)))
            if there is not None:
                placed.append(there)
            taken.append(there is not None)
        if not all(taken):
            taken_B = np.repeat(taken, images)
            symbols_BK, power_B = symbols_BK[taken_B], power_B[taken_B]
        if placed:
            sends += self._through_channel(placed, symbols_BK, power_B, started_s)
        return sends

    def _known(self, batch: Sequence[Arrived]) -> tuple[list[Arrived], list[Send]]:
        """Frames whose point is known, and refusals of the others; their symbols cost nothing."""
        known: list[Arrived] = []
        refusals: list[Send] = []
        for each in batch:
            key = each.message.key
            if key.point in self._points.of(key.run):
                known.append(each)
                continue
            error = ProtocolError("unknown_point", f"no point {key.point} of run {key.run} here")
            refusals.append(Send("uplink", each.sender, refusal(error, key)))
        return known, refusals

    def _place(self, arrived: Arrived, worst_power: float) -> _Placed | None:
        """Where a frame goes, and through which channel; None where it has just gone there.

        Raises:
            ProtocolError: the power is too high, or nobody can take it.
        """
        message, key = arrived.message, arrived.message.key
        check_power(worst_power)
        size_bytes = arrived.payload.nbytes + SYMBOL_BYTES * message.images  # with channel state
        self._claim(arrived)
        identity = self._receivers.choose(message.codec, name_of(key), size_bytes, arrived.at_s)
        if identity is None:
            self.repeated[key.link] += 1
            return None
        return _Placed(message, self._codewords(message), arrived.sender, identity)

    def _codewords(self, message: SymbolFrame) -> Codewords:
        point = self._points.of(message.key.run)[message.key.point]
        return Codewords(point, message.key.link, message.first_image, message.images, message.used)

    def _meet(self, group: Group, arrived: Arrived) -> list[Send]:
        """Hold a member's frame until its slot is complete; then serve the slot."""
        try:
            check_power(float(_power_while_sent([arrived], mean_power(arrived.payload)).max()))
            self._claim(arrived)
            slot = self.meetings.take(group, arrived)
            return [] if slot is None else self._serve(group, slot, arrived.at_s)
        except ProtocolError as error:
            return [Send("uplink", arrived.sender, refusal(error, arrived.message.key))]

    def _serve(self, group: Group, slot: Slot, now_s: float) -> list[Send]:
        """Superpose the frames of a slot for one receiver, which answers each member.

        Raises:
            ProtocolError: nobody can take it, or its channel model fails.
        """
        started_s = self._clock()
        frames = slot.in_order(group)
        message = frames[0].message
        size_bytes = frames[0].payload.nbytes + SYMBOL_BYTES * message.images * len(frames)
        identity = self._receivers.choose(message.codec, name_of(message.key), size_bytes, now_s)
        if identity is None:
            self.repeated[message.key.link] += 1
            return []
        members = [self._codewords(each.message) for each in frames]
        payloads = [each.payload for each in frames]
        try:
            passed = superpose(group, members, payloads, normals=self._normals)
        except ProtocolError:
            self._receivers.here[identity].release(name_of(message.key))
            raise
        placed = _Placed(message, members[0], frames[0].sender, identity)
        received = placed.received(passed, 1e3 * (self._clock() - started_s))
        named = received.model_copy(update={"links": group.links})
        return [Send("downlink", identity, named, passed.payload)]

    def _through_channel(
        self, placed: Sequence[_Placed], symbols_BK: Symbols, power_B: Powers, started_s: float
    ) -> list[Send]:
        codewords = [each.codewords for each in placed]
        passed = pass_frames(codewords, symbols_BK, power_B, normals=self._normals)
        ms_per_image = 1e3 * (self._clock() - started_s) / len(symbols_BK)
        sends = []
        for each, found in zip(placed, passed, strict=True):
            key = each.message.key
            if isinstance(found, ProtocolError):
                self._receivers.here[each.to].release(name_of(key))
                sends.append(Send("uplink", each.sender, refusal(found, key)))
                continue
            message = each.received(found, ms_per_image * each.codewords.images)
            sends.append(Send("downlink", each.to, message, found.payload))
        return sends


def batches(arrived: Sequence[Arrived]) -> Iterator[list[Arrived]]:
    """Frames of codewords of one length, no more at a time than the cache has room for."""
    waiting: dict[int, list[Arrived]] = {}
    held: Counter[int] = Counter()
    for each in arrived:
        symbols = each.message.symbols
        if held[symbols] and held[symbols] + each.payload.size > SYMBOLS_TOGETHER:
            yield waiting.pop(symbols)
            held[symbols] = 0
        waiting.setdefault(symbols, []).append(each)
        held[symbols] += each.payload.size
    yield from waiting.values()


def _power_while_sent(frames: Sequence[Arrived], power_B: Powers) -> Powers:
    """Return the mean powers of codewords over the symbols that each uses."""
    messages = [each.message for each in frames]
    if not any(message.used for message in messages):
        return power_B
    symbols = messages[0].symbols
    used = [parse_used(each.used, rows=each.images, symbols=symbols) for each in messages]
    return power_while_sent(power_B, np.concatenate(used), symbols)


def _starts(lengths: Sequence[int]) -> list[int]:
    """Where each begins if all are laid one after the other."""
    return [0, *accumulate(lengths[:-1])]


def name_of(key: FrameKey) -> FrameName:
    """Return what receivers are said to hold."""
    return key.run, key.link, key.point, key.frame
