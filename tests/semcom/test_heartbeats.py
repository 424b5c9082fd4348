"""A process is ready while it hears from those that it needs."""

from __future__ import annotations

import pytest

from semcom.heartbeats import DEAD_AFTER_S, Attention, Heartbeats
from semcom.telemetry import Telemetry


def test_after_a_pause_of_this_end_nobody_is_silent():
    attention = Attention(1.0)
    assert [attention.listened(now_s) for now_s in (5.0, 6.0, 8.0, 12.0, 13.0, 15.1, 16.0)] == [
        False, True, True, False, True, False, True,
    ]  # fmt: skip


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def telemetry():
    return Telemetry("transmitter", "cifar10")


@pytest.fixture
def heartbeats(telemetry, clock):
    return Heartbeats("transmitter", telemetry, clock=clock)


def age_s(telemetry, role):
    return telemetry.registry.get_sample_value("semcom_heartbeat_age_seconds", {"role": role})


def test_nobody_is_there_before_the_first_heartbeat(heartbeats):
    assert not heartbeats.fresh("channel")


def test_silence_of_three_seconds_is_death_and_a_word_is_life(heartbeats, clock):
    heartbeats.heard("channel")
    clock.now_s += DEAD_AFTER_S
    assert heartbeats.fresh("channel")
    assert not heartbeats.fresh("orchestrator")
    clock.now_s += 0.1
    assert not heartbeats.fresh("channel")
    heartbeats.heard("channel")
    assert heartbeats.fresh("channel")


def test_age_grows_between_scrapes_also_before_the_first_heartbeat(heartbeats, telemetry, clock):
    clock.now_s += 2
    heartbeats.heard("channel")
    clock.now_s += 5
    assert age_s(telemetry, "channel") == 5
    assert age_s(telemetry, "orchestrator") == 7


def test_heartbeats_are_counted_by_role(heartbeats, telemetry):
    heartbeats.heard("channel")
    heartbeats.heard("channel")
    for role, count in (("channel", 2), ("orchestrator", 0)):
        assert (
            telemetry.registry.get_sample_value("semcom_heartbeats_total", {"role": role}) == count
        )
