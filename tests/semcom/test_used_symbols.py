"""`used` of frames on the wire."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from semcom import wire
from semcom.errors import ProtocolError
from semcom.frame_messages import MAX_FRAME_IMAGES, ReceivedFrame, SymbolFrame
from semcom.used_symbols import format_used, parse_used, used_mask
from tests.semcom.samples import DIGEST, KEY

K = 5


def frame(used: bytes, images: int = 2) -> SymbolFrame:
    return SymbolFrame(key=KEY, first_image=0, images=images, symbols=K, codec=DIGEST, used=used)


def received(used: bytes) -> ReceivedFrame:
    return ReceivedFrame(
        key=KEY, images=2, symbols=K, codec=DIGEST, csi_columns=1, snr_db=0.0,
        equalizer="zero_forcing", channel_ms=0.0, used=used,
    )  # fmt: skip


def codewords(*used: int) -> wire.Symbols:
    return (np.arange(K) < np.array(used)[:, None]).astype(np.complex64)


def u16(*values: int) -> bytes:
    return np.array(values, dtype="<u2").tobytes()


@given(used=st.lists(st.integers(0, K), min_size=1, max_size=9))
def test_what_is_stated_is_read_back(used):
    used_B = np.array(used, dtype=np.uint16)
    stated = format_used(used_B, K)
    assert (stated == b"") == all(each == K for each in used)
    assert parse_used(stated, rows=len(used), symbols=K).tolist() == used
    assert used_mask(used_B, K).sum(axis=1).tolist() == used
    message = frame(stated, len(used))
    found, payload = wire.decode(wire.encode(message, codewords(*used)))
    assert found == message
    assert payload.tobytes() == codewords(*used).tobytes()


def test_frame_that_uses_all_symbols_is_sent_as_before_there_was_the_field():
    for message in (frame(b""), received(b"")):
        payload = np.ones((2, K + getattr(message, "csi_columns", 0)), np.complex64)
        header = msgpack.unpackb(wire.encode(message, payload)[1])
        assert "used" not in header
    assert msgpack.unpackb(wire.encode(frame(u16(1, 5)), codewords(1, 5))[1])["used"] == u16(1, 5)


@pytest.mark.parametrize(
    ("used", "sent", "complaint"),
    [
        (u16(1), (1, 1), "2 bytes for 2 codewords"),
        (u16(1, 1, 1), (1, 1), "6 bytes for 2 codewords"),
        (u16(1, 1) + b"\0", (1, 1), "5 bytes for 2 codewords"),
        (u16(1, 6), (1, 5), "6 symbols of a codeword, which has 5"),
        (u16(1, 0xFFFF), (1, 5), "65535 symbols"),
        (u16(1, 2), (1, 3), "symbols after those that it uses"),
        (u16(0, 5), (1, 5), "symbols after those that it uses"),
    ],
)
def test_used_that_does_not_fit_is_refused_by_name(used, sent, complaint):
    with pytest.raises(ProtocolError, match=complaint) as raised:
        wire.decode(wire.encode(frame(used), codewords(*sent)))
    assert (raised.value.reason, raised.value.key) == ("shape", KEY)


def test_channel_state_is_no_symbol_of_a_codeword():
    payload = np.concatenate([np.ones((2, 1), np.complex64), codewords(0, 2)], axis=1)
    message = received(u16(0, 2))
    assert wire.decode(wire.encode(message, payload))[0] == message
    payload[0, 1] = 1e-30
    with pytest.raises(ProtocolError, match="after those that it uses"):
        wire.decode(wire.encode(message, payload))


def test_used_beyond_its_bound_is_no_header():
    message = replace(frame(b""), used=bytes(2 * MAX_FRAME_IMAGES + 2))
    with pytest.raises(ProtocolError) as raised:
        wire.decode(wire.encode(message, codewords(5, 5)))
    assert raised.value.reason == "header"
