"""Codes that distinguish M classes over K complex symbols, with unit mean power (no torch).

    simplex        M codewords with pairwise correlation -1 / (M - 1): the largest possible distance
    biorthogonal   orthogonal codewords and their negatives; half as many dimensions

Every codeword is spread over all symbols, so that a fade of some symbols affects all alike.
Shape legend: M classes, K complex symbols; adjacent reals are I and Q of one symbol.
"""

from __future__ import annotations

from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

from semcom.errors import CheckpointError, ConfigurationError

LabelCode = Literal["simplex", "biorthogonal"]
Reals = npt.NDArray[np.float32]
TOLERANCE = 1e-4  # of correlations, which are at most 1


def dimensions(code: LabelCode, classes: int) -> int:
    """Return the smallest number of reals that a code needs."""
    match code:
        case "simplex":
            return classes - 1
        case "biorthogonal":
            return (classes + 1) // 2
        case _:
            assert_never(code)


def label_code(code: LabelCode, *, classes: int, symbols: int) -> Reals:
    """Return the codewords as reals, float32 (M, 2 K).

    Raises:
        ConfigurationError: there are too few symbols for the number of classes.
    """
    needed, reals = dimensions(code, classes), 2 * symbols
    if needed > reals:
        raise ConfigurationError(
            f"a {code} code of {classes} classes needs {(needed + 1) // 2} symbols, not {symbols}"
        )
    basis = _cosines(reals)[:needed]
    match code:
        case "simplex":
            # Rows of the cosines without the constant one sum to 0: corners around the origin.
            corners = _cosines(classes)[1:].T * np.sqrt(classes / (classes - 1))
            unit = corners @ basis
        case "biorthogonal":
            unit = np.stack([basis, -basis], axis=1).reshape(2 * needed, reals)[:classes]
        case _:
            assert_never(code)
    codewords: Reals = (np.sqrt(symbols) * unit).astype(np.float32)
    return codewords


def check_code(code: LabelCode, reals_MR: npt.NDArray[np.generic]) -> None:
    """Check that stored codewords are a code of that kind, at unit power.

    Raises:
        CheckpointError: they are not.
    """
    reals = reals_MR.astype(np.float64)
    classes, width = reals.shape
    found = reals @ reals.T * (2.0 / width)
    match code:
        case "simplex":
            expected = np.full((classes, classes), -1.0 / (classes - 1))
        case "biorthogonal":
            expected = np.zeros((classes, classes))
            first = np.arange(0, classes - 1, 2)
            expected[first, first + 1] = expected[first + 1, first] = -1.0
        case _:
            assert_never(code)
    np.fill_diagonal(expected, 1.0)
    if np.abs(found - expected).max() > TOLERANCE:
        raise CheckpointError(f"code.reals is not a {code} code of unit power")


def _cosines(size: int) -> npt.NDArray[np.float64]:
    """Return the orthonormal cosines (DCT-II) as rows, the constant one first: (size, size)."""
    at = np.arange(size)
    rows = np.cos(np.pi * at[:, None] * (2 * at[None, :] + 1) / (2 * size))
    rows *= np.sqrt(2.0 / size)
    rows[0] /= np.sqrt(2.0)
    found: npt.NDArray[np.float64] = rows
    return found
