"""Matrices as int8, a scale s and a zero point z per row: X_q = round(s X - z).

Eq. (29) of Liu et al. A network computes in float32 with the values (X_q + z) / s, so that its
answers do not depend on batching.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.codec_arrays import Arrays
from semcom.errors import CheckpointError

SCALE, ZERO = ".scale", ".zero"
LEVELS = 255
Matrix = npt.NDArray[np.float32]


def quantize(arrays: Arrays) -> Arrays:
    """Return arrays with every matrix as int8, with the scales and zero points of its rows."""
    quantized: Arrays = {}
    for name, array in arrays.items():
        if array.ndim != 2:
            quantized[name] = array
            continue
        quantized[name], quantized[name + SCALE], quantized[name + ZERO] = _rows(array)
    return quantized


def dequantize(arrays: Arrays) -> Arrays:
    """Return dequantised arrays in float32.

    Raises:
        CheckpointError: a matrix has no scales and zero points that fit it.
    """
    plain: Arrays = {}
    for name, array in arrays.items():
        if array.dtype == np.int8:
            plain[name] = _restored(name, array, arrays.get(name + SCALE), arrays.get(name + ZERO))
        elif not name.endswith((SCALE, ZERO)):
            plain[name] = array
    return plain


def _rows(matrix: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int8], Matrix, Matrix]:
    values = matrix.astype(np.float32)
    low, high = values.min(axis=1), values.max(axis=1)
    # A constant row has no range: its scale is chosen so that the zero point alone gives the value.
    scale = np.float32(LEVELS) / np.maximum(high - low, np.float32(1e-6))
    zero = np.rint(scale * low) + np.float32(LEVELS // 2 + 1)
    integers = np.rint(scale[:, None] * values - zero[:, None]).clip(-128, 127)
    return integers.astype(np.int8), scale, zero


def _restored(name: str, integers: Any, scale: Any, zero: Any) -> Matrix:
    rows = integers.shape[:1]
    for given in (scale, zero):
        if given is None or given.shape != rows or given.dtype != np.float32:
            raise CheckpointError(f"{name[:200]} has no float32 scale and zero point per row")
        if not np.isfinite(given).all():
            raise CheckpointError(f"the scales of {name[:200]} hold NaN or Inf")
    if not (scale > 0).all():
        raise CheckpointError(f"{name[:200]} has a scale that is not positive")
    with np.errstate(over="ignore"):  # detected when the values are checked
        restored: Matrix = (integers.astype(np.float32) + zero[:, None]) / scale[:, None]
    return restored
