"""Keyed complex Gaussians: the same numbers for the same key on every machine and release.

A stream is the sequence of Philox4x64-10 blocks with counter 1, 2, 3, ... under a 128-bit key
made from (seed, link, point, purpose). Each 64-bit word gives one CN(0, 1) sample by Box-Muller:
its upper 48 bits the radius, its lower 16 bits the phase. Item i of a stream (an image, a fading
draw) owns a fixed range of words, so any range of items can be drawn alone, in any order, by
any process.

numpy promises that Philox's integers never change, but neither its normals nor the last bit of
its log, sin and cos. So the transform is our own: the logarithm uses only correctly rounded
operations, the phase is a table whose digest a test pins. docs/protocol.md states it in full.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

WORDS_PER_BLOCK = 4
PHASE_BITS = 16

ComplexArray = npt.NDArray[np.complex64]

_PHASES = np.arange(2**PHASE_BITS, dtype=np.float64) * (2.0 * np.pi / 2**PHASE_BITS)
_COS = np.cos(_PHASES).astype(np.float32)
_SIN = np.sin(_PHASES).astype(np.float32)
_LN2 = 0.6931471805599453
# atanh series: ln m = 2 (s + s^3/3 + s^5/5 + ...), s = (m - 1)/(m + 1), |s| <= 0.1716.
_LOG_TERMS = tuple(2.0 / n for n in (15, 13, 11, 9, 7, 5, 3, 1))


def stream_key(*, seed: int, link: str, point: str, purpose: str) -> tuple[int, int]:
    """Philox key of a stream: BLAKE2b-128 of the four parts joined by newlines."""
    text = f"{seed}\n{link}\n{point}\n{purpose}".encode()
    digest = hashlib.blake2b(text, digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def complex_normals(
    key: tuple[int, int], *, first_item: int, items: int, per_item: int
) -> ComplexArray:
    """CN(0, 1) samples, E|x|^2 = 1, for items `first_item` ... of a stream.

    Each item starts at a block boundary: it owns ceil(per_item / 4) blocks.

    Returns:
        complex64 (items, per_item).
    """
    blocks = -(-per_item // WORDS_PER_BLOCK)
    counter = first_item * blocks
    philox = np.random.Philox(
        counter=np.array([counter, 0, 0, 0], dtype=np.uint64),
        key=np.array(key, dtype=np.uint64),
    )
    words = philox.random_raw(items * blocks * WORDS_PER_BLOCK)
    words = words.reshape(items, blocks * WORDS_PER_BLOCK)[:, :per_item]
    return _box_muller(words)


def _box_muller(words: npt.NDArray[np.uint64]) -> ComplexArray:
    uniform = ((words >> np.uint64(PHASE_BITS)) + np.uint64(1)).astype(np.float64) * 2.0**-48
    radius = np.sqrt(-_natural_log(uniform)).astype(np.float32)
    phase = (words & np.uint64(2**PHASE_BITS - 1)).astype(np.intp)
    samples = np.empty(words.shape, dtype=np.complex64)
    samples.real = radius * _COS[phase]
    samples.imag = radius * _SIN[phase]
    return samples


def _natural_log(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """ln x for 0 < x <= 1 within 2e-14, by correctly rounded operations alone."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < np.sqrt(0.5)
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = exponent - low
    s = (mantissa - 1.0) / (mantissa + 1.0)
    s2 = s * s
    series = np.full_like(s, _LOG_TERMS[0])
    for term in _LOG_TERMS[1:]:
        series = series * s2 + term
    result: npt.NDArray[np.float64] = np.minimum(exponent * _LN2 + s * series, 0.0)
    return result
