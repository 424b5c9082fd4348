"""A command that uses the biased equaliser says what it does to a codec."""

from __future__ import annotations

import pytest

from orchestrator.cli.options import say_equalizers
from semcom.channel_choice import read_channel
from semcom.points import AnyChannel, equalizer_of


def channel(**settings: object) -> AnyChannel:
    return read_channel(settings, where="test")


def test_only_the_biased_one_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    say_equalizers(
        [
            channel(model="awgn"),
            channel(model="rayleigh"),
            channel(model="rayleigh", equalizer="unbiased_mmse"),
            channel(model="tdl", equalizer="regularized_zero_forcing"),
        ]
    )
    assert capsys.readouterr().out == ""
    say_equalizers([channel(model="tdl", equalizer="mmse")])
    assert "unbiased_mmse does not" in capsys.readouterr().out


def test_equalizer_is_that_of_the_receiver_and_none_where_nothing_is_known() -> None:
    assert equalizer_of(channel(model="awgn")) is None
    assert equalizer_of(channel(model="rayleigh", csi="none")) is None
    assert equalizer_of(channel(model="tdl", csi="none")) is None
    assert equalizer_of(channel(model="tdl")) == "zero_forcing"
    assert equalizer_of(channel(model="rician", equalizer="mmse")) == "mmse"
