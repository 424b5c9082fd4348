"""Raw ZeroMQ: ends without encoder and decoder, and a forwarder without computation.

    python -m orchestrator.bench.raw forward UPLINK DOWNLINK
    python -m orchestrator.bench.raw exchange UPLINK DOWNLINK --images B --symbols K

These are the baselines of the channel process. `exchange` is both ends of a link on one thread. It
reads "stream FRAMES WINDOW" and answers with the seconds until all frames had reached the receiver
and all results had come back, or "single FRAMES PAUSE_S" and answers with every round trip. All
messages are created in advance, so that only the path between the ends is measured. `forward`
passes parts on unread. Both end with their standard input.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import zmq

from semcom import wire
from semcom.frame_messages import FrameKey, ReceivedFrame, SymbolFrame, TaskResult
from semcom.messages import Hello, Message, Refusal
from semcom.service import HEARTBEAT_S, new_instance

RUN, LINK = "bench", "bench"
CODEC = "c" * 64
SILENCE_MS = 60_000
GREET_MS = 100
HIGH_WATER_MARK = 4096
CHUNK = 2048  # frames created at a time, outside the measured time

Socket = zmq.Socket[bytes]
FRAMES = (SymbolFrame.TYPE, ReceivedFrame.TYPE)  # a forwarder leaves them unchanged
RESULTS = (TaskResult.TYPE,)


class Exchange:
    """Both ends of a link."""

    def __init__(self, uplink: str, downlink: str, *, images: int, symbols: int) -> None:
        self._context: zmq.Context[Socket] = zmq.Context()
        self._up = _connected(self._context, uplink)
        self._down = _connected(self._context, downlink)
        self._poller = zmq.Poller()
        for socket in (self._up, self._down):
            self._poller.register(socket, zmq.POLLIN)
        phases_BK = np.random.default_rng(0).uniform(0, 2 * np.pi, (images, symbols))
        self._symbols_BK = np.exp(1j * phases_BK).astype(np.complex64)
        greetings = {
            self._up: Hello(role="transmitter", peer=LINK, instance=new_instance()),
            self._down: Hello(role="receiver", peer=LINK, instance=new_instance(), codecs=[CODEC]),
        }
        self._answer = np.zeros(2 * images, dtype=np.uint8)
        self._hellos = {socket: wire.encode(hello) for socket, hello in greetings.items()}
        self._hello_s = 0.0
        self._next_frame = 0

    def greet(self) -> None:
        """Send Hello until something arrives at both ends: a Welcome, or the other end's Hello.

        Raises:
            TimeoutError: no process answers.
        """
        heard: set[Socket] = set()
        for _ in range(SILENCE_MS // GREET_MS):
            self._say_hello()
            for socket, _event in self._poller.poll(GREET_MS):
                heard.update(socket for _parts in _waiting(socket))
            if len(heard) == len(self._hellos):
                return
        raise TimeoutError("no answer")

    def seconds(self, frames: int, *, window: int) -> tuple[float, float]:
        """Return the seconds that frames take to the receiver, and their results back.

        At most `window` messages are in flight.
        """
        self.greet()  # ends that were silent since the last time have been forgotten
        there_s = back_s = 0.0
        for first in range(0, frames, CHUNK):
            keys = range(self._next_frame, self._next_frame + min(CHUNK, frames - first))
            self._next_frame = keys.stop
            frame_parts = [wire.encode(self._frame(key), self._symbols_BK) for key in keys]
            result_parts = [wire.encode(self._result(key), self._answer) for key in keys]
            there_s += self._pass(frame_parts, self._up, self._down, FRAMES, window)
            back_s += self._pass(result_parts, self._down, self._up, RESULTS, window)
        return there_s, back_s

    def round_trips_s(self, frames: int, *, pause_s: float) -> list[float]:
        """Return the seconds of every round trip of one frame at a time, with a pause before each.

        A process that was idle meanwhile sleeps more deeply and has cold caches.
        """
        self.greet()
        found = []
        for key in range(self._next_frame, self._next_frame + frames):
            frame = [wire.encode(self._frame(key), self._symbols_BK)]
            result = [wire.encode(self._result(key), self._answer)]
            self._say_hello()
            pause_over_s = time.perf_counter() + pause_s
            while time.perf_counter() < pause_over_s:
                pass  # like a transmitter, whose core is busy meanwhile
            there_s = self._pass(frame, self._up, self._down, FRAMES, 1)
            found.append(there_s + self._pass(result, self._down, self._up, RESULTS, 1))
        self._next_frame += frames
        return found

    def close(self) -> None:
        """Close the connections."""
        self._context.destroy(linger=0)

    def _pass(
        self,
        messages: list[list[bytes]],
        here: Socket,
        there: Socket,
        expected: tuple[int, ...],
        window: int,
    ) -> float:
        """Return the seconds until all messages sent at one end have arrived at the other."""
        sent = received = 0
        started_s = time.perf_counter()
        while received < len(messages):
            while sent < len(messages) and sent - received < window:
                here.send_multipart(messages[sent])
                sent += 1
            if not self._poller.poll(SILENCE_MS):
                raise TimeoutError(f"{received} of {len(messages)} messages arrived")
            received += sum(_type(parts) in expected for parts in _waiting(there))
            for parts in _waiting(here):
                _type(parts)
            if time.perf_counter() - self._hello_s > HEARTBEAT_S:
                self._say_hello()
        return time.perf_counter() - started_s

    def _say_hello(self) -> None:
        self._hello_s = time.perf_counter()
        for socket, parts in self._hellos.items():
            socket.send_multipart(parts)

    def _frame(self, index: int) -> Message:
        images, symbols = self._symbols_BK.shape
        return SymbolFrame(
            key=_key(index), first_image=index * images, images=images, symbols=symbols, codec=CODEC
        )

    def _result(self, index: int) -> Message:
        return TaskResult(
            key=_key(index),
            codec=CODEC,
            channel_ms=0.0,
            batch_wait_ms=0.0,
            decode_ms=0.0,
        )


def forward(uplink: str, downlink: str) -> None:
    """Forward messages unread to the peer that last sent something at the other side, forever."""
    context: zmq.Context[Socket] = zmq.Context()
    sides = [context.socket(zmq.ROUTER) for _ in range(2)]
    for side, address in zip(sides, (uplink, downlink), strict=True):
        side.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        side.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        side.bind(address)
    poller = zmq.Poller()
    for side in sides:
        poller.register(side, zmq.POLLIN)
    poller.register(sys.stdin.fileno(), zmq.POLLIN)
    peers: dict[Socket, bytes] = {}
    while True:
        readable: dict[Any, int] = dict(poller.poll())
        if sys.stdin.fileno() in readable:
            break
        for here, there in (sides, sides[::-1]):
            if here not in readable:
                continue
            for parts in _waiting(here):
                peers[here] = parts[0]
                if there in peers:
                    parts[0] = peers[there]
                    there.send_multipart(parts)
    context.destroy(linger=0)


def _connected(context: zmq.Context[Socket], address: str) -> Socket:
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    socket.connect(address)
    return socket


def _waiting(socket: Socket) -> Iterator[list[bytes]]:
    """Return all messages that wait."""
    while True:
        try:
            yield socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return


def _type(parts: list[bytes]) -> int:
    found: int = wire.FIELDS.unpack_from(parts[0])[2]
    if found == Refusal.TYPE:
        raise RuntimeError(f"refused: {wire.decode(parts)[0]}")
    return found


def _key(frame: int) -> FrameKey:
    return FrameKey(run=RUN, point=0, link=LINK, frame=frame)


def main() -> int:
    """Run either of them."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.bench.raw")
    parser.add_argument("what", choices=["forward", "exchange"])
    parser.add_argument("uplink")
    parser.add_argument("downlink")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--symbols", type=int, default=51)
    arguments = parser.parse_args()
    if arguments.what == "forward":
        forward(arguments.uplink, arguments.downlink)
        return 0
    exchange = Exchange(
        arguments.uplink, arguments.downlink, images=arguments.images, symbols=arguments.symbols
    )
    for line in sys.stdin:
        what, frames, option = line.split()
        if what == "stream":
            answer: object = exchange.seconds(int(frames), window=int(option))
        else:
            answer = exchange.round_trips_s(int(frames), pause_s=float(option))
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
    exchange.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
