"""Pass frames through the channel to receivers, without sockets or clocks.

A frame of a link without a group passes by itself. One that meets others waits in its slot.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

import numpy as np

from channel_sim.known_points import KnownPoints
from channel_sim.meetings import Meetings
from channel_sim.noise_engine import Engine
from channel_sim.passing import pass_frames
from channel_sim.receivers import Receivers
from channel_sim.sends import Arrived, Placed, Send, codewords_of, name_of, sent_powers
from channel_sim.slot_passage import SlotPassage
from semcom.errors import ProtocolError
from semcom.wire import SYMBOL_BYTES, Powers, Symbols, check_power, refusal

SYMBOLS_TOGETHER = 8192


class Passage:
    """Passes frames through their channels, and chooses a receiver for each."""

    def __init__(
        self,
        points: KnownPoints,
        receivers: Receivers,
        *,
        claim: Callable[[Arrived], None],
        engine: Engine,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make one.

        Args:
            points: known points of the runs.
            receivers: connected receivers.
            claim: records the sender of a link's frames, or raises ProtocolError.
            engine: draws and computes.
            clock: measures the time for drawing.
        """
        self.repeated: Counter[str] = Counter()  # frames by link: they had just been sent
        self._slots = SlotPassage(
            points, receivers, claim=claim, repeated=self.repeated, engine=engine, clock=clock
        )
        self._points = points
        self._receivers = receivers
        self._claim = claim
        self._engine = engine
        self._clock = clock

    @property
    def meetings(self) -> Meetings:
        """The waiting slots."""
        return self._slots.meetings

    def transmit(self, batch: Sequence[Arrived]) -> list[Send]:
        """Pass frames of `batches` through their channels; return refusals, then received frames.

        Drawing many frames together makes small frames cheap. Results do not depend on batching.
        """
        started_s = self._clock()
        known, sends = self._known(batch)
        batch = []
        for each in known:
            group = self.meetings.group(each.message.key)
            if group is None:
                batch.append(each)
            else:
                sends += self._slots.take(group, each)
        if not batch:
            return sends
        symbols_BK = np.concatenate([each.payload for each in batch])
        power_B = self._engine.mean_power(symbols_BK)
        images = [len(each.payload) for each in batch]
        sent_B = sent_powers(batch, power_B)
        worst = np.maximum.reduceat(sent_B, _starts(images)).tolist()
        placed: list[Placed] = []
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

    def serve_overdue(self, now_s: float) -> list[Send]:
        """Serve slots that have waited long enough; see `SlotPassage.serve_overdue`."""
        return self._slots.serve_overdue(now_s)

    def _known(self, batch: Sequence[Arrived]) -> tuple[list[Arrived], list[Send]]:
        """Return frames with a known point, and refusals of the others."""
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

    def _place(self, arrived: Arrived, worst_power: float) -> Placed | None:
        """Return the receiver and channel of a frame; None if it has just been sent there.

        Raises:
            ProtocolError: the power is too high, or no receiver can take it.
        """
        message, key = arrived.message, arrived.message.key
        check_power(worst_power)
        size_bytes = arrived.payload.nbytes + SYMBOL_BYTES * message.images  # with channel state
        self._claim(arrived)
        identity = self._receivers.choose(message.codec, name_of(key), size_bytes, arrived.at_s)
        if identity is None:
            self.repeated[key.link] += 1
            return None
        return Placed(message, codewords_of(self._points, message), arrived.sender, identity)

    def _through_channel(
        self, placed: Sequence[Placed], symbols_BK: Symbols, power_B: Powers, started_s: float
    ) -> list[Send]:
        codewords = [each.codewords for each in placed]
        passed = pass_frames(codewords, symbols_BK, power_B, engine=self._engine)
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
    """Yield frames with codewords of one length, as many at a time as fit into the cache."""
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


def _starts(lengths: Sequence[int]) -> list[int]:
    """Return the start of each if all are concatenated."""
    return [0, *accumulate(lengths[:-1])]
