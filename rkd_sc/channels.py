"""A channel without processes: symbols in, symbols out, as in the channel process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from channel_sim.channels import Codewords
from channel_sim.noise_engine import chosen_engine, load_engine
from channel_sim.passing import pass_frame
from semcom.channel_choice import read_channel
from semcom.errors import ConfigurationError, ProtocolError
from semcom.points import AnyChannel, EqualizerMethod, PointSpec
from semcom.used_symbols import check_used, format_used

Symbols = npt.NDArray[np.complex64]


@dataclass(frozen=True)
class Received:
    """Codewords as they arrive at a receiver.

    Attributes:
        symbols: as received, complex64 (N, K), not equalised.
        csi: the channel state, complex64 (N, M); None if there is none.
        equalizer: how the receiver undoes the channel.
        snr_measured_db: power of the faded symbols over that of the noise as drawn.
    """

    symbols: Symbols
    csi: Symbols | None
    equalizer: EqualizerMethod
    snr_measured_db: float | None


class Channel:
    """A channel model with its settings, as listed under `channels:` in a scenario."""

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
            link: name of the link; each link has its own channel.
            first: number of the first codeword on the link; it keys fading and noise.
            used: how many symbols of each codeword are sent, (N,); the remaining ones must be 0 and
                stay 0. None: all.

        Raises:
            ConfigurationError: an SNR or a seed that a scenario may not have, no codewords, or a
                `used` that does not fit them.
        """
        codewords = np.ascontiguousarray(symbols, dtype=np.complex64)
        if codewords.ndim != 2 or not codewords.size:
            raise ConfigurationError(f"symbols of shape {codewords.shape}, not (N, K)")
        try:
            point = PointSpec(channel=self.settings, snr_db=float(snr_db), seed=seed)
        except ValueError as error:
            raise ConfigurationError(f"snr_db {snr_db}, seed {seed}: not a valid point") from error
        stated = b"" if used is None else _stated(np.asarray(used), codewords)
        frame = Codewords(point, link, first, len(codewords), stated)
        passed = pass_frame(frame, codewords, engine=load_engine(chosen_engine("auto")))
        return Received(passed.received_BK, passed.csi_BM, passed.equalizer, passed.snr_measured_db)

    def __repr__(self) -> str:
        return f"<Channel {self.settings.label}>"


def _stated(used_N: npt.NDArray[Any], codewords: Symbols) -> bytes:
    """Return `used` in the form that frames carry.

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
