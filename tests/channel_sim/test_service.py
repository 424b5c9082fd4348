"""The channel's process: what it refuses is counted, as the alerts expect."""

from __future__ import annotations

import time

from channel_sim.service import ChannelService
from channel_sim.settings import BrokerSettings
from semcom.messages import Refusal
from semcom.sockets import Endpoint, Wakeup, free_ports
from semcom.telemetry import Telemetry
from tests.channel_sim.brokering import SYMBOLS, frame_of

FRAMES = 3


def test_refused_frames_are_answered_and_counted():
    ports = free_ports(2)
    uplink, downlink = (f"tcp://127.0.0.1:{port}" for port in ports)
    telemetry, wakeup = Telemetry("channel", "channel"), Wakeup()
    settings = BrokerSettings(uplink=uplink, downlink=downlink)
    service = ChannelService(settings, "channel", telemetry, wakeup)
    transmitter = Endpoint.connect(uplink, name="uplink")
    for frame in range(FRAMES):
        transmitter.send(frame_of(frame), SYMBOLS)
    answers = []
    end_s = time.monotonic() + 30
    while len(answers) < FRAMES:
        assert time.monotonic() < end_s
        while (received := service.endpoints[0].receive()) is not None:
            service.handle(service.endpoints[0], received)
        service.tick(time.monotonic())
        if (back := transmitter.receive()) is not None:
            answers.append(back.message)
    transmitter.close()
    service.close()
    wakeup.close()
    assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == {"unknown_point"}
    labels = {"reason": "unknown_point"}
    counted = telemetry.registry.get_sample_value("semcom_messages_refused_total", labels)
    assert counted == FRAMES
