"""Keyed complex Gaussians: the same numbers for the same key on every machine and release.

A stream is the sequence of Philox4x64-10 blocks with counter 1, 2, 3, ... under a 128-bit key
made from (seed, link, point, purpose). Each 64-bit word gives one CN(0, 1) sample by Box-Muller:
its upper 48 bits the radius, its lower 16 bits the phase. Item i of a stream (an image, a fading
draw) owns a fixed range of words, so any process can draw any range of items separately, in any
order.

numpy promises that Philox's integers never change, but neither its normals nor the last bit of
its log, sin and cos. So the transform is our own: the logarithm uses only correctly rounded
operations, and the phase comes from a table whose digest is pinned by a test. docs/protocol.md
specifies it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

WORDS_PER_BLOCK = 4
PHASE_BITS = 16
UNIFORM_STEP = 2.0**-48  # of the uniform variable for the radius
WORDS_AT_A_TIME = 2048  # transformed together, so that they stay in the cache

ComplexArray = npt.NDArray[np.complex64]

_PHASES = np.arange(2**PHASE_BITS, dtype=np.float64) * (2.0 * np.pi / 2**PHASE_BITS)
PHASORS = np.empty(2**PHASE_BITS, dtype=np.complex64)
PHASORS.real = np.cos(_PHASES)
PHASORS.imag = np.sin(_PHASES)
LN2 = 0.6931471805599453
SQRT_HALF_BITS = int(np.sqrt(0.5).view(np.int64))
MANTISSA_BITS = 52
# atanh series: ln m = 2 (s + s^3/3 + s^5/5 + ...), s = (m - 1)/(m + 1), |s| <= 0.1716.
LOG_TERMS = tuple(2.0 / n for n in (15, 13, 11, 9, 7, 5, 3, 1))


class Items(NamedTuple):
    """`number` items of a key's stream, from item `first` on."""

    key: tuple[int, int]
    first: int
    number: int


class Normals(Protocol):
    """`complex_normals_of` of any engine, with identical bits."""

    def __call__(self, parts: Sequence[Items], *, per_item: int) -> ComplexArray: ...


def stream_key(*, seed: int, link: str, point: str, purpose: str) -> tuple[int, int]:
    """Return the Philox key of a stream: BLAKE2b-128 of the four parts joined by newlines."""
    text = f"{seed}\n{link}\n{point}\n{purpose}".encode()
    digest = hashlib.blake2b(text, digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def complex_normals(
    key: tuple[int, int], *, first_item: int, items: int, per_item: int
) -> ComplexArray:
    """Return CN(0, 1) samples, E|x|^2 = 1, for items of a stream from `first_item` on.

    Each item starts at a block boundary: it owns ceil(per_item / 4) blocks.

    Returns:
        complex64 (items, per_item).
    """
    return complex_normals_of([Items(key, first_item, items)], per_item=per_item)


def complex_normals_of(parts: Sequence[Items], *, per_item: int) -> ComplexArray:
    """Return the samples of several ranges, concatenated: complex64 (all items, per_item).

    The numbers are those of separate calls, at a fraction of the cost for short ranges.
    """
    words = words_of(parts, per_item=per_item)
    samples = np.empty(words.shape, dtype=np.complex64)
    step = max(1, WORDS_AT_A_TIME // max(1, per_item))
    for first in range(0, len(words), step):
        samples[first : first + step] = _box_muller(words[first : first + step])
    return samples


def words_of(parts: Sequence[Items], *, per_item: int) -> npt.NDArray[np.uint64]:
    """Return the words from which samples are computed: uint64 (all items, per_item)."""
    blocks = -(-per_item // WORDS_PER_BLOCK)
    philox = np.random.Philox(key=0)
    state = philox.state
    counter, key = state["state"]["counter"], state["state"]["key"]
    found = []
    for part in parts:
        counter[0] = part.first * blocks
        key[:] = part.key
        philox.state = state  # a tenth of the cost of a new generator
        found.append(philox.random_raw(part.number * blocks * WORDS_PER_BLOCK))
    words = found[0] if len(found) == 1 else np.concatenate(found)
    return words.reshape(-1, blocks * WORDS_PER_BLOCK)[:, :per_item]


def uniform_of(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for each word, from its upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _box_muller(words: npt.NDArray[np.uint64]) -> ComplexArray:
    """Return one sample per word."""
    uniform = ((words >> np.uint64(PHASE_BITS)) + np.uint64(1)).astype(np.float64)
    uniform *= UNIFORM_STEP
    radius = np.sqrt(-_natural_log(uniform)).astype(np.float32)
    phase = (words & np.uint64(2**PHASE_BITS - 1)).view(np.int64)
    samples: ComplexArray = PHASORS.take(phase)
    samples.real *= radius
    samples.imag *= radius
    return samples


def _natural_log(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ln x for 2^-1022 <= x <= 1 within 2e-14, using only correctly rounded operations."""
    # x = m 2^exponent with sqrt(1/2) <= m < sqrt(2), by the bits of x.
    bits = x.view(np.int64)
    exponent = (bits - SQRT_HALF_BITS) >> MANTISSA_BITS
    m = (bits - (exponent << MANTISSA_BITS)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    s2 = s * s
    series = s2 * LOG_TERMS[0]
    for term in LOG_TERMS[1:-1]:
        series += term
        series *= s2
    series += LOG_TERMS[-1]
    series *= s
    series += exponent * LN2
    return np.minimum(series, 0.0, out=series)
