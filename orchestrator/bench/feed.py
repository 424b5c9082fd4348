"""A channel that draws nothing and feeds a receiver as fast as it accepts frames.

    python -m orchestrator.bench.feed DOWNLINK --symbols K

It binds `DOWNLINK` and waits for the receiver's Hello. Each line of standard input, "IMAGES FRAMES
WINDOW", requests FRAMES frames of IMAGES images, taken in turn from three links, and is answered
with a line of JSON: the seconds until all results were back, and the seconds that the receiver
spent in its decoder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

from semcom import wire
from semcom.errors import SemcomError
from semcom.frame_messages import FrameKey, ReceivedFrame, TaskResult
from semcom.messages import Hello, Welcome
from semcom.service import new_instance
from semcom.sockets import Endpoint

RUN = "bench"
LINKS = ("edge-1", "edge-2", "edge-3")
SILENCE_MS = 60_000


class Feed:
    """The channel's end of a downlink."""

    def __init__(self, downlink: str, *, symbols: int) -> None:
        self._endpoint = Endpoint.bind(downlink, name="downlink")
        self._welcome = Welcome(instance=new_instance())
        self._symbols = symbols
        self._receiver = b""
        self._codec = ""
        self._next_frame = 0
        self._decode_ms: list[float] = []  # of one forward pass after the other

    def wait(self) -> None:
        """Wait until a receiver with a codec has sent a Hello.

        Raises:
            TimeoutError: there is none.
        """
        while not self._codec:
            self._take()

    def seconds(self, images: int, frames: int, window: int) -> tuple[float, float]:
        """Return the seconds until all frames are answered, and those spent in decoding."""
        phases_BK = np.random.default_rng(0).uniform(0, 2 * np.pi, (images, self._symbols))
        symbols_BK = np.exp(1j * phases_BK).astype(np.complex64)
        messages = [wire.encode(self._frame(images), symbols_BK) for _ in range(frames)]
        sent = answered = 0
        self._decode_ms.clear()
        started_s = time.perf_counter()
        while answered < frames:
            while sent < frames and sent - answered < window:
                self._endpoint.send_parts(messages[sent], to=self._receiver)
                sent += 1
            answered += self._take()
        return time.perf_counter() - started_s, sum(self._decode_ms) / 1e3

    def close(self) -> None:
        """Close the connections."""
        self._endpoint.close()

    def _take(self) -> int:
        """Wait for messages and return the results among them."""
        if not self._endpoint.socket.poll(SILENCE_MS):
            raise TimeoutError("the receiver is silent")
        results = 0
        while (received := self._endpoint.receive()) is not None:
            message = received.message
            if isinstance(message, Hello):
                self._receiver = received.sender
                self._codec = message.codecs[0] if message.codecs else ""
                self._endpoint.send(self._welcome, to=received.sender)
            elif isinstance(message, TaskResult):
                results += 1
                if message.decode_ms not in self._decode_ms[-1:]:  # frames of a pass share theirs
                    self._decode_ms.append(message.decode_ms)
            else:
                raise SemcomError(f"refused: {message}")
        return results

    def _frame(self, images: int) -> ReceivedFrame:
        frame, self._next_frame = self._next_frame, self._next_frame + 1
        key = FrameKey(run=RUN, point=0, link=LINKS[frame % len(LINKS)], frame=frame)
        return ReceivedFrame(
            key=key,
            images=images,
            symbols=self._symbols,
            codec=self._codec,
            csi_columns=0,
            snr_db=5.0,
            equalizer="zero_forcing",
            channel_ms=0.0,
        )


def main() -> int:
    """Answer requests until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.bench.feed")
    parser.add_argument("downlink")
    parser.add_argument("--symbols", type=int, required=True)
    arguments = parser.parse_args()
    feed = Feed(arguments.downlink, symbols=arguments.symbols)
    for line in sys.stdin:
        feed.wait()
        images, frames, window = map(int, line.split())
        answer = json.dumps(feed.seconds(images, frames, window))
        print(answer, flush=True)  # noqa: T201
    feed.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
