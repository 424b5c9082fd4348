"""Anything but a message is a ProtocolError: whatever its structure, in bounded time and memory."""

from __future__ import annotations

import struct
import time
import tracemalloc

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom import wire
from semcom.errors import ProtocolError
from semcom.messages import MESSAGE_TYPES
from tests.semcom.samples import SAMPLES, header_of, sealed

fuzz = settings(max_examples=120, derandomize=True, deadline=None, database=None)
MAX_DECODE_CPU_S = 5.0
MAX_DECODE_BYTES = 64 << 20

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats()
    | st.text(max_size=20) | st.binary(max_size=20)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=8))
)  # fmt: skip
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=70) | st.dictionaries(scalars, inner, max_size=6),
    max_leaves=12,
)


def decoded(parts: list[bytes]) -> bool:
    """Whether the parts are a message; anything raised but ProtocolError fails the test."""
    try:
        message, symbols = wire.decode(parts)
    except ProtocolError as error:
        wire.refusal(error)  # every reason and detail can be told
        return False
    assert wire.decode(wire.encode(message, symbols))[0] == message
    return True


@fuzz
@given(type_code=st.sampled_from(sorted(MESSAGE_TYPES)), tree=trees, body=st.binary(max_size=16))
def test_any_msgpack_under_a_right_prefix_is_a_message_or_refused(type_code, tree, body):
    decoded(sealed(type_code, msgpack.packb(tree, strict_types=False), body))


@fuzz
@given(sample=st.sampled_from(SAMPLES), data=st.data())
def test_any_bytes_changed_in_a_header_are_a_message_or_refused(sample, data):
    """With a right checksum, so that the header is read."""
    message, payload = sample
    header = bytearray(header_of(message))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(header) - 1))
        change = data.draw(st.binary(max_size=3))
        header[place : place + data.draw(st.integers(0, 3))] = change
        header = header or bytearray(b"\0")
    decoded(sealed(message.TYPE, bytes(header), payload.tobytes()))


@fuzz
@given(sample=st.sampled_from(SAMPLES), data=st.data())
def test_fields_left_out_added_or_exchanged_are_a_message_or_refused(sample, data):
    message, payload = sample
    fields = msgpack.unpackb(header_of(message), strict_map_key=False)
    for name in data.draw(st.lists(st.sampled_from(sorted(fields)), max_size=2)):
        fields.pop(name, None)
    fields.update(data.draw(st.dictionaries(st.sampled_from(sorted(fields) or ["a"]), trees)))
    decoded(sealed(message.TYPE, msgpack.packb(fields, strict_types=False), payload.tobytes()))


@fuzz
@given(
    numbers=st.tuples(*[st.integers(0, 2**16 - 1)] * 2, *[st.integers(0, 2**32 - 1)] * 3),
    header=st.binary(max_size=40),
    body=st.binary(max_size=40),
)
def test_any_prefix_is_refused(numbers, header, body):
    prefix = wire.MAGIC + struct.pack("<HHIII", *numbers)
    assert not decoded([prefix, header, body])
    assert wire.is_refusal([prefix, header, body]) == (numbers[1] == 13)


@pytest.mark.parametrize(
    "parts",
    [
        [b""] * 100_000,
        [bytes(1 << 20)] * 64,
        [bytes(wire.PREFIX_BYTES), bytes(64 << 20), b""],
        [bytes(64 << 20), b"", b""],
        [],
        sealed(2, b"\x80", bytes(wire.MAX_PAYLOAD_BYTES)),
        sealed(10, b"\x90" * wire.MAX_HEADER_BYTES),
        sealed(10, b"\x81" * wire.MAX_HEADER_BYTES),
        sealed(10, b"\xdc\x00\x40" * (wire.MAX_HEADER_BYTES // 3)),
    ],
    ids=["many", "many-large", "header", "prefix", "none", "payload", "flat", "maps", "arrays"],
)
def test_size_costs_bounded_time_and_memory(parts):
    tracemalloc.start()
    started_s = time.process_time()
    try:
        assert not decoded(parts)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MAX_DECODE_BYTES
    assert time.process_time() - started_s < MAX_DECODE_CPU_S
