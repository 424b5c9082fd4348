"""Interference: pass a wanted frame through its channel and add the other links of its group.

    r = (h x) + n;   then, interferers in ascending order:   r = r + a (m s) where L = 1

in float32 and in this order. A frame without interferers is bit-identical to that of a plain link.

The draws of interferers are keyed by seed, wanted link, interferer and codeword, never by the
channel model, SNR, SIR or number of interferers. Points of one seed therefore share these draws.

Shape legend: B codewords, K complex symbols of the wanted codeword, J of an interferer's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from channel_sim.channels import Codewords, fade, parts, unused_symbols, with_line_of_sight
from channel_sim.noise import (
    ComplexArray,
    Items,
    Normals,
    complex_normals_of,
    stream_key,
    uniform_of,
    words_of,
)
from channel_sim.noise_engine import NUMPY, Engine
from channel_sim.passing import Passed, pass_frames
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.interference import Interference
from semcom.points import ChannelSettings

MEETING = "meeting"  # in the keys of draws, in place of the text of a point


class Sent(NamedTuple):
    """A frame as sent by a member: symbols_BJ, complex64."""

    codewords: Codewords
    symbols_BJ: ComplexArray


class InterfererDraw(NamedTuple):
    """The channel from an interferer to a wanted link: gains m, delays d, and activity."""

    gains_B1: ComplexArray
    delays_B: npt.NDArray[np.int64]
    on_BK: npt.NDArray[np.bool_]


def interfere(
    group: Group, wanted: Sent, others: Sequence[Sent], *, engine: Engine = NUMPY
) -> Passed:
    """Pass the frame of one member through its channel, and add its interferers.

    Args:
        group: group of the slot.
        wanted: the frame to be decoded.
        others: the frames of all other members.
        engine: draws and computes.

    Returns:
        The received symbols (B, K), and the channel state of the wanted link only.

    Raises:
        ProtocolError: the channel belongs to a package, which does not define the channel of
            interferers.
    """
    codewords, symbols_BK = wanted
    point = codewords.point
    (passed,) = pass_frames([codewords], symbols_BK, engine.mean_power(symbols_BK), engine=engine)
    if isinstance(passed, ProtocolError):
        raise passed
    settings = point.interference
    if settings is None:
        return passed
    if not isinstance(point.channel, ChannelSettings):
        raise ProtocolError(
            "shape",
            f"channel model {point.channel.model} does not define the channel of interferers",
        )
    received_BK = passed.received_BK.copy()
    unused_BK = unused_symbols([codewords], symbols_BK.shape[1])
    sent_by = {each.codewords.link: each.symbols_BJ for each in others}
    for interferer in settings.of(codewords.link, group.links):
        draw = draw_interferer(
            codewords, interferer, settings, symbols=symbols_BK.shape[1], normals=engine.normals
        )
        if unused_BK is not None:
            draw.on_BK[unused_BK] = False
        _add(received_BK, sent_by[interferer], draw, sir_db=settings.sir_db)
    return passed._replace(received_BK=received_BK)


def draw_interferer(
    wanted: Codewords,
    interferer: str,
    settings: Interference,
    *,
    symbols: int,
    normals: Normals = complex_normals_of,
) -> InterfererDraw:
    """Draw the channel of one interferer for codewords of `symbols` symbols of a wanted link."""
    channel = wanted.point.channel
    assert isinstance(channel, ChannelSettings)
    delay_B1 = uniform_of(words_of([_items(wanted, f"delay:{interferer}")], per_item=1))
    delays_B = np.floor(delay_B1[:, 0] * (settings.delay + 1)).astype(np.int64)
    per_item = symbols if settings.per == "symbol" else 1
    occurrence = _items(wanted, f"occurrence:{interferer}")
    on = uniform_of(words_of([occurrence], per_item=per_item)) < settings.occurrence
    on_BK = np.broadcast_to(on, (wanted.images, symbols)).copy()
    return InterfererDraw(_gains(wanted, interferer, channel, normals), delays_B, on_BK)


def _gains(
    wanted: Codewords, interferer: str, channel: ChannelSettings, normals: Normals
) -> ComplexArray:
    """Return m of each codeword, complex64 (B, 1): one draw for `coherence` of them."""
    if channel.model == "awgn":
        return np.ones((wanted.images, 1), dtype=np.complex64)
    items = _items(wanted, f"gain:{interferer}")
    first = items.first // channel.coherence
    last = (items.first + items.number - 1) // channel.coherence
    scattered_N1 = normals([Items(items.key, first, last - first + 1)], per_item=1)
    gains_N1 = with_line_of_sight(channel, scattered_N1)
    numbers = items.first + np.arange(items.number)
    gains_B1: ComplexArray = gains_N1[numbers // channel.coherence - first]
    return gains_B1


def _add(
    received_BK: ComplexArray, symbols_BJ: ComplexArray, draw: InterfererDraw, *, sir_db: float
) -> None:
    """Add an interferer's symbols, delayed, up to the end of the wanted codeword."""
    places_BK = np.arange(received_BK.shape[1]) - draw.delays_B[:, None]
    on_BK = draw.on_BK & (places_BK >= 0) & (places_BK < symbols_BJ.shape[1])
    delayed_BK = np.take_along_axis(symbols_BJ, places_BK.clip(0, symbols_BJ.shape[1] - 1), axis=1)
    amplitude = np.float32(10.0 ** (-sir_db / 20.0))
    faded = fade(parts(delayed_BK), parts(draw.gains_B1))
    for received, added in zip((received_BK.real, received_BK.imag), faded, strict=True):
        np.add(received, amplitude * added, out=received, where=on_BK)


def _items(wanted: Codewords, purpose: str) -> Items:
    key = _key(wanted.point.seed, wanted.link, purpose)
    return Items(key, wanted.first_image, wanted.images)


@lru_cache(maxsize=4096)
def _key(seed: int, link: str, purpose: str) -> tuple[int, int]:
    return stream_key(seed=seed, link=link, point=MEETING, purpose=purpose)
