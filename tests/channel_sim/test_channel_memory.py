"""The channel's process with hostile peers on real sockets: its memory stays within its bounds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
ANSWER = bytes(2 * IMAGES)
SILENCE = np.full((IMAGES, SYMBOLS), 0.1, dtype="<c8")


def hello_of(role: str, peer: str, *codecs: str) -> bytes:
    """A Hello on the wire."""
    fields = {"role": role, "peer": peer, "instance": INSTANCE, "codecs": list(codecs)}
    return message(pc.build(pc.HELLO, fields))


HELLO = hello_of("receiver", "rx", CODEC)


@dataclass
class Channel:
    """A channel that this thread serves, and where it listens."""

    service: ChannelService
    telemetry: Telemetry
    wakeup: Wakeup
    uplink: int
    downlink: int

    def growth_until(self, condition: Callable[[], bool], *greeting: tuple[RawPeer, bytes]) -> int:
        """How much memory the process takes at most until then; peers greet meanwhile."""
        before, most = resident_bytes(), 0
        begun_s = greeted_s = time.monotonic()

        def look() -> bool:
            nonlocal most, greeted_s
            now_s = time.monotonic()
            assert now_s - begun_s < DEADLINE_S
            if now_s - greeted_s > 0.5:
                greeted_s = now_s
                assert all(peer.send(greeted) for peer, greeted in greeting)
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
    def rests(self) -> float:
        """Of receivers: one that takes no more messages rests."""
        return self._counted("receiver_rests")

    def dropped(self, link: str) -> float:
        """Frames and answers of a link that could not leave."""
        return self._counted("frames_unroutable", link=link)

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
                most = channel.growth_until(lambda: channel.repeated > 200, (receiver, HELLO))
            else:
                most = channel.growth_until(
                    lambda: channel.refused("overloaded") > 50, (receiver, HELLO)
                )
        repeats = 1 + (time.monotonic() - begun_s) / REPEAT_AFTER_S
    assert most < BOUND
    assert 0 < channel.taken * FRAME_BYTES < min(QUEUE_BYTES, frames * FRAME_BYTES) * repeats + MIB


def test_receiver_that_answers_without_reading_is_sent_no_more_than_its_bound(channel: Channel):
    """It guesses what it was sent: to the broker it holds nothing, but nothing has left."""
    answers = b"".join(
        HELLO + message(pc.build(pc.TASK_RESULT, answer_to(number), ANSWER))
        for number in range(100)
    )
    sent = b"".join(frame(number) for number in range(100))
    with RawPeer(channel.downlink, receive_bytes=4096) as receiver, RawPeer(channel.uplink) as tx:
        greet(channel, receiver)
        with flooding((tx, sent), (receiver, answers)):
            most = channel.growth_until(lambda: channel.rests > 0)
    assert most < BOUND
    assert channel.taken * FRAME_BYTES < 3 * BOUND, "what left before the bound was reached"


def test_frames_that_are_refused_take_no_memory(channel: Channel):
    with RawPeer(channel.uplink, receive_bytes=4096) as tx:
        with flooding((tx, frame(0, point=99))):
            most = channel.growth_until(lambda: channel.refused("unknown_point") > 100)
        assert tx.sent > 100 * FRAME_BYTES
    assert most < 64 * MIB


@pytest.mark.parametrize("links", [1, 6])
def test_transmitters_that_read_no_answers_take_bounded_memory(channel: Channel, links: int):
    """Answers are as large as frames may be; of one transmitter and of all there is a bound."""
    names, answer = [f"link-{number}" for number in range(links)], bytes(4 * MIB)
    with ExitStack() as stack:
        receiver = stack.enter_context(RawPeer(channel.downlink))
        greeting = [
            (stack.enter_context(RawPeer(channel.uplink, receive_bytes=4096)), hello)
            for hello in (hello_of("transmitter", name) for name in names)
        ]
        greet(channel, receiver)
        there = channel.service._broker.transmitters
        channel.growth_until(lambda: len(there) == links, *greeting)
        answers = b"".join(
            HELLO + message(pc.build(pc.TASK_RESULT, answer_to(0, link=name), answer))
            for name in names
        )
        with flooding((receiver, answers)):
            most = channel.growth_until(
                lambda: all(channel.dropped(name) > 9 for name in names), *greeting
            )
    assert most < min(64 * links, 256) * MIB + 96 * MIB


def greet(channel: Channel, receiver: RawPeer) -> None:
    """A receiver says hello once; what it is sent it never reads."""
    assert receiver.send(HELLO)
    channel.growth_until(lambda: bool(channel.service._broker.receivers))


def answer_to(number: int, *, link: str = "link") -> dict[str, object]:
    key = {"run": "demo", "point": 0, "link": link, "frame": number}
    times = {"channel_ms": 0.0, "batch_wait_ms": 0.0, "decode_ms": 0.0, "snr_measured_db": None}
    return {"key": key, "codec": CODEC, **times}
