"""The numbers of `channel_sim.noise`, bit for bit, by compiled loops: needs numba.

Nothing here may be contracted or reordered: every operation rounds as numpy's does, so fast-math
stays off, and the series is evaluated in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from channel_sim.noise import (
    LN2,
    LOG_TERMS,
    MANTISSA_BITS,
    PHASE_BITS,
    PHASORS,
    SQRT_HALF_BITS,
    UNIFORM_STEP,
    WORDS_PER_BLOCK,
    ComplexArray,
    Items,
)

# Philox4x64-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
ROUNDS = 10
MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
WEYL_1 = np.uint64(0xBB67AE8584CAA73B)

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_PHASE_SHIFT = np.uint64(PHASE_BITS)
_PHASE_MASK = np.uint64(2**PHASE_BITS - 1)
_FIRST_TERM, _LOG_TERMS = LOG_TERMS[0], LOG_TERMS[1:]
_COS_SIN = PHASORS.view(np.float32).reshape(-1, 2)


def complex_normals_of(parts: Sequence[Items], *, per_item: int) -> ComplexArray:
    """As `channel_sim.noise.complex_normals_of`: complex64 (all items, per_item)."""
    samples = np.empty((sum(part.number for part in parts), per_item), dtype=np.complex64)
    _fill(
        np.array([part.key for part in parts], dtype=np.uint64).reshape(-1, 2),
        np.array([part.first for part in parts], dtype=np.int64),
        np.array([part.number for part in parts], dtype=np.int64),
        per_item,
        _COS_SIN,
        samples.view(np.float32),
    )
    return samples


def _compiled(signature: str, **options: Any) -> Callable[[Any], Any]:
    """Compile now, and keep the result on disk where a folder for it can be written."""

    def compile_(function: Any) -> Any:
        try:
            return njit(signature, cache=True, error_model="numpy", **options)(function)
        except (RuntimeError, OSError):  # nowhere to keep it, or no room
            return njit(signature, error_model="numpy", **options)(function)

    return compile_


@intrinsic
def _high_product(_context: Any, _a: Any, _b: Any) -> Any:
    """The upper 64 of the 128 bits of a product of two uint64."""

    def generate(_target: Any, builder: Any, _signature: Any, factors: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(factor, wide) for factor in factors))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@_compiled("void(uint64, uint64, int64, uint64[::1])")
def _fill_words(key_0: Any, key_1: Any, first_block: Any, words: Any) -> None:
    """Blocks of Philox words; as numpy's generator, block n has counter n + 1."""
    for block in range(len(words) // WORDS_PER_BLOCK):
        c0, c1, c2, c3 = np.uint64(first_block + block + 1), _ZERO, _ZERO, _ZERO
        k0, k1 = key_0, key_1
        for _ in range(ROUNDS):
            high_0, low_0 = _high_product(MULTIPLIER_0, c0), MULTIPLIER_0 * c0
            high_1, low_1 = _high_product(MULTIPLIER_1, c2), MULTIPLIER_1 * c2
            c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
            k0, k1 = k0 + WEYL_0, k1 + WEYL_1
        at = WORDS_PER_BLOCK * block
        words[at], words[at + 1], words[at + 2], words[at + 3] = c0, c1, c2, c3


@_compiled("void(uint64[::1], float32[::1])")
def _fill_radii(words: Any, radii: Any) -> None:
    """sqrt(-ln u) of each word, as `noise._box_muller` and `noise._natural_log` round it."""
    for i in range(len(radii)):
        x = float(np.int64((words[i] >> _PHASE_SHIFT) + _ONE)) * UNIFORM_STEP
        bits = np.float64(x).view(np.int64)
        exponent = (bits - SQRT_HALF_BITS) >> MANTISSA_BITS
        m = np.int64(bits - (exponent << MANTISSA_BITS)).view(np.float64)
        s = (m - 1.0) / (m + 1.0)
        s2 = s * s
        series = _FIRST_TERM
        for term in _LOG_TERMS:
            series = series * s2 + term
        log = exponent * LN2 + s * series
        radii[i] = np.float32(np.sqrt(-(log if log < 0.0 else 0.0)))


@_compiled("void(uint64[:, ::1], int64[::1], int64[::1], int64, float32[:, ::1], float32[:, ::1])")
def _fill(keys: Any, firsts: Any, numbers: Any, per_item: Any, cos_sin: Any, samples: Any) -> None:
    """All items of all parts, a row each."""
    blocks = -(-per_item // WORDS_PER_BLOCK)
    words = np.empty(WORDS_PER_BLOCK * blocks, np.uint64)
    radii = np.empty(per_item, np.float32)
    row = 0
    for part in range(len(numbers)):
        for item in range(firsts[part], firsts[part] + numbers[part]):
            _fill_words(keys[part, 0], keys[part, 1], item * blocks, words)
            _fill_radii(words, radii)
            for i in range(per_item):
                phase = words[i] & _PHASE_MASK
                samples[row, 2 * i] = cos_sin[phase, 0] * radii[i]
                samples[row, 2 * i + 1] = cos_sin[phase, 1] * radii[i]
            row += 1
