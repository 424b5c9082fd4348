"""Loops that numba compiles: Philox, the transform to normals, sums as numpy rounds them.

Nothing here may be contracted or reordered: every operation rounds as numpy's does, so fast-math
stays off, and series and sums are evaluated in the same order. Arrays are plain pointers: nothing
is checked, nothing is allocated, and the machine code needs no library.
"""

from __future__ import annotations

from collections.abc import Callable
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
    SQRT_HALF_BITS,
    UNIFORM_STEP,
    WORDS_PER_BLOCK,
)

F32, F64, I64, U64 = types.float32, types.float64, types.int64, types.uint64
FLOATS, DOUBLES = types.CPointer(F32), types.CPointer(F64)
INTS, WORDS = types.CPointer(I64), types.CPointer(U64)
HALVES = types.CPointer(types.uint16)

# Philox4x64-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
ROUNDS = 10
MULTIPLIER_0 = np.uint64(0xD2E7470EE14C6C93)
MULTIPLIER_1 = np.uint64(0xCA5A826395121157)
WEYL_0 = np.uint64(0x9E3779B97F4A7C15)
WEYL_1 = np.uint64(0xBB67AE8584CAA73B)

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_PHASE_SHIFT = np.uint64(PHASE_BITS)
PHASE_MASK = np.uint64(2**PHASE_BITS - 1)
_FIRST_TERM, _LOG_TERMS = LOG_TERMS[0], LOG_TERMS[1:]
# numpy adds in eight lanes, and halves what is longer than this (`pairwise_sum`).
LANES, LONGEST = 8, 128


def inlined(signature: Any) -> Callable[[Any], Any]:
    """Compile a function that becomes a part of those that call it."""
    decorate: Callable[[Any], Any] = njit(signature, error_model="numpy", forceinline=True)
    return decorate


@intrinsic
def _product(_context: Any, _a: Any, _b: Any) -> Any:
    """The upper and the lower half of the product of two uint64, by one multiplication."""

    def generate(context: Any, builder: Any, signature: Any, factors: Any) -> Any:
        wide, word = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(factor, wide) for factor in factors))
        high = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), word)
        return context.make_tuple(
            builder, signature.return_type, (high, builder.trunc(product, word))
        )

    return types.UniTuple(U64, 2)(U64, U64), generate


@intrinsic
def _square_root(_context: Any, _x: Any) -> Any:
    """The correctly rounded root of a double: an instruction, where `math` would call a library."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        root = builder.module.declare_intrinsic("llvm.sqrt", [ir.DoubleType()])
        return builder.call(root, arguments)

    return F64(F64), generate


def _address_as(pointer: Any) -> Any:
    """Return a function that makes a pointer of an address."""

    @intrinsic
    def made(_context: Any, _address: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(pointer))

        return pointer(I64), generate

    return made


@intrinsic
def address_of(_context: Any, _ints: Any) -> Any:
    """Return the address that a pointer to integers holds."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], ir.IntType(64))

    return I64(INTS), generate


@inlined(types.void(U64, U64, I64, I64, WORDS))
def fill_words(key_0: Any, key_1: Any, first_block: Any, blocks: Any, words: Any) -> None:
    """Write blocks of Philox words; as numpy's generator, block n has counter n + 1."""
    for block in range(blocks):
        c0, c1, c2, c3 = np.uint64(first_block + block + 1), _ZERO, _ZERO, _ZERO
        k0, k1 = key_0, key_1
        for _ in range(ROUNDS):
            high_0, low_0 = _product(MULTIPLIER_0, c0)
            high_1, low_1 = _product(MULTIPLIER_1, c2)
            c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
            k0, k1 = k0 + WEYL_0, k1 + WEYL_1
        at = WORDS_PER_BLOCK * block
        words[at] = c0
        words[at + 1] = c1
        words[at + 2] = c2
        words[at + 3] = c3


@inlined(types.void(WORDS, I64, FLOATS))
def fill_radii(words: Any, count: Any, radii: Any) -> None:
    """Write sqrt(-ln u) of each word, as `noise._box_muller` and `noise._natural_log` round it."""
    for i in range(count):
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
        radii[i] = np.float32(_square_root(-(log if log < 0.0 else 0.0)))


def _pairwise_sum(real: Any, reals: Any) -> Any:
    """Return numpy's sum of a contiguous array, in the order in which numpy adds."""

    @inlined(real(reals, I64, I64))
    def short_sum(values: Any, first: Any, count: Any) -> Any:
        if count < LANES:
            total = real(-0.0)
            for i in range(first, first + count):
                total += values[i]
            return total
        r0, r1, r2, r3 = values[first], values[first + 1], values[first + 2], values[first + 3]
        r4, r5, r6, r7 = values[first + 4], values[first + 5], values[first + 6], values[first + 7]
        whole = first + count - count % LANES
        for i in range(first + LANES, whole, LANES):
            r0 += values[i]
            r1 += values[i + 1]
            r2 += values[i + 2]
            r3 += values[i + 3]
            r4 += values[i + 4]
            r5 += values[i + 5]
            r6 += values[i + 6]
            r7 += values[i + 7]
        total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
        for i in range(whole, first + count):
            total += values[i]
        return total

    @inlined(real(reals, I64, I64, INTS, reals))
    def pairwise_sum(values: Any, first: Any, count: Any, stack: Any, sums: Any) -> Any:
        # numpy adds the sums of both halves. Parts that are yet to be added lie on a stack of
        # (first, count, depth); of sums, the last two are added once they have one depth.
        if count <= LONGEST:
            return short_sum(values, first, count)
        parts, found = 1, 0
        stack[0], stack[1], stack[2] = first, count, 0
        while parts > 0:
            parts -= 1
            at, size, depth = stack[3 * parts], stack[3 * parts + 1], stack[3 * parts + 2]
            if size > LONGEST:
                half = size // 2
                half -= half % LANES
                stack[3 * parts], stack[3 * parts + 1] = at + half, size - half
                stack[3 * parts + 2] = depth + 1
                stack[3 * parts + 3], stack[3 * parts + 4] = at, half
                stack[3 * parts + 5] = depth + 1
                parts += 2
                continue
            sums[found] = short_sum(values, at, size)
            stack[DEPTHS_AT + found] = depth
            found += 1
            while found > 1 and stack[DEPTHS_AT + found - 2] == stack[DEPTHS_AT + found - 1]:
                found -= 1
                sums[found - 1] = sums[found - 1] + sums[found]
                stack[DEPTHS_AT + found - 1] -= 1
        return sums[0]

    return pairwise_sum


DEPTHS_AT = 64  # in the stack: depths of sums, after parts
as_floats, as_doubles = _address_as(FLOATS), _address_as(DOUBLES)
as_ints, as_words, as_halves = _address_as(INTS), _address_as(WORDS), _address_as(HALVES)
float_sum = _pairwise_sum(F32, FLOATS)
double_sum = _pairwise_sum(F64, DOUBLES)
