"""Frames that came up to the channel, and what it sends in answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from channel_sim.channels import Codewords
from channel_sim.known_points import KnownPoints
from channel_sim.passing import Passed
from channel_sim.receivers import FrameName
from channel_sim.slots import Held
from semcom.frame_messages import FrameKey, ReceivedFrame, SymbolFrame
from semcom.messages import Message
from semcom.used_symbols import parse_used
from semcom.wire import EMPTY, Powers, Symbols, power_while_sent

Side = Literal["uplink", "downlink"]


class Send(NamedTuple):
    """An instruction: send this to that peer."""

    side: Side
    to: bytes
    message: Message
    payload: Symbols = EMPTY


Arrived = Held  # a frame that came up, from whom, and when its socket was found readable


class Placed(NamedTuple):
    """A frame that is taken: its channel, and the receiver it goes to."""

    message: SymbolFrame
    codewords: Codewords
    sender: bytes
    to: bytes

    def received(
        self, passed: Passed, channel_ms: float, links: Sequence[str] = ()
    ) -> ReceivedFrame:
        """Return what the receiver is told; `links`: all of those that were superposed."""
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
            links=list(links),
        )


def codewords_of(points: KnownPoints, message: SymbolFrame) -> Codewords:
    """Return whose codewords a frame of a known point holds."""
    point = points.of(message.key.run)[message.key.point]
    return Codewords(point, message.key.link, message.first_image, message.images, message.used)


def name_of(key: FrameKey) -> FrameName:
    """Return what receivers are said to hold."""
    return key.run, key.link, key.point, key.frame


def sent_powers(frames: Sequence[Arrived], power_B: Powers) -> Powers:
    """Return the mean powers of codewords over the symbols that each uses."""
    messages = [each.message for each in frames]
    if not any(message.used for message in messages):
        return power_B
    symbols = messages[0].symbols
    used = [parse_used(each.used, rows=each.images, symbols=symbols) for each in messages]
    return power_while_sent(power_B, np.concatenate(used), symbols)
