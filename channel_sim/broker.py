"""The channel process without sockets or clocks: messages in, messages out.

Soft state only: which points there are, who is there, how many frames each receiver holds. All of
it comes back by itself after a restart, and a frame it cannot place is refused, never guessed.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, NamedTuple

import numpy as np

from channel_sim.channels import Codewords, draw_channels, measured_snrs_db, pass_through
from channel_sim.noise import Normals, complex_normals_of
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
from semcom.wire import EMPTY, Powers, Symbols, check_power, mean_power, refusal

Side = Literal["uplink", "downlink"]
FrameName = tuple[str, str, int, int]  # run, link, point, frame
RUNS_REMEMBERED = 4
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
    to: bytes

    def received(self, channel_ms: float, snr_measured_db: float | None) -> ReceivedFrame:
        """What the receiver is told."""
        message, point = self.message, self.codewords.point
        return ReceivedFrame(
            key=message.key,
            images=message.images,
            symbols=message.symbols,
            codec=message.codec,
            csi=self.codewords.has_csi,
            snr_db=point.snr_db,
            equalizer=point.channel.equalizer,
            channel_ms=channel_ms,
            snr_measured_db=snr_measured_db,
        )


@dataclass
class Receiver:
    """What the channel knows of a receiver."""

    peer: str
    codecs: frozenset[str]
    heard_s: float
    held: set[FrameName] = field(default_factory=set)


class Broker:
    """Takes frames from transmitters through the channel to receivers, and results back."""

    def __init__(
        self,
        instance: str,
        *,
        dead_after_s: float,
        queue_frames: int,
        normals: Normals = complex_normals_of,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.instance = instance
        self.points: OrderedDict[str, dict[int, PointSpec]] = OrderedDict()
        self._lowest: dict[str, int] = {}  # run -> first point that is still needed
        self.receivers: dict[bytes, Receiver] = {}
        self.transmitters: dict[str, tuple[bytes, float]] = {}
        self._dead_after_s = dead_after_s
        self._queue_frames = queue_frames
        self._normals = normals
        self._clock = clock

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
        self.transmitters[message.peer] = (sender, now_s)
        return Send("uplink", sender, Welcome(instance=self.instance))

    def transmit(self, batch: Sequence[Arrived]) -> list[Send]:
        """Take frames of `batches` through their channels: first refusals, then what was received.

        Frames that are drawn together are cheap even if they are small; no number depends on the
        company.
        """
        started_s = self._clock()
        symbols_BK = np.concatenate([each.payload for each in batch])
        power_B = mean_power(symbols_BK)
        images = [len(each.payload) for each in batch]
        worst = np.maximum.reduceat(power_B, _starts(images)).tolist()
        sends: list[Send] = []
        placed: list[_Placed] = []
        taken: list[bool] = []
        for each, worst_power in zip(batch, worst, strict=True):
            try:
                placed.append(self._place(each, worst_power))
            except ProtocolError as error:
                sends.append(Send("uplink", each.sender, refusal(error, each.message.key)))
                taken.append(False)
            else:
                taken.append(True)
        if sends:
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
            self._greet(sender, message, now_s)
            return [Send("downlink", sender, Welcome(instance=self.instance))]
        if not isinstance(message, TaskResult | Refusal):
            raise ProtocolError("unexpected", f"{type(message).__name__} on the downlink")
        if sender not in self.receivers:
            raise ProtocolError("unexpected", "an answer from a receiver that never said hello")
        if message.key is None:
            return []
        for receiver in self.receivers.values():
            receiver.held.discard(_name(message.key))
        transmitter = self.transmitters.get(message.key.link)
        return [] if transmitter is None else [Send("uplink", transmitter[0], message)]

    def forget_silent(self, now_s: float) -> list[Receiver]:
        """Drop peers not heard of for too long; returns the receivers among them."""
        silent = [
            identity
            for identity, receiver in self.receivers.items()
            if now_s - receiver.heard_s > self._dead_after_s
        ]
        for link, (_, heard_s) in list(self.transmitters.items()):
            if now_s - heard_s > self._dead_after_s:
                del self.transmitters[link]
        return [self.receivers.pop(identity) for identity in silent]

    def lost(self, identity: bytes) -> None:
        """A receiver's connection is gone."""
        self.receivers.pop(identity, None)

    def _place(self, arrived: Arrived, worst_power: float) -> _Placed:
        """Where a frame goes, and through which channel.

        Raises:
            ProtocolError: the point is not known, the power too high, or nobody can take it.
        """
        message, key = arrived.message, arrived.message.key
        point = self.points.get(key.run, {}).get(key.point)
        if point is None:
            raise ProtocolError("unknown_point", f"no point {key.point} of run {key.run} here")
        check_power(worst_power)
        identity, receiver = self._choose(message.codec, _name(key))
        receiver.held.add(_name(key))
        self.transmitters[key.link] = (arrived.sender, arrived.at_s)
        codewords = Codewords(point, key.link, message.first_image, message.images)
        return _Placed(message, codewords, identity)

    def _through_channel(
        self, placed: Sequence[_Placed], symbols_BK: Symbols, power_B: Powers, started_s: float
    ) -> list[Send]:
        draw = draw_channels(
            [each.codewords for each in placed],
            symbols=symbols_BK.shape[1],
            normals=self._normals,
        )
        received_BK = pass_through(symbols_BK, draw)
        starts = _starts([each.codewords.images for each in placed])
        snrs_db = measured_snrs_db(power_B, draw, starts)
        ms_per_image = 1e3 * (self._clock() - started_s) / len(symbols_BK)
        sends = []
        for each, start, snr_db in zip(placed, starts, snrs_db, strict=True):
            rows = slice(start, start + each.codewords.images)
            payload = received_BK[rows]
            if each.codewords.has_csi:
                assert draw.csi_B1 is not None
                payload = np.concatenate([draw.csi_B1[rows], payload], axis=1)
            message = each.received(ms_per_image * each.codewords.images, snr_db)
            sends.append(Send("downlink", each.to, message, payload))
        return sends

    def _choose(self, codec: str, frame: FrameName) -> tuple[bytes, Receiver]:
        """The receiver that has the codec and holds the fewest frames; a full one takes again
        what it holds already."""
        able = [item for item in self.receivers.items() if codec in item[1].codecs]
        if not able:
            raise ProtocolError("no_receiver", f"no receiver has codec {codec[:12]} loaded")
        identity, receiver = min(able, key=lambda item: len(item[1].held))
        if len(receiver.held) >= self._queue_frames and frame not in receiver.held:
            raise ProtocolError("overloaded", f"every receiver holds {self._queue_frames} frames")
        return identity, receiver

    def _greet(self, sender: bytes, hello: Hello, now_s: float) -> None:
        receiver = self.receivers.get(sender)
        if receiver is None:
            receiver = self.receivers[sender] = Receiver(hello.peer, frozenset(), now_s)
        receiver.codecs = frozenset(hello.codecs)
        receiver.heard_s = now_s


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


def _name(key: FrameKey) -> FrameName:
    return key.run, key.link, key.point, key.frame
