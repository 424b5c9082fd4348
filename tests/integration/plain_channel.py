"""Both ends of the plain client around a real channel process."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml
import zmq

from semcom.sockets import free_ports
from tests.forking import Popen
from tests.integration import plain_client as pc
from tests.integration import plain_tasks as tasks
from tests.integration.harness import DEADLINE_S, REPO

RUN = "plain"

AWGN, RAYLEIGH, RICIAN, MISMATCH, NO_CSI, MINUS_ZERO, ZERO = range(7)
POINTS: list[dict[str, Any]] = [
    {"snr_db": 5.0, "seed": 7},
    {"snr_db": 10.0, "seed": 7, "channel": {"model": "rayleigh"}},
    {
        "snr_db": -2.5,
        "seed": 2**63 - 1,
        "channel": {"model": "rician", "rician_k": 0.1, "coherence": 3, "equalizer": "mmse"},
    },
    {
        "snr_db": 10.0,
        "seed": 7,
        "channel": {"model": "rayleigh", "csi": "mismatch", "csi_error_variance": 0.1},
    },
    {"snr_db": 10.0, "seed": 7, "channel": {"model": "rayleigh", "csi": "none"}},
    {"snr_db": -0.0, "seed": 7},
    {"snr_db": 0.0, "seed": 7},
]


class Client:
    """A transmitter and a receiver at once, on one thread."""

    def __init__(
        self,
        channel: Channel,
        link: str,
        codec: str,
        task: tasks.Task = tasks.CLASSES,
    ) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.link, self.codec = link, codec
        transmitter = {"role": "transmitter", "peer": link}
        receiver = {"role": "receiver", "peer": f"rx-{link}", "codecs": [codec]}
        self.transmitter = pc.Transmitter(
            pc.Dialled(self.context, channel.uplink, transmitter), task
        )
        self.receiver = pc.Receiver(pc.Dialled(self.context, channel.downlink, receiver), task)
        self.poller = zmq.Poller()
        for end in (self.transmitter, self.receiver):
            self.poller.register(end.line.socket, zmq.POLLIN)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Serve both ends until a condition holds."""
        end = time.monotonic() + DEADLINE_S
        while not condition():
            now = time.monotonic()
            if now > end:
                raise TimeoutError(f"not within {DEADLINE_S:.0f} s: {what}")
            self.receiver.step(now)
            self.transmitter.step(now)
            self.poller.poll(10)

    def welcomed(self) -> None:
        """Wait until both ends were greeted."""
        ends = (self.transmitter.line, self.receiver.line)
        self.until(lambda: all(end.other_end for end in ends), "a Welcome on both sockets")

    @property
    def refusals(self) -> list[pc.Message]:
        """What the transmitter was refused, and not for want of a receiver.

        The channel forgets a receiver that is silent for 3 s. That may happen to one whose test
        does not get to run for so long, and passes.
        """
        refusals = self.transmitter.refusals
        return [each for each in refusals if each.fields["reason"] != "no_receiver"]

    def close(self) -> None:
        """Hang up both."""
        self.transmitter.line.close()
        self.receiver.line.close()
        self.context.destroy(linger=0)


class Channel:
    """A channel process and where it listens."""

    def __init__(self, folder: Path, table: dict[str, Any] | None = None) -> None:
        ports = free_ports(2)
        self.uplink, self.downlink = (f"tcp://127.0.0.1:{port}" for port in ports)
        table = table or {"run": RUN, "points": POINTS}
        settings = {"uplink": self.uplink, "downlink": self.downlink, "static": table}
        self.config, self.log = folder / "channel.yaml", folder / "channel.log"
        self.config.write_text(yaml.safe_dump({"channel": settings}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        command = [sys.executable, "-m", "channel_sim", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = Popen[bytes](
                [*command, "--id", "channel"], stdout=log, stderr=log, cwd=REPO
            )

    def end(self, number: int) -> int:
        """End the process by a signal; returns its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def running(channel: Channel) -> Iterator[Channel]:
    """A channel that is ended, whatever happens."""
    channel.start()
    try:
        yield channel
    finally:
        code = channel.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in channel.log.read_text()


@contextmanager
def dialled(
    channel: Channel, link: str, codec: str, task: tasks.Task = tasks.CLASSES
) -> Iterator[Client]:
    """A client that both ends of the channel have greeted."""
    client = Client(channel, link, codec, task)
    try:
        client.welcomed()
        yield client
    finally:
        client.close()


GOOD = np.ones((2, 3), dtype="<c8")


def frame(client: Client, block: np.ndarray, point: int = 0, **changes: Any) -> pc.Parts:
    """A SymbolFrame of the client's link, with fields set otherwise."""
    fields = pc.frame_fields(RUN, point, client.link, 0, 0, block, client.codec)
    return pc.build(pc.SYMBOL_FRAME, {**fields, **changes}, pc.symbol_bytes(block))


def bpsk(bits: np.ndarray) -> np.ndarray:
    """Bit 0 is +1, bit 1 is -1."""
    return np.where(bits, -1, 1).astype("<c8")


def some_symbols(images: int, symbols: int) -> np.ndarray:
    """Complex symbols of full power in general position."""
    angles = np.random.default_rng(5).uniform(0, 2 * np.pi, (images, symbols))
    return np.exp(1j * angles).astype("<c8")


def transmit(
    client: Client, point: int, frames: list[np.ndarray], first_frame: int = 0
) -> list[tasks.Reception]:
    """Send frames of one size and wait for every answer; the receptions in order."""
    keys = []
    for number, symbols in enumerate(frames, start=first_frame):
        first_image = number * len(frames[0])
        fields = pc.frame_fields(
            RUN, point, client.link, number, first_image, symbols, client.codec
        )
        client.transmitter.send(fields, pc.symbol_bytes(symbols))
        keys.append((RUN, point, client.link, number))
    client.until(lambda: not client.transmitter.waiting, "an answer to every frame")
    return [every_reception(client, key)[-1] for key in keys]


def every_reception(client: Client, name: pc.FrameName) -> list[tasks.Reception]:
    """Every time that a frame came down: once, or more often where an answer took too long."""
    return [each for each in client.receiver.frames if each.message.name == name]


def theory(model: str, snr_db: float) -> float:
    """The bit error rate of BPSK with coherent detection."""
    snr = 10 ** (snr_db / 10)
    if model == "rayleigh":
        return 0.5 * (1 - math.sqrt(snr / (1 + snr)))
    return 0.5 * math.erfc(math.sqrt(snr))
