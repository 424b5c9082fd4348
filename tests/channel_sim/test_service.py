"""The channel's process: what it refuses is counted, as the alerts expect."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from channel_sim.service import ChannelService
from channel_sim.settings import BrokerSettings
from semcom.messages import Hello, Refusal
from semcom.sockets import Endpoint, Wakeup, free_ports
from semcom.telemetry import Telemetry
from tests.channel_sim.brokering import CODEC, INSTANCE, SYMBOLS, frame_of

FRAMES = 3
TELEMETRY = Telemetry("channel", "channel")


@pytest.fixture
def ends() -> Iterator[tuple[ChannelService, Endpoint]]:
    """The channel, and a transmitter's socket."""
    uplink, downlink = (f"tcp://127.0.0.1:{port}" for port in free_ports(2))
    wakeup, settings = Wakeup(), BrokerSettings(uplink=uplink, downlink=downlink)
    service = ChannelService(settings, "channel", TELEMETRY, wakeup)
    transmitter = Endpoint.connect(uplink, name="uplink")
    yield service, transmitter
    transmitter.close()
    service.close()
    wakeup.close()


def test_a_channel_that_was_busy_forgets_nobody_before_it_has_listened(ends):
    service, _ = ends
    broker = service._broker
    hello = Hello(role="receiver", peer="receiver-1", instance=INSTANCE, codecs=[CODEC])
    broker.on_downlink(b"receiver", hello, now_s=100.0)
    for now_s, there in ((100.0, 1), (101.0, 1), (111.0, 1), (112.0, 0)):
        service.tick(now_s)
        assert len(broker.receivers) == there, now_s


def test_refused_frames_are_answered_and_counted(ends):
    service, transmitter = ends
    answers, sent, end_s = [], 0, time.monotonic() + 60
    while len(answers) < FRAMES:
        assert time.monotonic() < end_s, f"{len(answers)} answers to {sent} frames"
        if sent < FRAMES and transmitter.send(
            frame_of(sent), SYMBOLS
        ):  # not before it is connected
            sent += 1
        while (received := service.endpoints[0].receive()) is not None:
            service.handle(service.endpoints[0], received)
        service.tick(time.monotonic())
        if (back := transmitter.receive()) is not None:
            answers.append(back.message)
        time.sleep(0.001)
    assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == {"unknown_point"}
    labels = {"reason": "unknown_point"}
    counted = TELEMETRY.registry.get_sample_value("semcom_messages_refused_total", labels)
    assert counted == FRAMES
