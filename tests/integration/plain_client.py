"""A third-party client, written from docs/protocol.md alone.

Plain Python, pyzmq, msgpack and numpy; no import of the packages that it talks to. It acts as a
transmitter on a channel's uplink and as a receiver on its downlink. Its tasks are its own: a number
per image, as classes are sent, or an image of any number of bytes per image.
"""

from __future__ import annotations

import secrets
import struct
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np
import zmq

from tests.integration.plain_tasks import CLASSES, Reception, Task, received

VERSION = 3
MAGIC = b"SEMC"
PREFIX = struct.Struct("<4sHHIII")
MAX_HEADER, MAX_PAYLOAD = 262_144, 16_777_216

HELLO, WELCOME, SYMBOL_FRAME, RECEIVED_FRAME, TASK_RESULT, REFUSAL = 1, 2, 10, 11, 12, 13

# Fields in the order of section 4; those in DEFAULTS may be left out.
FIELDS: dict[int, tuple[str, ...]] = {
    HELLO: ("role", "peer", "instance", "run", "points", "busy", "codecs", "stream", "arithmetic"),
    WELCOME: ("instance",),
    SYMBOL_FRAME: ("key", "first_image", "images", "symbols", "codec"),
    RECEIVED_FRAME: (
        "key",
        "images",
        "symbols",
        "codec",
        "csi_columns",
        "snr_db",
        "equalizer",
        "channel_ms",
        "snr_measured_db",
        "links",
        "first_image",
        "seed",
    ),
    TASK_RESULT: (
        "key",
        "codec",
        "channel_ms",
        "batch_wait_ms",
        "decode_ms",
        "snr_measured_db",
    ),
    REFUSAL: ("reason", "detail", "key"),
}
DEFAULTS: dict[int, dict[str, Any]] = {
    HELLO: {
        "run": None,
        "points": 0,
        "busy": [],
        "codecs": [],
        "stream": None,
        "arithmetic": None,
    },
    RECEIVED_FRAME: {"snr_measured_db": None, "links": [], "first_image": 0, "seed": 0},
    TASK_RESULT: {"snr_measured_db": None},
    REFUSAL: {"key": None},
}

DAMAGE = {"parts", "size", "magic", "version", "type", "checksum"}
RETRIABLE = DAMAGE | {"unknown_point", "no_receiver", "overloaded", "codec_not_loaded"}
HELLO_EVERY_S = 1.0
EAGER_HELLO_S = 0.02

Parts = list[bytes]
FrameName = tuple[str, int, str, int]


class UnreadableError(ValueError):
    """Bytes that are no message of version 3; the text is the reason of section 9."""


class FinalRefusalError(RuntimeError):
    """A refusal after which a transmitter stops."""


@dataclass(frozen=True)
class Message:
    """A parsed message."""

    kind: int
    fields: dict[str, Any]
    payload: bytes = b""

    @property
    def name(self) -> FrameName:
        """The frame that it is about."""
        key = self.fields["key"]
        return key["run"], key["point"], key["link"], key["frame"]


def build(kind: int, fields: Mapping[str, Any], payload: bytes = b"") -> Parts:
    """The three parts of a message."""
    header = msgpack.packb(dict(fields), use_bin_type=True)
    start = struct.pack("<4sHHII", MAGIC, VERSION, kind, len(header), len(payload))
    return [start + struct.pack("<I", zlib.crc32(start + header + payload)), header, payload]


def _no_key_twice(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableError("header")
    return found


def parse(parts: Sequence[bytes]) -> Message:
    """The message of three parts; checks in the order of section 2."""
    if len(parts) != 3:
        raise UnreadableError("parts")
    prefix, header, payload = parts
    if len(prefix) != PREFIX.size or len(header) > MAX_HEADER or len(payload) > MAX_PAYLOAD:
        raise UnreadableError("size")
    magic, version, kind, header_size, payload_size, crc = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise UnreadableError("magic")
    if version != VERSION:
        raise UnreadableError("version")
    if (header_size, payload_size) != (len(header), len(payload)):
        raise UnreadableError("size")
    if crc != zlib.crc32(prefix[:16] + header + payload):
        raise UnreadableError("checksum")
    if kind not in FIELDS:
        raise UnreadableError("type")
    try:
        content = msgpack.unpackb(header, raw=False, object_pairs_hook=_no_key_twice)
    except UnreadableError:
        raise
    except ValueError as error:
        raise UnreadableError("header") from error
    defaults = DEFAULTS.get(kind, {})
    if not isinstance(content, dict) or not set(content) <= set(FIELDS[kind]):
        raise UnreadableError("header")
    fields = {**defaults, **content}
    if set(fields) != set(FIELDS[kind]):
        raise UnreadableError("header")
    return Message(kind, fields, payload)


def frame_fields(
    run: str, point: int, link: str, frame: int, first_image: int, symbols: np.ndarray, codec: str
) -> dict[str, Any]:
    """The header of a SymbolFrame; `symbols` has a row per image."""
    return {
        "key": {"run": run, "point": point, "link": link, "frame": frame},
        "first_image": first_image,
        "images": symbols.shape[0],
        "symbols": symbols.shape[1],
        "codec": codec,
    }


def symbol_bytes(symbols: np.ndarray) -> bytes:
    """The payload of symbols."""
    return np.ascontiguousarray(symbols, dtype="<c8").tobytes()


class Dialled:
    """One dialled socket: greets every second, is greeted back, hands out what arrives."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], address: str, hello: Mapping[str, Any]
    ) -> None:
        self.socket = context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.IMMEDIATE, 1),
            (zmq.SNDHWM, 4096),
            (zmq.RCVHWM, 4096),
            (zmq.MAXMSGSIZE, MAX_PAYLOAD),
            (zmq.RECONNECT_IVL, 50),
            (zmq.RECONNECT_IVL_MAX, 1000),
        ):
            self.socket.setsockopt(option, value)
        self.hello = {"instance": secrets.token_hex(8), **hello}
        self.other_end: str | None = None
        self.restarts = 0
        self.unreadable: list[str] = []
        self.silent = False
        self.last_hello = 0.0
        self._next_hello = 0.0
        self.socket.connect(address)

    def send(self, parts: Parts) -> bool:
        """Send now or drop."""
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def greet(self, now: float) -> None:
        """Say hello where it is due; until the first Welcome sooner."""
        if self.silent or now < self._next_hello:
            return
        if self.send(build(HELLO, self.hello)):
            self.last_hello = now
        self._next_hello = now + (HELLO_EVERY_S if self.other_end else EAGER_HELLO_S)

    def receive(self) -> Iterator[Message]:
        """Everything that has arrived; a Welcome is noted and handed on."""
        while True:
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                message = parse(parts)
            except UnreadableError as error:
                self.unreadable.append(str(error))  # counted, never answered
                continue
            if message.kind == WELCOME:
                instance = message.fields["instance"]
                self.restarts += self.other_end not in (None, instance)
                self.other_end = instance
            yield message

    def close(self) -> None:
        """Close the connections."""
        self.socket.close(0)


@dataclass
class Unanswered:
    """A frame that waits for its answer."""

    parts: Parts
    codec: str
    images: int
    due: float
    first_sent: float = 0.0
    sent: int = 0
    refused: int = 0


@dataclass
class Transmitter:
    """Sends frames until they are answered, as section 7 asks."""

    line: Dialled
    task: Task = CLASSES
    window: int = 32
    waiting: dict[FrameName, Unanswered] = field(default_factory=dict)
    answers: dict[FrameName, Message] = field(default_factory=dict)
    refusals: list[Message] = field(default_factory=list)
    round_trip_s: float | None = None

    def send(self, fields: Mapping[str, Any], payload: bytes) -> None:
        """Take up a frame."""
        message = Message(SYMBOL_FRAME, dict(fields), payload)
        parts = build(SYMBOL_FRAME, fields, payload)
        self.waiting[message.name] = Unanswered(
            parts, fields["codec"], fields["images"], due=time.monotonic()
        )

    def step(self, now: float) -> None:
        """Greet, take answers, send what is due."""
        self.line.greet(now)
        restarts = self.line.restarts
        for message in self.line.receive():
            if message.kind == TASK_RESULT:
                self._answered(message, now)
            elif message.kind == REFUSAL:
                self._refused(message, now)
        for frame in list(self.waiting.values())[: self.window]:
            if frame.due <= now or (self.line.restarts > restarts and frame.sent):
                self._send_now(frame, now)

    def _send_now(self, frame: Unanswered, now: float) -> None:
        if not self.line.other_end:
            return
        self.line.send(frame.parts)
        frame.first_sent = frame.first_sent or now
        patience = 2.0 if self.round_trip_s is None else max(1.0, 4 * self.round_trip_s)
        frame.due = now + min(8.0, patience * 2**frame.sent)
        frame.sent += 1

    def _answered(self, message: Message, now: float) -> None:
        name = message.name
        if name in self.answers:
            before = self.answers[name]
            other_codec = before.fields["codec"] != message.fields["codec"]
            if other_codec or before.payload != message.payload:
                raise FinalRefusalError("two answers that differ")
        frame = self.waiting.get(name)
        if frame is None:
            return
        right_size = len(message.payload) == self.task.item_bytes * frame.images
        if message.fields["codec"] != frame.codec or not right_size:
            raise FinalRefusalError("an answer of another codec or size")
        del self.waiting[name]
        self.answers[name] = message
        if frame.sent == 1:
            trip = now - frame.first_sent
            old = trip if self.round_trip_s is None else self.round_trip_s
            self.round_trip_s = 7 / 8 * old + 1 / 8 * trip

    def _refused(self, message: Message, now: float) -> None:
        self.refusals.append(message)
        reason = message.fields["reason"]
        if message.fields["key"] is None:
            if reason == "version" and self.line.other_end is None:
                raise FinalRefusalError("the channel speaks another version")
            return  # the time-out brings the frame again
        if message.name not in self.waiting:
            return
        if reason not in RETRIABLE:
            raise FinalRefusalError(f"{reason}: {message.fields['detail']}")
        frame = self.waiting[message.name]
        frame.due = now + min(1.0, 0.05 * 2**frame.refused)
        frame.refused += 1


@dataclass
class Receiver:
    """Equalises, decides and answers."""

    line: Dialled
    task: Task = CLASSES
    frames: list[Reception] = field(default_factory=list)
    refusals: list[Message] = field(default_factory=list)

    def step(self, now: float) -> None:
        """Greet, and answer what has come."""
        self.line.greet(now)
        for message in self.line.receive():
            if message.kind == REFUSAL:
                self.refusals.append(message)
            if message.kind != RECEIVED_FRAME:
                continue
            reception = received(message)
            self.frames.append(reception)
            started = time.perf_counter()
            answer = self.task.answer(reception)
            fields = self.fields(reception, (time.perf_counter() - started) * 1000)
            self.line.send(build(TASK_RESULT, fields, answer))

    def fields(self, reception: Reception, decode_ms: float) -> dict[str, Any]:
        """The fields of the TaskResult."""
        fields = reception.message.fields
        return {
            "key": fields["key"],
            "codec": fields["codec"],
            "channel_ms": fields["channel_ms"],
            "snr_measured_db": fields["snr_measured_db"],
            "batch_wait_ms": 0.0,
            "decode_ms": decode_ms,
        }
