"""Pass frames through the channels of their points: built-in ones and those of packages.

    ours       z~ = h z + n
    a package  z~ = apply(z, state) + n,   state = draw(streams)

Noise is drawn for all frames alike. Unused symbols of a codeword leave the channel as 0. A
package's code is not trusted: an error in it refuses its frame and does not affect the others.
Shape legend: B images (one codeword each), K complex symbols, M columns of channel state.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, get_args

import numpy as np

from channel_sim.channels import Codewords, unused_symbols
from channel_sim.models.model import Streams
from channel_sim.noise import ComplexArray, Normals
from channel_sim.noise_engine import NUMPY, Engine
from semcom.channel_models import loaded
from semcom.errors import ProtocolError, SemcomError, one_line
from semcom.frame_messages import MAX_CSI_COLUMNS
from semcom.points import ChannelSettings, EqualizerMethod, PluginChannel
from semcom.wire import Powers, fits, mean_power

MAX_POWER = 1e9  # mean |z|^2 of a codeword after its channel
EQUALIZERS: tuple[str, ...] = get_args(EqualizerMethod)


class Passed(NamedTuple):
    """A frame after the channel, with its channel state."""

    received_BK: ComplexArray
    csi_BM: ComplexArray | None
    equalizer: EqualizerMethod
    snr_measured_db: float | None

    @property
    def csi_columns(self) -> int:
        """Number of columns of channel state."""
        return 0 if self.csi_BM is None else self.csi_BM.shape[1]

    @property
    def payload(self) -> ComplexArray:
        """Channel state, then symbols: complex64 (B, M + K)."""
        if self.csi_BM is None:
            return self.received_BK
        return np.concatenate([self.csi_BM, self.received_BK], axis=1)


class Faded(NamedTuple):
    """A frame after a package's model, without noise."""

    symbols_BK: ComplexArray
    csi_BM: ComplexArray | None
    equalizer: EqualizerMethod


def pass_frames(
    frames: Sequence[Codewords],
    symbols_BK: ComplexArray,
    power_B: Powers,
    *,
    engine: Engine = NUMPY,
) -> list[Passed | ProtocolError]:
    """Pass frames, whose codewords are concatenated, through their channels.

    Args:
        frames: frames of the codewords.
        symbols_BK: the codewords, complex64.
        power_B: their `mean_power` over all symbols.
        engine: draws and computes.

    Returns:
        The received frame or the error for each frame.
    """
    ends = list(accumulate(frame.images for frame in frames))
    rows = [slice(end - frame.images, end) for end, frame in zip(ends, frames, strict=True)]
    faded = {
        index: fade_by_package(frame, symbols_BK[rows[index]], engine.normals)
        for index, frame in enumerate(frames)
        if isinstance(frame.point.channel, PluginChannel)
    }
    if faded:
        symbols_BK, power_B = symbols_BK.copy(), power_B.copy()
        unused_BK = unused_symbols(frames, symbols_BK.shape[1])
        for index, each in faded.items():
            if isinstance(each, Faded):
                span = rows[index]
                symbols_BK[span] = each.symbols_BK
                if unused_BK is not None:
                    symbols_BK[span][unused_BK[span]] = 0
                power_B[span] = mean_power(symbols_BK[span])
    through = engine.through(frames, symbols_BK, power_B)
    passed: list[Passed | ProtocolError] = []
    for index, (frame, span) in enumerate(zip(frames, rows, strict=True)):
        by_package, channel = faded.get(index), frame.point.channel
        if isinstance(by_package, ProtocolError):
            passed.append(by_package)
            continue
        if isinstance(channel, ChannelSettings):
            csi_BM = through.csi_BM[span] if frame.has_csi and through.csi_BM is not None else None
            equalizer = channel.equalizer
        else:
            assert by_package is not None
            csi_BM, equalizer = by_package.csi_BM, by_package.equalizer
        received_BK, snr_db = through.received_BK[span], through.snrs_db[index]
        passed.append(Passed(received_BK, csi_BM, equalizer, snr_db))
    return passed


def pass_frame(frame: Codewords, symbols_BK: ComplexArray, *, engine: Engine = NUMPY) -> Passed:
    """Pass one frame through its channel.

    Raises:
        ProtocolError: its channel model is not installed, fails, or returns an invalid frame.
    """
    power_B = engine.mean_power(symbols_BK)
    (passed,) = pass_frames([frame], symbols_BK, power_B, engine=engine)
    if isinstance(passed, ProtocolError):
        raise passed
    return passed


def fade_by_package(
    frame: Codewords, symbols_BK: ComplexArray, normals: Normals
) -> Faded | ProtocolError:
    """Pass a frame through a package's model, without noise; return an error if that fails."""
    channel = frame.point.channel
    try:
        assert isinstance(channel, PluginChannel)
        return _fade(frame, loaded(channel), symbols_BK, normals)
    except ProtocolError as error:
        return error
    except Exception as error:  # a package's code may raise anything
        kind = "" if isinstance(error, SemcomError) else f"{type(error).__name__}: "
        why = one_line(f"{kind}{error}")
        return ProtocolError("internal", f"channel model {channel.model} fails: {why}")


def _fade(frame: Codewords, model: Any, symbols_BK: ComplexArray, normals: Normals) -> Faded:
    """Draw and apply a model, and check that its output can be sent on."""
    point, shape = frame.point, symbols_BK.shape
    streams = Streams(
        seed=point.seed,
        link=frame.link,
        point=point.key_text,
        first_item=frame.first_image,
        items=frame.images,
        draw=normals,
    )
    state = model.draw(streams, symbols=shape[1])
    # A copy, because the model may modify it and the frame may be repeated.
    faded_BK = np.ascontiguousarray(model.apply(symbols_BK.copy(), state), dtype=np.complex64)
    csi_BM = model.csi_of(state)
    if faded_BK.shape != shape:
        raise ValueError(f"symbols of shape {faded_BK.shape}, not {shape}")
    if not (mean_power(faded_BK) <= MAX_POWER).all():  # also false for NaN
        raise ValueError(f"symbols that are not finite, or of a power above {MAX_POWER:g}")
    if model.equalizer not in EQUALIZERS:
        raise ValueError(f"equalizer {model.equalizer!r}; available: {', '.join(EQUALIZERS)}")
    if csi_BM is not None:
        csi_BM = np.ascontiguousarray(csi_BM, dtype=np.complex64)
        _check_csi(csi_BM, images=shape[0], symbols=shape[1])
    return Faded(faded_BK, csi_BM, model.equalizer)


def _check_csi(csi_BM: ComplexArray, *, images: int, symbols: int) -> None:
    """Check that channel state has a row per codeword, is finite, and fits into a message.

    Raises:
        ValueError: it is not valid.
        ProtocolError: `shape`, it does not fit.
    """
    if csi_BM.ndim != 2 or len(csi_BM) != images or not 0 < csi_BM.shape[1] <= MAX_CSI_COLUMNS:
        raise ValueError(
            f"channel state of shape {csi_BM.shape}, not {images} rows of 1 to {MAX_CSI_COLUMNS}"
        )
    if not np.isfinite(csi_BM.view(np.float32)).all():
        raise ValueError("channel state that is not finite")
    if not fits(images, symbols, csi_columns=csi_BM.shape[1]):
        raise ProtocolError(
            "shape",
            f"{images} images of {symbols} symbols and {csi_BM.shape[1]} columns of channel state "
            "do not fit into one message; lower frame_images",
        )
