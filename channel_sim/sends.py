"""Frames that arrive at the channel, and the messages that it sends."""

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
    """An instruction to send a message to a peer."""

    side: Side
    to: bytes
    message: Message
    payload: Symbols = EMPTY


Arrived = Held  # an arrived frame, its sender, and when its socket was found readable


class Placed(NamedTuple):
    """An accepted frame with its channel and receiver."""

    message: SymbolFrame
    codewords: Codewords
    sender: bytes
    to: bytes

    def received(
        self,
        passed: Passed,
        channel_ms: float,
        links: Sequence[str] = (),
        *,
        absent: Sequence[str] = (),
    ) -> ReceivedFrame:
        """Return the message to the receiver; `links`: all links that were superposed."""
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
            absent=list(absent),
        )


def codewords_of(points: KnownPoints, message: SymbolFrame) -> Codewords:
    """Return the description of the codewords of a frame with a known point."""
    point = points.of(message.key.run)[message.key.point]
    return Codewords(point, message.key.link, message.first_image, message.images, message.used)


def name_of(key: FrameKey) -> FrameName:
    """Return the name of a frame at receivers."""
    return key.run, key.link, key.point, key.frame


def sent_powers(frames: Sequence[Arrived], power_B: Powers) -> Powers:
    """Return the mean power of each codeword over its used symbols."""
    messages = [each.message for each in frames]
    if not any(message.used for message in messages):
        return power_B
    symbols = messages[0].symbols
    used = [parse_used(each.used, rows=each.images, symbols=symbols) for each in messages]
    return power_while_sent(power_B, np.concatenate(used), symbols)
