"""The channel's process with hostile peers on real sockets: its memory stays within its bounds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from channel_sim.receivers import REPEAT_AFTER_S
from channel_sim.service import ChannelService
from channel_sim.settings import BrokerSettings, StaticRun
from semcom.connections import resident_bytes
from semcom.ports import free_ports
from semcom.service import serve
from semcom.telemetry import Telemetry
from semcom.wakeup import Wakeup
from tests.channel_sim.brokering import CODEC, INSTANCE, POINTS
from tests.integration import plain_client as pc
from tests.semcom.raw_peer import RawPeer, flooding, message

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs the counts of Linux")

MIB = 1 << 20
DEADLINE_S = 120.0
IMAGES, SYMBOLS = 256, 128
FRAME_BYTES = IMAGES * SYMBOLS * 8  # 256 KiB
QUEUE_BYTES = 16 * MIB
# All that may wait at a receiver and leave to it, frames of a burst, and the allocator's share.
BOUND = QUEUE_BYTES + (QUEUE_BYTES + 32 * MIB) + 8 * MIB + 64 * MIB
HELLO = message(
    pc.build(
        pc.HELLO,
        {"role": "receiver", "peer": "rx", "instance": INSTANCE, "codecs": [CODEC]},
    )
)
SILENCE = np.full((IMAGES, SYMBOLS), 0.1, dtype="<c8")


@dataclass
class Channel:
    """A channel that this thread serves, and where it listens."""

    service: ChannelService
    telemetry: Telemetry
    wakeup: Wakeup
    uplink: int
    downlink: int

    def growth_until(
        self, condition: Callable[[], bool], *, receiver: RawPeer | None = None
    ) -> int:
        """How much memory the process takes at most until then; a receiver greets meanwhile."""
        before, most = resident_bytes(), 0
        begun_s = greeted_s = time.monotonic()

        def look() -> bool:
            nonlocal most, greeted_s
            now_s = time.monotonic()
            assert now_s - begun_s < DEADLINE_S
            if receiver is not None and now_s - greeted_s > 0.5:
                greeted_s = now_s
                assert receiver.send(HELLO)
            most = max(most, resident_bytes() - before)
            self.service.done = condition()
            return False

        self.service.done = False
        serve(self.service, self.wakeup, look)
        return most

    def _counted(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(f"semcom_{name}_total", labels) or 0.0

    @property
    def taken(self) -> float:
        return self._counted("frames_received", link="link")

    @property
    def repeated(self) -> float:
        return self._counted("frames_duplicate", link="link")

    @property
    def unroutable(self) -> float:
        return self._counted("frames_unroutable", link="link")

    def refused(self, reason: str) -> float:
        return self._counted("messages_refused", reason=reason)


@pytest.fixture
def channel() -> Iterator[Channel]:
    uplink, downlink = free_ports(2)
    settings = BrokerSettings(
        uplink=f"tcp://127.0.0.1:{uplink}",
        downlink=f"tcp://127.0.0.1:{downlink}",
        static=StaticRun(run="demo", points=POINTS),
        queue_bytes=QUEUE_BYTES,
    )
    wakeup, telemetry = Wakeup(), Telemetry("channel", "channel")
    service = ChannelService(settings, "channel", telemetry, wakeup)
    yield Channel(service, telemetry, wakeup, uplink, downlink)
    service.close()
    wakeup.close()


def frame(number: int, *, point: int = 0) -> bytes:
    """A SymbolFrame on the wire."""
    fields = pc.frame_fields("demo", point, "link", number, 0, SILENCE, CODEC)
    return message(pc.build(pc.SYMBOL_FRAME, fields, pc.symbol_bytes(SILENCE)))


@pytest.mark.parametrize("frames", [1, 300], ids=["one repeated", "all new"])
def test_receiver_that_reads_nothing_takes_bounded_memory(channel: Channel, frames: int):
    sent = b"".join(frame(number) for number in range(frames))
    with RawPeer(channel.downlink, receive_bytes=4096) as receiver, RawPeer(channel.uplink) as tx:
        greet(channel, receiver)
        begun_s = time.monotonic()
        with flooding((tx, sent)):
            if frames == 1:
                most = channel.growth_until(lambda: channel.repeated > 200, receiver=receiver)
            else:
                most = channel.growth_until(
                    lambda: channel.refused("overloaded") > 50, receiver=receiver
                )
        repeats = 1 + (time.monotonic() - begun_s) / REPEAT_AFTER_S
    assert most < BOUND
    assert 0 < channel.taken * FRAME_BYTES < min(QUEUE_BYTES, frames * FRAME_BYTES) * repeats + MIB


def test_receiver_that_answers_without_reading_is_sent_no_more_than_its_bound(channel: Channel):
    """It guesses what it was sent: to the broker it holds nothing, but nothing has left."""
    answers = b"".join(
        HELLO + message(pc.build(pc.TASK_RESULT, answer_to(number))) for number in range(100)
    )
    sent = b"".join(frame(number) for number in range(100))
    with RawPeer(channel.downlink, receive_bytes=4096) as receiver, RawPeer(channel.uplink) as tx:
        greet(channel, receiver)
        with flooding((tx, sent), (receiver, answers)):
            most = channel.growth_until(lambda: channel.unroutable > 0)
    assert most < BOUND
    assert channel.taken * FRAME_BYTES < 3 * BOUND, "what left before the bound was reached"


def test_frames_that_are_refused_take_no_memory(channel: Channel):
    with RawPeer(channel.uplink, receive_bytes=4096) as tx:
        with flooding((tx, frame(0, point=99))):
            most = channel.growth_until(lambda: channel.refused("unknown_point") > 100)
        assert tx.sent > 100 * FRAME_BYTES
    assert most < 64 * MIB


def greet(channel: Channel, receiver: RawPeer) -> None:
    """A receiver says hello once; what it is sent it never reads."""
    assert receiver.send(HELLO)
    channel.growth_until(lambda: bool(channel.service._broker.receivers))


def answer_to(number: int) -> dict[str, object]:
    key = {"run": "demo", "point": 0, "link": "link", "frame": number}
    times = {"channel_ms": 0.0, "batch_wait_ms": 0.0, "decode_ms": 0.0, "snr_measured_db": None}
    return {"key": key, "codec": CODEC, "predictions": bytes(2 * IMAGES), **times}
