"""One forward pass of each half of a codec as it is loaded: weights may be finite and yet useless.

A codec that makes NaN, Inf or no power of ordinary images, or NaN of ordinary symbols, is refused
before it serves.

Shape legend: N images, S size that the encoder sees, K complex symbols, T classes.
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
RANDOM_IMAGES = 2  # beside a black and a white one
POWER_TOLERANCE = 0.01
SEED = 1
NOT_FINITE = "to NaN or Inf"


def probe_transmitter(
    checkpoint: Checkpoint, encode: Callable[[Images], npt.NDArray[np.generic]]
) -> None:
    """Encode a few images uint8 (N, S, S, 3), and check the symbols (N, K).

    Raises:
        CheckpointError: of another shape, not finite, or not of unit power.
    """
    architecture = checkpoint.manifest.architecture
    size, symbols = architecture.encoder.input.size, architecture.channel.symbols
    random = np.random.default_rng(SEED).integers(0, 256, (RANDOM_IMAGES, size, size, 3), np.uint8)
    plain = np.stack([np.full((size, size, 3), value, np.uint8) for value in (0, 255)])
    images = np.concatenate([random, plain])
    symbols_NK = _run(lambda: encode(images), checkpoint, "encoder")
    if symbols_NK.shape != (len(images), symbols):
        raise _refused(checkpoint, f"sends {symbols_NK.shape[1:]} symbols per image, not {symbols}")
    if not is_finite(symbols_NK):
        raise _refused(checkpoint, f"encodes {NOT_FINITE}")
    # The padding real of an odd codeword carries none.
    power_N = np.square(np.abs(symbols_NK)).mean(axis=1) * (
        2.0 * symbols / architecture.channel.codeword_dim
    )
    lowest, highest = power_N[:RANDOM_IMAGES].min(), power_N.max()
    if lowest < 1.0 - POWER_TOLERANCE or highest > 1.0 + POWER_TOLERANCE:
        raise _refused(checkpoint, f"sends a power of {lowest:.3g} to {highest:.3g}, not 1")


def probe_receiver(
    checkpoint: Checkpoint,
    decode: Callable[[Symbols, npt.NDArray[np.float32]], npt.NDArray[np.generic]],
) -> None:
    """Decode noise (N, K) of the power received at SNRs (N,) in dB, and check the logits (N, T).

    Raises:
        CheckpointError: of another shape, or not finite.
    """
    architecture = checkpoint.manifest.architecture
    snr_db_N = np.array([SNR_MIN_DB, -10.0, SNR_DB, 30.0, SNR_MAX_DB], dtype=np.float32)
    rng = np.random.default_rng(SEED)
    reals = rng.standard_normal((len(snr_db_N), 2 * architecture.channel.symbols), np.float32)
    power_N1 = (1.0 + 10.0 ** (-snr_db_N / 10.0))[:, None]
    symbols_NK = (reals * np.sqrt(0.5 * power_N1).astype(np.float32)).view(np.complex64)
    logits_NT = _run(lambda: decode(symbols_NK, snr_db_N), checkpoint, "decoder")
    if logits_NT.shape != (len(snr_db_N), architecture.classes):
        raise _refused(
            checkpoint, f"answers {logits_NT.shape[1:]} classes, not {architecture.classes}"
        )
    if not is_finite(logits_NT):
        raise _refused(checkpoint, f"decodes {NOT_FINITE}")


def is_finite(array: npt.NDArray[np.generic]) -> bool:
    """Return whether a codec has made no NaN and no Inf."""
    return bool(np.isfinite(array).all())


def _run(
    forward: Callable[[], npt.NDArray[np.generic]], checkpoint: Checkpoint, half: str
) -> npt.NDArray[np.generic]:
    try:
        return forward()
    except (RuntimeError, ValueError, ArithmeticError) as error:  # of torch or ONNX Runtime
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise _refused(checkpoint, f"does not run, its {half} says: {first[:300]}") from error


def _refused(checkpoint: Checkpoint, text: str) -> CheckpointError:
    return CheckpointError(f"codec {checkpoint.folder} {text}")
