"""Message <-> frames of a ZeroMQ multipart message. Pure: no sockets, no state.

    part 1   prefix, 20 bytes little-endian: magic "SEMC", version u16, type u16,
             header length u32, payload length u32; CRC-32 u32 of these 16 bytes,
             header and payload
    part 2   header: msgpack map, validated against the message's schema
    part 3   payload: of a frame complex64, of a result the answers' bytes, little-endian, C order;
             empty if there is none

Checks run cheapest first; whatever fails is a ProtocolError with a reason of the closed set.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from zlib_ng.zlib_ng import crc32

from semcom.errors import ProtocolError, one_line
from semcom.frame_messages import (
    FrameKey,
    FrameMessage,
    ReceivedFrame,
    SymbolFrame,
    TaskResult,
    read_header,
    write_header,
)
from semcom.messages import MAX_ITEMS, MESSAGE_TYPES, PROTOCOL_VERSION, Message, Refusal
from semcom.tasks.task import MAX_KEPT_BYTES
from semcom.used_symbols import Used, check_used

MAGIC = b"SEMC"
FIELDS = struct.Struct("<4sHHII")
CRC = struct.Struct("<I")
PREFIX_BYTES = FIELDS.size + CRC.size
PARTS = 3
MAX_HEADER_BYTES = 1 << 18
MAX_PAYLOAD_BYTES = 16 << 20
SYMBOL_BYTES = 8
POWER_TOLERANCE = 1e-3

Symbols = npt.NDArray[np.complex64]
Payload = npt.NDArray[Any]  # Symbols for a frame, Answer for a result
Answer = npt.NDArray[np.uint8]  # bytes, whatever their content
Powers = npt.NDArray[np.float32]
EMPTY: Symbols = np.empty((0, 0), dtype=np.complex64)


def encode(message: Message, payload: Payload = EMPTY) -> list[bytes]:
    """Encode a message and its payload as three parts."""
    header = header_bytes(message)
    body = np.ascontiguousarray(payload, dtype=_dtype(message)).tobytes()
    fields = FIELDS.pack(MAGIC, PROTOCOL_VERSION, message.TYPE, len(header), len(body))
    return [fields + CRC.pack(_crc(fields, header, body)), header, body]


def header_bytes(message: Message) -> bytes:
    """Return a message's header."""
    if isinstance(message, FrameMessage):
        return write_header(message)
    packed: bytes = msgpack.packb(message.model_dump())
    return packed


def decode(parts: Sequence[bytes]) -> tuple[Message, Payload]:
    """Decode three parts to message and payload.

    The payload of a frame is complex64 of the shape its header states: (images, columns); that of a
    result uint8 (bytes,), which its codec's task reads.

    Raises:
        ProtocolError: anything but a message of this protocol version.
    """
    prefix, header, body = _check_parts(parts)
    message_type = _check_prefix(prefix, header, body)
    message = _parse_header(message_type, header)
    return message, _parse_payload(message, body)


def _dtype(message: Message) -> str:
    return "u1" if isinstance(message, TaskResult) else "<c8"


def fits(images: int, symbols: int, *, csi_columns: int) -> bool:
    """Return whether a frame and its channel state fit into a message."""
    return images * (symbols + csi_columns) * SYMBOL_BYTES <= MAX_PAYLOAD_BYTES


def refusal(error: ProtocolError, key: FrameKey | None = None) -> Refusal:
    """Return a protocol error as a Refusal for its sender."""
    known = key or (error.key if isinstance(error.key, FrameKey) else None)
    content = {"reason": error.reason, "detail": error.detail[:300], "key": known}
    return Refusal.model_validate(content)


def is_refusal(parts: Sequence[bytes]) -> bool:
    """Return whether parts are marked as a Refusal, readable or not, of any version.

    A Refusal is never answered; otherwise two incompatible ends would never stop.
    """
    return (
        len(parts) > 0
        and len(parts[0]) == PREFIX_BYTES
        and parts[0][:4] == MAGIC
        and FIELDS.unpack_from(parts[0])[2] == Refusal.TYPE
    )


def mean_power(symbols_BK: Symbols) -> Powers:
    """Mean |z|^2 per symbol of each codeword: float32 (B,)."""
    with np.errstate(over="ignore"):  # infinity exceeds any limit, too
        energy_B: Powers = np.square(real_view(symbols_BK)).sum(axis=1)
    return energy_B / np.float32(symbols_BK.shape[1])


def power_while_sent(power_B: Powers, used_B: Used, symbols: int) -> Powers:
    """Return the mean power of codewords over their used symbols, from that over all symbols."""
    scale_B: Powers = np.float32(symbols) / np.maximum(used_B, 1).astype(np.float32)
    with np.errstate(over="ignore"):
        return power_B * scale_B


def real_view(symbols_BK: Symbols) -> npt.NDArray[np.float32]:
    """Return the same memory as alternating real and imaginary parts: float32 (B, 2 K)."""
    return symbols_BK.view(np.float32)


def check_power(worst: float) -> None:
    """Refuse a codeword above unit mean power |z|^2 = 1 per used symbol.

    Raises:
        ProtocolError: `over_power`.
    """
    if worst > 1.0 + POWER_TOLERANCE:
        raise ProtocolError("over_power", f"mean power {worst:.4g} per symbol, at most 1 allowed")


def _check_parts(parts: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    if len(parts) != PARTS:
        found = len(parts) if len(parts) < PARTS else f"more than {PARTS}"
        raise ProtocolError("parts", f"{found} parts, expected {PARTS}")
    prefix, header, body = parts
    if len(prefix) != PREFIX_BYTES:
        raise ProtocolError("size", f"prefix of {len(prefix)} bytes, expected {PREFIX_BYTES}")
    if len(header) > MAX_HEADER_BYTES or len(body) > MAX_PAYLOAD_BYTES:
        raise ProtocolError("size", f"header {len(header)} or payload {len(body)} bytes too large")
    return prefix, header, body


def _check_prefix(prefix: bytes, header: bytes, body: bytes) -> type[Message]:
    magic, version, type_code, header_bytes, body_bytes = FIELDS.unpack_from(prefix)
    if magic != MAGIC:
        raise ProtocolError("magic", "not a message of this protocol")
    if version != PROTOCOL_VERSION:
        raise ProtocolError("version", f"protocol version {version}, here {PROTOCOL_VERSION}")
    if header_bytes != len(header) or body_bytes != len(body):
        raise ProtocolError("size", "lengths of the prefix and of the parts differ")
    if _crc(prefix[: FIELDS.size], header, body) != CRC.unpack_from(prefix, FIELDS.size)[0]:
        raise ProtocolError("checksum", "CRC-32 does not match")
    message_type = MESSAGE_TYPES.get(type_code)
    if message_type is None:
        raise ProtocolError("type", f"unknown message type {type_code}")
    return message_type


def _crc(fields: bytes, header: bytes, body: bytes) -> int:
    return crc32(body, crc32(header, crc32(fields)))


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("duplicate keys")
    return mapping


def _parse_header(message_type: type[Message], header: bytes) -> Message:
    try:
        if not issubclass(message_type, FrameMessage):
            return message_type.model_validate(_unpack(header))
        message = read_header(message_type, header)
        if write_header(message) != header:  # as written by other libraries; may have a key twice
            _unpack(header)
        return message
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "header"
        detail = one_line(f"{where}: {first['msg']}")  # a key may be any text
        raise ProtocolError("header", detail) from error
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise ProtocolError("header", one_line(f"not a header: {error}")) from error


def _unpack(header: bytes) -> Any:
    """Read a map of msgpack within its bounds.

    Raises:
        ValueError: it is not valid, or has a key twice; msgpack raises further errors.
    """
    return msgpack.unpackb(
        header,
        object_pairs_hook=_unique,
        use_list=True,
        max_str_len=2048,
        max_bin_len=MAX_KEPT_BYTES,
        max_array_len=MAX_ITEMS,
        max_map_len=MAX_ITEMS,
        max_ext_len=0,
    )


def _parse_payload(message: Message, body: bytes) -> Payload:
    if isinstance(message, TaskResult):
        return np.frombuffer(body, dtype=np.uint8)
    if isinstance(message, SymbolFrame):
        columns = message.symbols
    elif isinstance(message, ReceivedFrame):
        columns = message.symbols + message.csi_columns
    else:
        if body:
            raise ProtocolError("shape", f"{type(message).__name__} carries no payload")
        return EMPTY
    expected = message.images * columns * SYMBOL_BYTES
    if len(body) != expected:
        raise ProtocolError(
            "shape",
            f"{len(body)} bytes for {message.images} x {columns} complex64 ({expected})",
            key=message.key,
        )
    if not fits(message.images, message.symbols, csi_columns=1):
        raise ProtocolError("shape", "no room for the channel state", key=message.key)
    symbols = np.frombuffer(body, dtype="<c8").reshape(message.images, columns)
    try:
        check_used(message.used, symbols[:, columns - message.symbols :])
    except ProtocolError as error:
        raise ProtocolError(error.reason, error.detail, key=message.key) from error
    if not np.logical_and.reduce(np.isfinite(symbols.view(np.float32)), axis=None):
        raise ProtocolError("not_finite", "the payload holds NaN or Inf", key=message.key)
    return symbols.astype(np.complex64, copy=False)
