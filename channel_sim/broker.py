"""The channel process without sockets or clocks: messages in, messages out.

Soft state only: which points there are, who is there, how many frames each receiver holds. All of
it comes back by itself after a restart, and a frame it cannot place is refused, never guessed.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

import numpy as np

from channel_sim.channels import Codewords
from channel_sim.noise import Normals, complex_normals_of
from channel_sim.passing import Passed, pass_frames
from channel_sim.receivers import FrameName, Receiver, Receivers, Rest
from semcom.errors import ProtocolError
from semcom.messages import (
    FrameKey,
    Hello,
    Message,
    PointTable,
    ReceivedFrame,
    Refusal,
    Role,
    SymbolFrame,
    TaskResult,
    Welcome,
)
from semcom.points import PointSpec
from semcom.wire import EMPTY, SYMBOL_BYTES, Powers, Symbols, check_power, mean_power, refusal

Side = Literal["uplink", "downlink"]
RUNS_REMEMBERED = 4
MAX_LINKS = 4096  # whose transmitters are remembered at a time
QUEUE_BYTES = 64 << 20  # that one receiver may hold
SYMBOLS_TOGETHER = 8192


class Send(NamedTuple):
    """An instruction: send this to that peer."""

    side: Side
    to: bytes
    message: Message
    payload: Symbols = EMPTY


class Arrived(NamedTuple):
    """A frame that came up, from whom, and when its socket was found readable."""

    sender: bytes
    message: SymbolFrame
    payload: Symbols
    at_s: float


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
        )


class Broker:
    """Takes frames from transmitters through the channel to receivers, and results back."""

    def __init__(
        self,
        instance: str,
        *,
        dead_after_s: float,
        queue_frames: int,
        queue_bytes: int = QUEUE_BYTES,
        normals: Normals = complex_normals_of,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.instance = instance
        self.points: OrderedDict[str, dict[int, PointSpec]] = OrderedDict()
        self._lowest: dict[str, int] = {}  # run -> first point that is still needed
        self.repeated: Counter[str] = Counter()  # frames of links not sent on: they just were
        self._receivers = Receivers(queue_frames=queue_frames, queue_bytes=queue_bytes)
        self.transmitters: dict[str, tuple[bytes, float]] = {}
        self._dead_after_s = dead_after_s
        self._normals = normals
        self._clock = clock

    @property
    def receivers(self) -> dict[bytes, Receiver]:
        """Those that are there, by connection."""
        return self._receivers.here

    def resting(self, now_s: float) -> int:
        """How many receivers are asked less than others, for they refuse or do not answer."""
        return self._receivers.resting(now_s)

    def take_rests(self) -> list[Rest]:
        """Rests of receivers that began since the last call."""
        rests, self._receivers.rests = self._receivers.rests, []
        return rests

    def learn(self, table: PointTable) -> None:
        """Add points of a run and forget those below `lowest`; only the latest runs are kept."""
        points = self.points.setdefault(table.run, {})
        lowest = self._lowest.get(table.run, 0)
        if table.lowest > lowest:
            lowest = self._lowest[table.run] = table.lowest
            for point in [point for point in points if point < lowest]:
                del points[point]
        given = enumerate(table.points, start=table.first)
        points.update((point, spec) for point, spec in given if point >= lowest)
        self.points.move_to_end(table.run)
        while len(self.points) > RUNS_REMEMBERED:
            forgotten, _ = self.points.popitem(last=False)
            self._lowest.pop(forgotten, None)

    def known_points(self, run: str) -> int:
        """Points of a run that are known, or were and are needed no more."""
        return self._lowest.get(run, 0) + len(self.points.get(run, {}))

    def greet_transmitter(self, sender: bytes, message: Message, *, now_s: float) -> Send:
        """A transmitter's message that is no frame: a greeting, and the answer to it.

        Raises:
            ProtocolError: a message that has no place here.
        """
        if not isinstance(message, Hello):
            raise ProtocolError("unexpected", f"{type(message).__name__} on the uplink")
        _check_role(message, "transmitter")
        self._check_link(message.peer)
        self.transmitters[message.peer] = (sender, now_s)
        return Send("uplink", sender, Welcome(instance=self.instance))

    def transmit(self, batch: Sequence[Arrived]) -> list[Send]:
        """Take frames of `batches` through their channels: first refusals, then what was received.

        Frames that are drawn together are cheap even if they are small; no number depends on the
        company.
        """
        started_s = self._clock()
        batch, sends = self._known(batch)
        if not batch:
            return sends
        symbols_BK = np.concatenate([each.payload for each in batch])
        power_B = mean_power(symbols_BK)
        images = [len(each.payload) for each in batch]
        worst = np.maximum.reduceat(power_B, _starts(images)).tolist()
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

    def on_downlink(self, sender: bytes, message: Message, *, now_s: float) -> list[Send]:
        """A receiver's message: a greeting, a result, or a refusal on its way back.

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
            raise ProtocolError("unexpected", "an answer from a receiver that never said hello")
        if message.key is None:
            return []
        if isinstance(message, TaskResult):
            self._receivers.answered(sender, _name(message.key), now_s)
        else:
            self._receivers.refused(sender, _name(message.key), _words(message), now_s)
        transmitter = self.transmitters.get(message.key.link)
        return [] if transmitter is None else [Send("uplink", transmitter[0], message)]

    def forget_silent(self, now_s: float) -> list[Receiver]:
        """Drop peers not heard of for too long; returns the receivers among them."""
        for link, (_, heard_s) in list(self.transmitters.items()):
            if now_s - heard_s > self._dead_after_s:
                del self.transmitters[link]
        return self._receivers.forget_silent(now_s, after_s=self._dead_after_s)

    def undelivered(self, frame: ReceivedFrame, *, to: bytes, now_s: float) -> list[Send]:
        """A receiver could not be sent a frame: it is gone, or does not read what it is sent."""
        self._receivers.lost(to, why="takes no more messages", now_s=now_s)
        transmitter = self.transmitters.get(frame.key.link)
        if transmitter is None:
            return []
        error = ProtocolError("no_receiver", "its receiver takes no more messages")
        return [Send("uplink", transmitter[0], refusal(error, frame.key))]

    def _check_link(self, link: str) -> None:
        """See that the answers of a link can find their way.

        Raises:
            ProtocolError: there are too many links.
        """
        if link not in self.transmitters and len(self.transmitters) >= MAX_LINKS:
            raise ProtocolError("overloaded", f"{MAX_LINKS} links are served already")

    def _known(self, batch: Sequence[Arrived]) -> tuple[list[Arrived], list[Send]]:
        """Frames whose point is known, and refusals of the others; their symbols cost nothing."""
        known: list[Arrived] = []
        refusals: list[Send] = []
        for each in batch:
            key = each.message.key
            if key.point in self.points.get(key.run, {}):
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
        point = self.points[key.run][key.point]
        check_power(worst_power)
        size_bytes = arrived.payload.nbytes + SYMBOL_BYTES * message.images  # with channel state
        self._check_link(key.link)
        identity = self._receivers.choose(message.codec, _name(key), size_bytes, arrived.at_s)
        self.transmitters[key.link] = (arrived.sender, arrived.at_s)
        if identity is None:
            self.repeated[key.link] += 1
            return None
        codewords = Codewords(point, key.link, message.first_image, message.images)
        return _Placed(message, codewords, arrived.sender, identity)

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
                self.receivers[each.to].release(_name(key))
                sends.append(Send("uplink", each.sender, refusal(found, key)))
                continue
            message = each.received(found, ms_per_image * each.codewords.images)
            sends.append(Send("downlink", each.to, message, found.payload))
        return sends


def _check_role(hello: Hello, role: Role) -> None:
    if hello.role != role:
        raise ProtocolError("unexpected", f"a {hello.role} where {role}s dial in")


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


def _starts(lengths: Sequence[int]) -> list[int]:
    """Where each begins if all are laid one after the other."""
    return [0, *accumulate(lengths[:-1])]


def _words(message: Refusal) -> str:
    return f"{message.reason}: {message.detail}"


def _name(key: FrameKey) -> FrameName:
    return key.run, key.link, key.point, key.frame
