"""The kernels: what the channel calls, to be compiled to machine code; needs numba.

    normals  samples of several ranges of streams
    powers   mean |z|^2 of codewords
    passage  r = a_1 (h_1 x_1) + a_2 (h_2 x_2) + ... + n, with the powers of signal and noise

Each is called with one pointer, to the fields of `layout.py`. A plain frame has one member, with
a = 1. Of frames that are superposed, the first one's record has the key of the noise.
Shape legend: F frames, U members, B codewords of all frames, K complex symbols of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cfunc, types

from channel_sim.compiled import layout
from channel_sim.compiled.loops import (
    DOUBLES,
    F32,
    F64,
    FLOATS,
    I64,
    INTS,
    PHASE_MASK,
    address_of,
    as_doubles,
    as_floats,
    as_halves,
    as_ints,
    as_words,
    double_sum,
    fill_radii,
    fill_words,
    float_sum,
    inlined,
)
from channel_sim.noise import WORDS_PER_BLOCK

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
CALL_FIELDS, FIELDS, RANGE_FIELDS = layout.CALL_FIELDS, layout.FIELDS, layout.RANGE_FIELDS
FRAMES, MEMBERS, CODEWORDS, SYMBOLS = (
    layout.FRAMES, layout.MEMBERS, layout.CODEWORDS, layout.SYMBOLS
)  # fmt: skip
USED, SUPERPOSED, MEASURED = layout.USED, layout.SUPERPOSED, layout.MEASURED
COS_SIN, SENT, POWERS = layout.COS_SIN, layout.SENT, layout.POWERS
RECEIVED, CSI = layout.RECEIVED, layout.CSI
SCRATCH_WORDS, SCRATCH_FLOATS = layout.SCRATCH_WORDS, layout.SCRATCH_FLOATS
SCRATCH_DOUBLES, SCRATCH_INTS = layout.SCRATCH_DOUBLES, layout.SCRATCH_INTS
NOISE_KEY, FADING_KEY, CSI_KEY = layout.NOISE_KEY, layout.FADING_KEY, layout.CSI_KEY
FIRST, IMAGES, FADING, COHERENCE = layout.FIRST, layout.IMAGES, layout.FADING, layout.COHERENCE
CSI_KIND, CSI_SCALE = layout.CSI_KIND, layout.CSI_SCALE
NOISE_SCALE, AMPLITUDE = layout.NOISE_SCALE, layout.AMPLITUDE
SCATTERED, LINE_OF_SIGHT = layout.SCATTERED, layout.LINE_OF_SIGHT
NO_FADING, RICIAN = layout.NO_FADING, layout.RICIAN
CSI_NONE, CSI_MISMATCH = layout.CSI_NONE, layout.CSI_MISMATCH
STACK_INTS, STACK_SUMS = layout.STACK_INTS, layout.STACK_SUMS


@inlined(types.void(INTS, I64, I64, FLOATS, I64))
def _one_normal(call: Any, key: Any, item: Any, found: Any, at: Any) -> None:
    """Write the only sample of an item of a stream, whose key is a field of a record."""
    keys, cos_sin = as_words(address_of(call)), as_floats(call[COS_SIN])
    words, radii = as_words(call[SCRATCH_WORDS]), as_floats(call[SCRATCH_FLOATS])
    fill_words(keys[key], keys[key + 1], item, 1, words)
    fill_radii(words, 1, radii)
    phase = np.int64(words[0] & PHASE_MASK)
    found[at] = cos_sin[2 * phase] * radii[0]
    found[at + 1] = cos_sin[2 * phase + 1] * radii[0]


@inlined(types.void(FLOATS, I64, F64))
def _scale(gains: Any, at: Any, factor: Any) -> None:
    """Multiply a gain by a real number as numpy does: by a complex one without imaginary part."""
    real, imaginary, scale = gains[at], gains[at + 1], np.float32(factor)
    gains[at] = real * scale - imaginary * _ZERO
    gains[at + 1] = real * _ZERO + imaginary * scale


# Scratch memory: radii (K), squares (2 K), gains (U, B) as floats; after a stack of sums, the
# powers of signal and noise of each codeword as doubles.


@inlined(FLOATS(INTS))
def _squares(call: Any) -> Any:
    return as_floats(call[SCRATCH_FLOATS] + 4 * call[SYMBOLS])


@inlined(FLOATS(INTS))
def _gains(call: Any) -> Any:
    return as_floats(call[SCRATCH_FLOATS] + 12 * call[SYMBOLS])


@inlined(F32(INTS))
def _power(call: Any) -> Any:
    """Return the mean of a codeword's squares per symbol."""
    symbols = call[SYMBOLS]
    total = float_sum(
        _squares(call),
        0,
        2 * symbols,
        as_ints(call[SCRATCH_INTS]),
        as_floats(call[SCRATCH_DOUBLES]),
    )
    return total / np.float32(symbols)


def normals(call_: Any) -> None:
    """Write samples: complex64 (all items, K) at RECEIVED; a row for each item of each range."""
    address = address_of(call_)
    keys, call = as_words(address), as_ints(address)
    count = call[SYMBOLS]
    cos_sin, samples = as_floats(call[COS_SIN]), as_floats(call[RECEIVED])
    words, radii = as_words(call[SCRATCH_WORDS]), as_floats(call[SCRATCH_FLOATS])
    blocks = (count + WORDS_PER_BLOCK - 1) // WORDS_PER_BLOCK
    out = 0
    for part in range(call[FRAMES]):
        record = CALL_FIELDS + RANGE_FIELDS * part
        first, number = call[record + 2], call[record + 3]
        for item in range(first, first + number):
            fill_words(keys[record], keys[record + 1], item * blocks, blocks, words)
            fill_radii(words, count, radii)
            for i in range(count):
                phase = np.int64(words[i] & PHASE_MASK)
                samples[out + 2 * i] = cos_sin[2 * phase] * radii[i]
                samples[out + 2 * i + 1] = cos_sin[2 * phase + 1] * radii[i]
            out += 2 * count


def powers(call_: Any) -> None:
    """Write the mean power of each codeword at SENT: float32 (B,) at POWERS."""
    call = as_ints(address_of(call_))
    reals = 2 * call[SYMBOLS]
    sent, found, squares = as_floats(call[SENT]), as_floats(call[POWERS]), _squares(call)
    for row in range(call[CODEWORDS]):
        for i in range(reals):
            value = sent[row * reals + i]
            squares[i] = value * value
        found[row] = _power(call)


@inlined(types.void(INTS, I64, I64, I64))
def _draw_gain(call: Any, record: Any, block: Any, at: Any) -> None:
    """Draw the gain of a block of codewords."""
    gains, numbers = _gains(call), as_doubles(address_of(call))
    _one_normal(call, record + FADING_KEY, block, gains, at)
    if call[record + FADING] == RICIAN:
        _scale(gains, at, numbers[record + SCATTERED])
        gains[at] = gains[at] + np.float32(numbers[record + LINE_OF_SIGHT])
        gains[at + 1] = gains[at + 1] + _ZERO


@inlined(types.void(INTS, I64, I64, I64, I64))
def _state(call: Any, record: Any, image: Any, at: Any, state: Any) -> None:
    """Write what a receiver knows of a gain."""
    gains, csi, numbers = _gains(call), as_floats(call[CSI]), as_doubles(address_of(call))
    kind = call[record + CSI_KIND]
    if kind == CSI_MISMATCH:
        _one_normal(call, record + CSI_KEY, image, csi, state)
        _scale(csi, state, numbers[record + CSI_SCALE])
        csi[state] = gains[at] + csi[state]
        csi[state + 1] = gains[at + 1] + csi[state + 1]
    elif kind != CSI_NONE:
        csi[state] = gains[at]
        csi[state + 1] = gains[at + 1]


@inlined(types.void(INTS))
def _draw_gains(call: Any) -> None:
    """Write gains (U, B), channel state (B, U), and which members fade, after the stack."""
    gains, flags, members = _gains(call), as_ints(call[SCRATCH_INTS]), call[MEMBERS]
    for member in range(members):
        at, row, faded = 2 * member * call[CODEWORDS], 0, 0
        for frame in range(call[FRAMES]):
            record = CALL_FIELDS + FIELDS * (frame * members + member)
            coherence, block = call[record + COHERENCE], -1
            for i in range(call[record + IMAGES]):
                image = call[record + FIRST] + i
                if call[record + FADING] == NO_FADING:
                    gains[at] = _ONE
                    gains[at + 1] = _ZERO
                elif image // coherence == block:
                    gains[at] = gains[at - 2]
                    gains[at + 1] = gains[at - 1]
                else:
                    block = image // coherence
                    _draw_gain(call, record, block, at)
                if gains[at] != _ONE or gains[at + 1] != _ZERO:
                    faded = 1
                _state(call, record, image, at, 2 * (row * members + member))
                at += 2
                row += 1
        flags[STACK_INTS + member] = faded


@inlined(types.void(INTS, I64, I64, FLOATS, I64))
def _fade(call: Any, member: Any, row: Any, faded: Any, out: Any) -> None:
    """Write h x of a member's codeword."""
    symbols, codeword = call[SYMBOLS], member * call[CODEWORDS] + row
    sent, gains, at = as_floats(call[SENT]), _gains(call), 2 * codeword * symbols
    real, imaginary = gains[2 * codeword], gains[2 * codeword + 1]
    if as_ints(call[SCRATCH_INTS])[STACK_INTS + member]:
        for i in range(symbols):
            z_re, z_im = sent[at + 2 * i], sent[at + 2 * i + 1]
            faded[out + 2 * i] = real * z_re - imaginary * z_im
            faded[out + 2 * i + 1] = real * z_im + imaginary * z_re
    else:
        for i in range(2 * symbols):
            faded[out + i] = sent[at + i]


@inlined(F32(INTS, I64))
def _signal(call: Any, row: Any) -> Any:
    """Write the faded symbols of a plain codeword; return their mean power."""
    _fade(call, 0, row, as_floats(call[RECEIVED]), 2 * row * call[SYMBOLS])
    gains = _gains(call)
    real, imaginary = gains[2 * row], gains[2 * row + 1]
    return as_floats(call[POWERS])[row] * (real * real + imaginary * imaginary)


@inlined(F32(INTS, I64, I64))
def _sum(call: Any, record: Any, row: Any) -> Any:
    """Write the sum of the members' faded symbols; return its mean power."""
    numbers, received, squares = (
        as_doubles(address_of(call)), as_floats(call[RECEIVED]), _squares(call)
    )  # fmt: skip
    reals = 2 * call[SYMBOLS]
    out, factor = row * reals, np.float32(numbers[record + AMPLITUDE])
    _fade(call, 0, row, received, out)
    for i in range(reals):
        received[out + i] = received[out + i] * factor
    for member in range(1, call[MEMBERS]):
        _fade(call, member, row, squares, 0)
        factor = np.float32(numbers[record + FIELDS * member + AMPLITUDE])
        for i in range(reals):
            received[out + i] = received[out + i] + squares[i] * factor
    for i in range(reals):
        squares[i] = received[out + i] * received[out + i]
    return _power(call)


@inlined(F32(INTS, I64, I64, I64))
def _add_noise(call: Any, record: Any, image: Any, row: Any) -> Any:
    """Add noise to the symbols that a codeword uses; return its mean power over all of them."""
    keys, cos_sin = as_words(address_of(call)), as_floats(call[COS_SIN])
    words, radii = as_words(call[SCRATCH_WORDS]), as_floats(call[SCRATCH_FLOATS])
    received, squares, symbols = as_floats(call[RECEIVED]), _squares(call), call[SYMBOLS]
    scale = np.float32(as_doubles(address_of(call))[record + NOISE_SCALE])
    key, blocks = record + NOISE_KEY, (symbols + WORDS_PER_BLOCK - 1) // WORDS_PER_BLOCK
    out, used = 2 * row * symbols, symbols
    if call[USED] != 0:
        used = np.int64(as_halves(call[USED])[row])
    fill_words(keys[key], keys[key + 1], image * blocks, blocks, words)
    fill_radii(words, used, radii)
    for i in range(used):
        phase = np.int64(words[i] & PHASE_MASK)
        n_re = cos_sin[2 * phase] * radii[i] * scale
        n_im = cos_sin[2 * phase + 1] * radii[i] * scale
        squares[2 * i] = n_re * n_re
        squares[2 * i + 1] = n_im * n_im
        received[out + 2 * i] = received[out + 2 * i] + n_re
        received[out + 2 * i + 1] = received[out + 2 * i + 1] + n_im
    for i in range(2 * used, 2 * symbols):
        squares[i] = _ZERO
        received[out + i] = _ZERO
    return _power(call)


@inlined(F64(INTS, DOUBLES, I64, I64))
def _total(call: Any, powers_B: Any, begin: Any, images: Any) -> Any:
    """Add up the powers of a frame as numpy does: plain frames the rest to the first, else to 0."""
    stack, sums = as_ints(call[SCRATCH_INTS]), as_doubles(call[SCRATCH_DOUBLES])
    if call[SUPERPOSED] != 0:
        return 0.0 + double_sum(powers_B, begin, images, stack, sums)
    if images == 1:
        return powers_B[begin]
    return powers_B[begin] + double_sum(powers_B, begin + 1, images - 1, stack, sums)


def passage(call_: Any) -> None:
    """Take frames through our channels.

    Writes the received symbols (B, K), channel state (B, U) where there is any, and the powers of
    signal and noise of each frame, whose decibels are left to the caller.
    """
    call = as_ints(address_of(call_))
    measured = as_doubles(call[MEASURED])
    signal_B = as_doubles(call[SCRATCH_DOUBLES] + 8 * STACK_SUMS)
    noise_B = as_doubles(call[SCRATCH_DOUBLES] + 8 * (STACK_SUMS + call[CODEWORDS]))
    _draw_gains(call)
    row = 0
    for frame in range(call[FRAMES]):
        record = CALL_FIELDS + FIELDS * frame * call[MEMBERS]
        images, begin = call[record + IMAGES], row
        for i in range(images):
            if call[SUPERPOSED] != 0:
                signal_B[row] = _sum(call, record, row)
            else:
                signal_B[row] = _signal(call, row)
            noise_B[row] = _add_noise(call, record, call[record + FIRST] + i, row)
            row += 1
        measured[2 * frame] = _total(call, signal_B, begin, images)
        measured[2 * frame + 1] = _total(call, noise_B, begin, images)


def compiled() -> dict[str, tuple[str, str]]:
    """Compile the kernels: by name, the function in machine code and its LLVM assembly."""
    found: dict[str, tuple[str, str]] = {}
    kernels: tuple[Callable[[Any], None], ...] = (normals, powers, passage)
    for kernel in kernels:
        function = cfunc(types.void(INTS), error_model="numpy")(kernel)
        found[kernel.__name__] = (function.native_name, function.inspect_llvm())
    return found
