"""Messages on the wire: what goes in comes out, and nothing else is let in."""

from __future__ import annotations

import time
import tracemalloc
import zlib

import msgpack
import numpy as np
import pytest
from msgspec.structs import replace

from semcom import wire
from semcom.errors import ProtocolError
from semcom.frame_messages import SymbolFrame, TaskResult
from semcom.messages import (
    MAX_ITEMS,
    MESSAGE_TYPES,
    PROTOCOL_VERSION,
    PointTable,
    Recorded,
    Welcome,
)
from tests.semcom.samples import DIGEST, INSTANCE, KEY, SAMPLES, by_name, header_of, reason, sealed


def test_every_message_type_has_a_sample():
    assert {type(message) for message, _ in SAMPLES} == set(MESSAGE_TYPES.values())


@by_name
def test_message_comes_out_as_it_went_in(message, payload):
    decoded, symbols = wire.decode(wire.encode(message, payload))
    assert decoded == message
    assert type(decoded) is type(message)
    assert symbols.dtype == (np.uint8 if isinstance(message, TaskResult) else np.complex64)
    assert symbols.shape == payload.shape
    assert np.array_equal(symbols, payload)


def test_bytes_on_the_wire_are_those_of_the_specification():
    prefix, header, body = wire.encode(Welcome(instance=INSTANCE))
    assert header == b"\x81\xa8instance\xb0" + INSTANCE.encode()
    assert prefix == b"SEMC" + b"\3\0" + b"\2\0" + b"\x1b\0\0\0" + bytes(4) + prefix[16:]
    assert int.from_bytes(prefix[16:], "little") == zlib.crc32(prefix[:16] + header)
    assert body == b""


def test_payload_is_little_endian_real_then_imaginary_in_row_order():
    message = SymbolFrame(key=KEY, first_image=0, images=2, symbols=1, codec=DIGEST)
    symbols = np.array([[1 + 2j], [-0.5 + 0j]], dtype=np.complex64)
    expected = bytes.fromhex("0000803f 00000040 000000bf 00000000")
    assert wire.encode(message, symbols)[2] == expected
    assert wire.encode(message, np.asfortranarray(symbols).astype(">c8"))[2] == expected


@pytest.mark.parametrize("count", [0, 1, 2, 4, 2000])
def test_refuses_wrong_number_of_parts(count):
    parts = (wire.encode(Welcome(instance=INSTANCE)) * 700)[:count]
    assert reason(parts) == "parts"


@pytest.mark.parametrize("prefix_bytes", [0, 19, 21])
def test_refuses_prefix_of_wrong_size(prefix_bytes):
    prefix, header, body = wire.encode(Welcome(instance=INSTANCE))
    assert reason([(prefix * 2)[:prefix_bytes], header, body]) == "size"


def test_refuses_parts_that_are_too_large_before_reading_them():
    assert reason(sealed(2, bytes(wire.MAX_HEADER_BYTES + 1), crc=0)) == "size"
    assert reason(sealed(10, b"", bytes(wire.MAX_PAYLOAD_BYTES + 1), crc=0)) == "size"


@pytest.mark.parametrize("field", ["header_bytes", "body_bytes"])
def test_refuses_lengths_that_differ_from_the_prefix(field):
    header = header_of(SAMPLES[2][0])
    assert reason(sealed(2, header, **{field: 5})) == "size"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("magic", b"HTTP", "magic"),
        ("magic", b"CMES", "magic"),
        ("version", PROTOCOL_VERSION + 1, "version"),
        ("version", 0, "version"),
        ("type", 0, "type"),
        ("type", 999, "type"),
        ("crc", 0, "checksum"),
    ],
)
def test_refuses_prefix_that_is_not_ours(field, value, expected):
    assert reason(sealed(2, header_of(SAMPLES[2][0]), **{field: value})) == expected


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xc0",
        b"\x90",
        msgpack.packb("instance"),
        msgpack.packb({}),
        msgpack.packb({"instance": INSTANCE, "more": 1}),
        msgpack.packb({"instance": INSTANCE}) + b"\xc0",
        msgpack.packb({"instance": INSTANCE})[:-1],
        b"\x82" + 2 * msgpack.packb({"instance": INSTANCE})[1:],
        msgpack.packb({1: INSTANCE}),
        msgpack.packb({b"instance": INSTANCE}),
        msgpack.packb({"instance": INSTANCE.encode()}),
        msgpack.packb({"instance": 1}),
        msgpack.packb({"instance": None}),
        msgpack.packb({"instance": [INSTANCE]}),
        msgpack.packb({"instance": INSTANCE[:-1]}),
        msgpack.packb({"instance": INSTANCE + "\n"}),
        msgpack.packb({"instance": INSTANCE.upper()}),
        msgpack.packb({"instance": msgpack.ExtType(5, b"x")}),
        msgpack.packb({"instance": msgpack.Timestamp(0)}),
        b"\x81\xa8instance\xc7\x00\x05",
        b"\x81\xa8instance\xa2\xc3\x28",
        b"\xc1",
    ],
)
def test_refuses_header_that_is_not_the_schema(header):
    assert reason(sealed(Welcome.TYPE, header)) == "header"


@pytest.mark.parametrize(
    ("sample", "changed"),
    [
        (3, {"images": "2"}),
        (3, {"images": 2.0}),
        (3, {"images": True}),
        (3, {"images": 0}),
        (3, {"images": 4097}),
        (3, {"symbols": 4097}),
        (3, {"first_image": -1}),
        (3, {"first_image": 2**31}),
        (3, {"codec": "AB" * 32}),
        (3, {"key": {**KEY.fields(), "run": "../etc"}}),
        (3, {"key": {**KEY.fields(), "extra": 1}}),
        (3, {"key": {**KEY.fields(), "frame": "7"}}),
        (3, {"key": None}),
        (4, {"csi_columns": True}),
        (4, {"snr_db": float("nan")}),
        (4, {"snr_db": 60.5}),
        (4, {"snr_db": -30.5}),
        (4, {"equalizer": "magic"}),
        (4, {"channel_ms": float("inf")}),
        (4, {"channel_ms": float("nan")}),
        (4, {"channel_ms": -1.0}),
        (6, {"predictions": b"\0\0"}),
        (7, {"reason": "because"}),
        (7, {"detail": "x" * 301}),
        (12, {"frames": [[0, 1, 2]]}),
        (12, {"frames": [["0", 1]]}),
        (12, {"frames": []}),
        (12, {"frames": [[0, 101]]}),
        (12, {"frames": [[5, 5]]}),
        (12, {"frames": [[7, 5]]}),
        (12, {"window": 0}),
        (12, {"encode_once": 1}),
        (13, {"results": []}),
        (15, {"exit_code": 0}),
        (15, {"detail": "x" * 1025}),
    ],
)
def test_refuses_value_outside_the_schema(sample, changed):
    message, payload = SAMPLES[sample]
    body = payload.tobytes()
    wire.decode(sealed(message.TYPE, header_of(message), body))
    assert reason(sealed(message.TYPE, header_of(message, **changed), body)) == "header"


@pytest.mark.parametrize(
    "point",
    [
        *({"snr_db": value} for value in (float("nan"), float("inf"), 1e9, "10", True, None)),
        {"snr_db": 0.0, "seed": "3"},
        {"snr_db": 0.0, "seed": 3.0},
        {"snr_db": 0.0, "seed": -1},
        {"snr_db": 0.0, "channel": {"coherence": "2"}},
        {"snr_db": 0.0, "channel": {"model": "magic"}},
        {"snr_db": 0.0, "channel": {"rician_k": float("nan")}},
        {"snr_db": 0.0, "channel": {"extra": 1}},
    ],
)
def test_refuses_point_that_is_none(point):
    table = {"run": "r", "total": 1, "first": 0, "points": [point]}
    assert reason(sealed(PointTable.TYPE, msgpack.packb(table))) == "header"


def test_lists_end_at_the_limit():
    spans = [(index, index + 1) for index in range(MAX_ITEMS + 1)]
    full = Recorded(run="demo", frames=spans[:-1])
    assert wire.decode(wire.encode(full))[0] == full
    assert reason(sealed(Recorded.TYPE, header_of(full, frames=spans))) == "header"


def nested(opening: bytes, levels: int, fill: int = 64) -> bytes:
    """`fill` copies of the next level in every list, `levels` deep."""
    content = b"\x90"
    for _ in range(levels):
        content = opening + content * fill
    return content


@pytest.mark.parametrize(
    "header",
    [
        b"\x91" * (wire.MAX_HEADER_BYTES - 1) + b"\xc0",
        b"\x81\xa1a" * 80_000 + b"\xc0",
        nested(b"\xdc\x00\x40", 2) * 60,
        b"\xdc\x00\x3e" + nested(b"\xdc\x00\x40", 2) * 62,
        b"\xdc\xff\xff" * 500 + b"\xc0" * 200_000,
        b"\xde\xff\xff\xa1a" * 500 + b"\xc0" * 200_000,
        b"\xdd\xff\xff\xff\xff" + b"\x90" * 200_000,
        b"\xdf\xff\xff\xff\xff" + b"\xa0\x90" * 100_000,
        b"\xdb\xff\xff\xff\xff" + b"a" * 200_000,
        b"\xc6\xff\xff\xff\xff" + b"a" * 200_000,
        b"\xc9\xff\xff\xff\xff\x05" + b"a" * 200_000,
        b"\x81\xa8instance\xda\xff\xff" + b"a" * 65535,
    ],
    ids=[
        "deep",
        "deep-maps",
        "many",
        "wide",
        "hollow",
        "hollow-maps",
        "array",
        "map",
        "str",
        "bin",
        "ext",
        "long-str",
    ],
)
def test_bomb_in_a_header_costs_little_memory_and_time(header):
    parts = sealed(Welcome.TYPE, header[: wire.MAX_HEADER_BYTES])
    tracemalloc.start()
    started_s = time.process_time()
    try:
        assert reason(parts) == "header"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 32 << 20
    assert time.process_time() - started_s < 5


@pytest.mark.parametrize("change", [-8, -1, 1, 8])
def test_refuses_frame_with_wrong_byte_count(change):
    message, payload = SAMPLES[3]
    body = (payload.tobytes() + bytes(8))[: payload.nbytes + change]
    assert reason(sealed(message.TYPE, header_of(message), body)) == "shape"


def test_refuses_frame_without_its_column_of_channel_state():
    message, payload = SAMPLES[4]
    header = header_of(message, csi_columns=1)
    assert reason(sealed(message.TYPE, header, payload.tobytes())) == "shape"


@pytest.mark.parametrize("columns", [0, 1, 3, 70])
def test_channel_state_has_any_number_of_columns(columns):
    message = replace(SAMPLES[4][0], csi_columns=columns)
    shape = message.images, columns + message.symbols
    payload = np.arange(np.prod(shape), dtype=np.complex64).reshape(shape)
    found, symbols = wire.decode(wire.encode(message, payload))
    assert found == message
    assert np.array_equal(symbols, payload)


def test_refuses_more_columns_of_channel_state_than_the_bound():
    message, payload = SAMPLES[4]
    header = header_of(message, csi_columns=4097)
    assert reason(sealed(message.TYPE, header, payload.tobytes())) == "header"


def test_peer_of_another_version_is_refused_in_one_line():
    message, payload = SAMPLES[0]
    parts = sealed(message.TYPE, header_of(message), payload.tobytes(), version=2)
    with pytest.raises(ProtocolError, match=r"^version: protocol version 2, here 3$"):
        wire.decode(parts)


def test_refuses_payload_on_a_message_that_has_none():
    message = Welcome(instance=INSTANCE)
    assert reason(sealed(message.TYPE, header_of(message), bytes(8))) == "shape"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1j * np.nan, complex(0, np.inf)])
@pytest.mark.parametrize("at", [(0, 0), (1, 2)])
def test_refuses_symbols_that_are_not_finite(value, at):
    message, payload = SAMPLES[3]
    symbols = payload.copy()
    symbols[at] = value
    assert reason(wire.encode(message, symbols)) == "not_finite"


def test_refusal_of_a_frame_whose_header_could_be_read_names_the_frame():
    message, payload = SAMPLES[3]
    spoilt = [payload[:1], np.full_like(payload, np.nan)]
    for symbols in spoilt:
        with pytest.raises(ProtocolError) as caught:
            wire.decode(wire.encode(message, symbols))
        assert caught.value.key == KEY


@pytest.mark.parametrize(("symbols", "taken"), [(4095, True), (4096, False)])
def test_refuses_frame_that_leaves_no_room_for_the_channel_state(symbols, taken):
    images = wire.MAX_PAYLOAD_BYTES // wire.SYMBOL_BYTES // 4096
    message = SymbolFrame(key=KEY, first_image=0, images=images, symbols=symbols, codec=DIGEST)
    parts = wire.encode(message, np.zeros((images, symbols), dtype=np.complex64))
    if taken:
        assert wire.decode(parts)[0] == message
    else:
        reason(parts)


def test_power_is_bounded_for_each_codeword_alone():
    unit = np.exp(1j * np.arange(8)).astype(np.complex64).reshape(2, 4)
    wire.check_power(wire.mean_power(unit).max())
    wire.check_power(wire.mean_power(unit * np.float32(np.sqrt(1.0009))).max())
    wire.check_power(wire.mean_power(np.zeros_like(unit)).max())
    loud = unit * np.array([[0.1], [1.01]], dtype=np.float32)
    with pytest.raises(ProtocolError) as caught:
        wire.check_power(wire.mean_power(loud).max())
    assert caught.value.reason == "over_power"


def test_power_of_one_loud_symbol_in_a_quiet_codeword_is_within_bounds():
    wire.check_power(wire.mean_power(np.array([[2, 0, 0, 0]], dtype=np.complex64)).max())
