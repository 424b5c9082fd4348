"""Run each half of a codec once when it is loaded: weights may be finite and yet useless.

A codec that encodes ordinary images to NaN, Inf or no power, or decodes ordinary symbols to NaN, is
refused before it is used.

Shape legend: N images, K complex symbols.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from semcom.checkpoints import Checkpoint
from semcom.errors import CheckpointError
from semcom.points import SNR_MAX_DB, SNR_MIN_DB

Images = npt.NDArray[np.uint8]
Symbols = npt.NDArray[np.complex64]
SNR_DB = 10.0
RANDOM_IMAGES = ORDINARY = 2  # besides a black and a white one
POWER_TOLERANCE = 0.01
SEED = 1
NOT_FINITE = "to NaN or Inf"


def probe_transmitter(
    checkpoint: Checkpoint,
    encode: Callable[[Images], npt.NDArray[np.generic]],
    *,
    image: tuple[int, int, int],
    filled: float = 1.0,
) -> None:
    """Encode a few images uint8 (N, H, W, C), and check the symbols (N, K).

    Args:
        checkpoint: the codec.
        encode: its transmitting half.
        image: height, width and channels of its input.
        filled: share of the reals of a codeword that carry power; the padding of an odd number does
            not.

    Raises:
        CheckpointError: of another shape, not finite, or not of unit power.
    """
    random = np.random.default_rng(SEED).integers(0, 256, (RANDOM_IMAGES, *image), np.uint8)
    plain = np.stack([np.full(image, value, np.uint8) for value in (0, 255)])
    images = np.concatenate([random, plain])
    probe_encoder(checkpoint, lambda: encode(images), filled_N=np.full(len(images), filled))


def probe_encoder(
    checkpoint: Checkpoint,
    encode: Callable[[], npt.NDArray[np.generic]],
    *,
    filled_N: npt.NDArray[np.float64],
) -> None:
    """Encode a few items, the first of which are ordinary, and check the symbols (N, K).

    Args:
        checkpoint: the codec.
        encode: encodes the items.
        filled_N: share of each codeword that carries power.

    Raises:
        CheckpointError: of another shape, not finite, or not of unit power.
    """
    symbols = checkpoint.manifest.symbols
    symbols_NK = _run(encode, checkpoint, "encoder")
    if symbols_NK.shape != (len(filled_N), symbols):
        raise _refused(checkpoint, f"sends {symbols_NK.shape[1:]} symbols per item, not {symbols}")
    if not is_finite(symbols_NK):
        raise _refused(checkpoint, f"encodes {NOT_FINITE}")
    power_N = np.square(np.abs(symbols_NK)).mean(axis=1) / filled_N
    lowest, highest = power_N[:ORDINARY].min(), power_N.max()
    if lowest < 1.0 - POWER_TOLERANCE or highest > 1.0 + POWER_TOLERANCE:
        raise _refused(checkpoint, f"sends a power of {lowest:.3g} to {highest:.3g}, not 1")


def probe_receiver(
    checkpoint: Checkpoint,
    decode: Callable[[Symbols, npt.NDArray[np.float32]], npt.NDArray[np.generic]],
) -> None:
    """Decode noise (N, K) with the power received at SNRs (N,) in dB, and check the outputs.

    Raises:
        CheckpointError: the outputs have another shape or are not finite.
    """
    manifest = checkpoint.manifest
    snr_db_N = np.array([SNR_MIN_DB, -10.0, SNR_DB, 30.0, SNR_MAX_DB], dtype=np.float32)
    rng = np.random.default_rng(SEED)
    reals = rng.standard_normal((len(snr_db_N), 2 * manifest.symbols), np.float32)
    power_N1 = (1.0 + 10.0 ** (-snr_db_N / 10.0))[:, None]
    symbols_NK = (reals * np.sqrt(0.5 * power_N1).astype(np.float32)).view(np.complex64)
    outputs = _run(lambda: decode(symbols_NK, snr_db_N), checkpoint, "decoder")
    expected = manifest.task.output_shape
    if outputs.shape != (len(snr_db_N), *expected):
        raise _refused(
            checkpoint, f"answers with {_shape(outputs.shape[1:])} numbers, not {_shape(expected)}"
        )
    if not is_finite(outputs):
        raise _refused(checkpoint, f"decodes {NOT_FINITE}")


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "single"


def is_finite(array: npt.NDArray[np.generic]) -> bool:
    """Return whether the outputs of a codec contain neither NaN nor Inf."""
    return bool(np.isfinite(array).all())


def _run(
    forward: Callable[[], npt.NDArray[np.generic]], checkpoint: Checkpoint, half: str
) -> npt.NDArray[np.generic]:
    try:
        return forward()
    except (RuntimeError, ValueError, ArithmeticError) as error:  # from torch or ONNX Runtime
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise _refused(checkpoint, f"does not run; its {half} reports: {first[:300]}") from error


def _refused(checkpoint: Checkpoint, text: str) -> CheckpointError:
    return CheckpointError(f"codec {checkpoint.folder} {text}")
