"""Damaged, mixed and random bytes: refused with a reason, never taken for another message."""

from __future__ import annotations

import random

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom import wire
from semcom.errors import ProtocolError
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.messages import MESSAGE_TYPES
from tests.properties import examples
from tests.semcom.samples import DIGEST, SAMPLES, by_name, header_of, reason, sealed

fuzz = examples(150)


@by_name
def test_no_flipped_bit_passes(message, payload):
    parts = wire.encode(message, payload)
    for index, part in enumerate(parts):
        for bit in range(8 * len(part)):
            flipped = bytearray(part)
            flipped[bit // 8] ^= 1 << bit % 8
            changed = [*parts]
            changed[index] = bytes(flipped)
            with pytest.raises(ProtocolError):
                wire.decode(changed)


@by_name
def test_no_truncation_passes(message, payload):
    parts = wire.encode(message, payload)
    for index, part in enumerate(parts):
        for length in range(len(part)):
            changed = [*parts]
            changed[index] = part[:length]
            with pytest.raises(ProtocolError):
                wire.decode(changed)


@fuzz
@given(seed=st.integers(0, 2**32), flips=st.integers(2, 3))
def test_few_flipped_bits_never_pass(seed, flips):
    dice = random.Random(seed)
    for message, payload in SAMPLES:
        parts = [bytearray(part) for part in wire.encode(message, payload)]
        places = [(part, bit) for part in parts for bit in range(8 * len(part))]
        for part, bit in dice.sample(places, flips):
            part[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            wire.decode([bytes(part) for part in parts])


def test_parts_of_two_messages_do_not_mix():
    encoded = [wire.encode(message, payload) for message, payload in SAMPLES]
    for one in encoded:
        for other in encoded:
            if one is not other:
                with pytest.raises(ProtocolError):
                    wire.decode([one[0], other[1], other[2]])
                with pytest.raises(ProtocolError):
                    wire.decode([other[0], one[1], other[2]])


def test_no_header_of_one_type_is_valid_as_another():
    """A damaged type in the prefix is outside the checksum: the schemas must tell."""
    for message, payload in SAMPLES:
        for type_code in MESSAGE_TYPES.keys() - {message.TYPE}:
            assert reason(sealed(type_code, header_of(message), payload.tobytes())) == "header"


@fuzz
@given(parts=st.lists(st.binary(max_size=64), max_size=5))
def test_random_parts_are_refused(parts):
    with pytest.raises(ProtocolError):
        wire.decode(parts)


@fuzz
@given(
    type_code=st.sampled_from(sorted(MESSAGE_TYPES)),
    header=st.binary(max_size=200),
    body=st.binary(max_size=40),
)
def test_random_bytes_under_a_right_prefix_raise_nothing_but_refusals(type_code, header, body):
    reason(sealed(type_code, header, body))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)  # fmt: skip


@examples(80)
@given(sample=st.sampled_from(SAMPLES), value=json_like, data=st.data())
def test_any_value_in_any_field_is_taken_or_refused(sample, value, data):
    message, payload = sample
    field = data.draw(st.sampled_from(sorted(msgpack.unpackb(wire.header_bytes(message)))))
    parts = sealed(message.TYPE, header_of(message, **{field: value}), payload.tobytes())
    try:
        decoded, symbols = wire.decode(parts)
    except ProtocolError:
        return
    assert wire.decode(wire.encode(decoded, symbols))[0] == decoded


names = st.from_regex("[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@fuzz
@given(
    run=names,
    link=names,
    point=st.integers(0, 2**31 - 1),
    frame=st.integers(0, 2**31 - 1),
    rows=st.lists(st.lists(finite, min_size=4, max_size=4), min_size=1, max_size=5),
)
def test_any_frame_comes_out_bit_for_bit(run, link, point, frame, rows):
    key = FrameKey(run=run, point=point, link=link, frame=frame)
    symbols = np.array(rows, dtype=np.float32).view(np.complex64)
    message = SymbolFrame(key=key, first_image=0, images=len(rows), symbols=2, codec=DIGEST)
    decoded, received = wire.decode(wire.encode(message, symbols))
    assert decoded == message
    assert received.tobytes() == symbols.tobytes()
