"""`semcom channel set`: what it sends, and what it refuses before a system is looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import live_commands
from semcom.errors import ConfigurationError


@pytest.fixture
def sent(monkeypatch) -> list[dict[str, Any]]:
    """Bodies of the requests that were sent."""
    bodies: list[dict[str, Any]] = []
    monkeypatch.setattr(live_commands, "find_system", lambda runs, name: None)
    monkeypatch.setattr(live_commands, "change", lambda system, path, body: bodies.append(body))
    return bodies


def channel_set(**options: Any) -> None:
    live_commands.channel_set("a", runs=Path("runs"), **options)


def test_settings_of_a_model_are_read_as_yaml(sent):
    channel_set(model="tdl", settings=["profile=tdl-c", "delay_spread_ns=300", "csi = none"])
    settings = {"profile": "tdl-c", "delay_spread_ns": 300, "csi": "none"}
    assert sent == [{"link": "a", "snr_db": None, "model": "tdl", "settings": settings}]
    channel_set(settings=["doppler=0.1"])
    assert sent[1]["settings"] == {"doppler": 0.1}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"settings": ["doppler"]}, "--set doppler: expected KEY=VALUE"),
        ({"settings": ["=1"]}, "--set =1: expected KEY=VALUE"),
        ({"settings": ["a=[1"]}, "--set a="),
        ({"model": "magic"}, "no channel model 'magic' is installed"),
        ({}, "nothing to change: give --snr-db, --model, --set, --follow, or for a group --sir-db"),
        ({"snr_db": 3.0, "follow": True}, "give --snr-db or --follow, not both"),
    ],
)
def test_wrong_setting_is_one_line_and_nothing_is_sent(sent, options, expected):
    with pytest.raises(ConfigurationError) as caught:
        channel_set(**options)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sent == []
