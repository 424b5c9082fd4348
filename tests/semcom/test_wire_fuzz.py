"""Anything but a message is a ProtocolError: whatever its structure, in bounded time and memory."""

from __future__ import annotations

import re
import struct
import time
import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom import wire
from semcom.errors import ProtocolError
from semcom.frame_messages import TaskResult
from semcom.messages import MAX_ITEMS, MESSAGE_TYPES, Results
from semcom.tasks.task import MAX_KEPT_BYTES
from tests.properties import examples
from tests.semcom.samples import SAMPLES, header_of, reason, sealed

fuzz = examples(120)
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


RESULTS = next(message for message, _ in SAMPLES if isinstance(message, Results))
RESULT = next(message for message, _ in SAMPLES if isinstance(message, TaskResult))
RESULT_FIELDS = RESULTS.results[0].model_dump()
sum_names = st.from_regex("[a-z][a-z0-9_]{0,31}", fullmatch=True)
sums = st.integers(-(2**63) + 1, 2**63 - 1)


def results_with(**changed: object) -> list[bytes]:
    """Results of one frame with some of its fields changed."""
    fields = {**RESULTS.model_dump(), "results": [{**RESULT_FIELDS, **changed}]}
    return sealed(Results.TYPE, msgpack.packb(fields, strict_types=False))


@fuzz
@given(
    score=st.dictionaries(sum_names, sums, min_size=1, max_size=MAX_ITEMS),
    answer=st.binary(max_size=MAX_KEPT_BYTES),
)
def test_any_score_within_bounds_comes_out_as_it_went_in(score, answer):
    message, _ = wire.decode(results_with(score=score, answer=answer))
    assert (message.results[0].score, message.results[0].answer) == (score, answer)


@fuzz
@given(
    score=st.dictionaries(sum_names, sums, max_size=3),
    name=sum_names,
    value=st.integers(2**63, 2**64 - 1) | st.just(-(2**63)) | st.booleans() | st.floats()
    | st.none() | st.text(max_size=4) | st.binary(max_size=4)
    | st.lists(sums, max_size=2) | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary()),
)  # fmt: skip
def test_sum_that_is_no_integer_of_63_bits_is_refused(score, name, value):
    assert reason(results_with(score={**score, name: value})) == "header"


@fuzz
@given(name=st.text(max_size=40) | st.binary(max_size=4) | st.integers(0, 2**64 - 1) | st.none())
def test_sum_under_another_name_is_refused(name):
    right = isinstance(name, str) and re.fullmatch("[a-z][a-z0-9_]{0,31}", name, re.ASCII)
    if right:
        assert decoded(results_with(score={name: 1}))
    else:
        assert reason(results_with(score={name: 1})) == "header"


@pytest.mark.parametrize(
    "changed",
    [
        {"score": {}},
        {"score": {f"s{number}": 1 for number in range(MAX_ITEMS + 1)}},
        {"score": [["items", 1]]},
        {"score": None},
        {"score": {"items\n": 1}},
        {"score": {"Items": 1}},
        {"score": {"a" * 33: 1}},
        {"answer": bytes(MAX_KEPT_BYTES + 1)},
        {"answer": "text"},
        {"answer": None},
        {"correct": 1},
        {"predictions": b"\0\0"},
    ],
    ids=str,
)
def test_result_beyond_its_bounds_is_refused(changed):
    assert decoded(results_with())
    assert reason(results_with(**changed)) == "header"


@fuzz
@given(name=st.text(max_size=400))
def test_unknown_field_of_any_name_is_refused_in_one_printable_line(name):
    unknown = name not in type(RESULT).__struct_fields__
    header = msgpack.packb({**msgpack.unpackb(header_of(RESULT)), name: 1}, strict_types=False)
    assert not unknown or reason(sealed(RESULT.TYPE, header)) == "header"


def test_sum_that_is_there_twice_is_refused():
    header = msgpack.packb({**RESULTS.model_dump(), "results": [RESULT_FIELDS]})
    score = msgpack.packb(RESULT_FIELDS["score"])
    assert header.count(score) == 1
    doubled = b"\x82" + msgpack.packb({"items": 2})[1:] * 2
    assert reason(sealed(Results.TYPE, header.replace(score, doubled))) == "header"


@fuzz
@given(answer=st.binary(max_size=300), data=st.data())
def test_answer_is_any_bytes_and_its_header_alone_is_judged(answer, data):
    header = bytearray(header_of(RESULT))
    decoded_message, payload = wire.decode(sealed(RESULT.TYPE, bytes(header), answer))
    assert (decoded_message, payload.tobytes()) == (RESULT, answer)
    place = data.draw(st.integers(0, len(header) - 1))
    header[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    decoded(sealed(RESULT.TYPE, bytes(header), answer))


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
