"""A channel by itself: symbols in, symbols out, as the channel process passes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from channel_sim.channels import Codewords
from channel_sim.passing import pass_frame
from semcom.channel_choice import read_channel
from semcom.errors import ConfigurationError, ProtocolError
from semcom.points import AnyChannel, EqualizerMethod, PointSpec
from semcom.used_symbols import check_used, format_used

Symbols = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Received:
    """Codewords as a receiver gets them.

    Attributes:
        symbols: as received, complex64 (N, K), not equalised.
        csi: what it knows of the channel, complex64 (N, M); None where that is nothing.
        equalizer: how the receiver undoes the channel.
        snr_measured_db: power of the faded symbols over that of the noise as drawn.
    """

    symbols: Symbols
    csi: Symbols | None
    equalizer: EqualizerMethod
    snr_measured_db: float | None


class Channel:
    """A channel model with its settings, as `channels:` of a scenario has them."""

    def __init__(self, settings: Mapping[str, Any] | str = "awgn") -> None:
        """Name a model, or give its settings with the key `model`.

        Raises:
            ConfigurationError: no such model, or settings that it does not take.
        """
        content = {"model": settings} if isinstance(settings, str) else dict(settings)
        self.settings: AnyChannel = read_channel(content, where="channel")

    def pass_through(
        self,
        symbols: npt.ArrayLike,
        *,
        snr_db: float,
        seed: int = 0,
        link: str = "link",
        first: int = 0,
        used: npt.ArrayLike | None = None,
    ) -> Received:
        """Send codewords; the same arguments give the same bits, whatever was sent before.

        Args:
            symbols: complex (N, K), mean |z|^2 per codeword at most 1.
            snr_db: Es/N0 per complex symbol.
            seed: of the channel.
            link: whose channel it is; each link has a channel of its own.
            first: number of the first codeword on the link; it keys fading and noise.
            used: how many symbols of each codeword are sent, (N,); those after them must be 0 and
                stay 0. None: all.

        Raises:
            ConfigurationError: an SNR or a seed that no scenario may have, or no codewords; `used`
                does not fit them.
        """
        codewords = np.ascontiguousarray(symbols, dtype=np.complex64)
        if codewords.ndim != 2 or not codewords.size:
            raise ConfigurationError(f"symbols of shape {codewords.shape}, not (N, K)")
        try:
            point = PointSpec(channel=self.settings, snr_db=float(snr_db), seed=seed)
        except ValueError as error:
            raise ConfigurationError(f"snr_db {snr_db}, seed {seed}: not a point") from error
        stated = b"" if used is None else _stated(np.asarray(used), codewords)
        passed = pass_frame(Codewords(point, link, first, len(codewords), stated), codewords)
        return Received(passed.received_BK, passed.csi_BM, passed.equalizer, passed.snr_measured_db)

    def __repr__(self) -> str:
        return f"<Channel {self.settings.label}>"


def _stated(used_N: npt.NDArray[Any], codewords: Symbols) -> bytes:
    """Return `used` as frames state it.

    Raises:
        ConfigurationError: it does not fit the codewords.
    """
    rows, symbols = codewords.shape
    if used_N.shape != (rows,) or used_N.dtype.kind not in "iu":
        raise ConfigurationError(f"used: {rows} integers, got {used_N.dtype} {used_N.shape}")
    if used_N.min() < 0 or used_N.max() > symbols:
        raise ConfigurationError(f"used: 0 to {symbols} symbols of a codeword")
    stated = format_used(used_N.astype(np.uint16), symbols)
    try:
        check_used(stated, codewords)
    except ProtocolError as error:
        raise ConfigurationError(error.detail) from error
    return stated
