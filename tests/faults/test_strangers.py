"""Whoever knocks at the ports of a running sweep is refused, and the sweep does not notice."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import zmq

from orchestrator.results.ledger import FrameRow
from semcom import wire
from semcom.messages import Refusal
from tests.faults.plant import Plant, let_go
from tests.integration.harness import DEADLINE_S

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

SILENT = 100
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
READY = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
TOO_LARGE = b"\x02" + (wire.MAX_PAYLOAD_BYTES + 1).to_bytes(8, "big")  # ZMTP: a long part


def dialled(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)


def closed(line: socket.socket) -> bool:
    """Whether the other end hangs up, whatever it says before."""
    with suppress(ConnectionError):
        while line.recv(65536):
            pass
    return True


def said(port: int, *content: bytes) -> socket.socket:
    """A connection that has said something; the other end may have hung up meanwhile."""
    line = dialled(port)
    with suppress(ConnectionError):
        for each in content:
            line.sendall(each)
    return line


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    found: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield found
    found.destroy(linger=0)


class Stranger:
    """Sends parts that are no message, and takes the answer."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], port: int, parts: list[bytes]
    ) -> None:
        self.line = context.socket(zmq.DEALER)
        self.line.setsockopt(zmq.IMMEDIATE, 1)  # the send waits for the connection
        self.line.setsockopt(zmq.SNDTIMEO, round(1000 * DEADLINE_S))
        self.line.connect(f"tcp://127.0.0.1:{port}")
        self.line.send_multipart(parts)

    def reason(self) -> str:
        """With which the parts are refused; hangs up."""
        assert self.line.poll(1000 * DEADLINE_S), "no answer"
        message, _ = wire.decode(self.line.recv_multipart())
        self.line.close()
        assert isinstance(message, Refusal)
        return message.reason


def test_strangers_at_every_port_are_refused_and_disturb_nothing(
    plant: Plant,
    undisturbed: list[FrameRow],
    context: zmq.Context[zmq.Socket[bytes]],
    tmp_path: Path,
) -> None:
    ports = plant.ports.values()
    noise = random.Random(7)
    with plant.sweep(tmp_path) as run, ExitStack() as stack:
        silent = [stack.enter_context(dialled(port)) for port in ports for _ in range(SILENT)]
        strangers = []
        for port in ports:
            stack.enter_context(said(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            stack.enter_context(said(port, noise.randbytes(100_000)))
            assert closed(stack.enter_context(said(port, GREETING, READY, TOO_LARGE)))
            strangers.append((Stranger(context, port, [b"x"] * 2000), "parts"))
            strangers.append((Stranger(context, port, [b"x", b"y", b"z"]), "size"))
        let_go(run)  # now the orchestrator answers too
        for stranger, reason in strangers:
            assert stranger.reason() == reason
        run.finish()
        assert all(closed(line) for line in silent)
    plant.check(tmp_path / "run", undisturbed)
