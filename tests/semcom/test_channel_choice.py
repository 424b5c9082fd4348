"""Channels as users write them: a key belongs to its model; what was stored stays readable."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from semcom.channel_choice import Channel, Point
from semcom.errors import ConfigurationError
from semcom.points import ChannelSettings, PointSpec
from semcom.settings import Settings, validate


class Holder(Settings):
    channel: Channel = ChannelSettings()
    points: list[Point] = Field(default=[])


def read(channel: object) -> ChannelSettings:
    return validate(Holder, {"channel": channel}, where="s.yaml").channel


def complaint(channel: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(channel)
    line = str(caught.value)
    assert "\n" not in line
    return line.removeprefix("s.yaml: ")


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ({}, {}),
        ({"model": "awgn"}, {}),
        ({"model": "rayleigh"}, {"model": "rayleigh"}),
        ({"model": "rayleigh", "csi": "none"}, {"model": "rayleigh", "csi": "none"}),
        (
            {"model": "rician", "rician_k": 0, "csi": "mismatch", "csi_error_variance": 0},
            {"model": "rician", "rician_k": 0.0, "csi": "mismatch", "csi_error_variance": 0.0},
        ),
        (
            {"model": "rayleigh", "coherence": 50, "equalizer": "mmse"},
            {"model": "rayleigh", "coherence": 50, "equalizer": "mmse"},
        ),
    ],
)
def test_channel_is_held_as_the_flat_record_of_plans_and_messages(channel, expected):
    found = read(channel)
    assert type(found) is ChannelSettings
    assert found == ChannelSettings(**expected)


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (
            {"model": "awgn", "csi": "none"},
            "channel.csi: has no effect with model: awgn; it belongs to model: rayleigh or rician",
        ),
        ({"model": "awgn", "csi": "perfect"}, "channel.csi: has no effect"),
        ({"model": "awgn", "coherence": 50}, "channel.coherence: has no effect"),
        ({"model": "awgn", "equalizer": "mmse"}, "channel.equalizer: has no effect"),
        ({"model": "awgn", "csi_error_variance": 0.1}, "channel.csi_error_variance: has no effect"),
        (
            {"model": "awgn", "rician_k": 4.0},
            "channel.rician_k: has no effect with model: awgn; it belongs to model: rician",
        ),
        ({"rician_k": 10}, "and model is missing (without it: awgn)"),
        ({"csi": "none"}, "and model is missing (without it: awgn)"),
        (
            {"model": "rayleigh", "rician_k": 10},
            "channel.rician_k: has no effect with model: rayleigh; it belongs to model: rician",
        ),
        (
            {"model": "rayleigh", "csi": "mismatch"},
            "channel: csi: mismatch needs csi_error_variance",
        ),
        (
            {"model": "rician", "csi_error_variance": 0.5},
            "csi_error_variance needs csi: mismatch, here csi is perfect",
        ),
        ({"model": "rician", "csi": "none", "csi_error_variance": 0.5}, "here csi is none"),
        (
            {"model": "rician", "csi": "none", "equalizer": "mmse"},
            "equalizer has no effect with csi: none",
        ),
        (
            {"model": "rician", "csi": "none", "equalizer": "zero_forcing"},
            "equalizer has no effect",
        ),
        ({"model": "rice"}, "channel.model: no channel model 'rice' is installed"),
        (
            {"model": "rice"},
            "available: awgn, rayleigh, rician, clipping, jakes, oscillator, sionna, tdl",
        ),
        ({"model": "rice"}, "under the entry-point group rkd_sc.channels"),
        ({"model": "raleigh"}, "(did you mean rayleigh?)"),
        ({"model": ["awgn"]}, 'channel.model: must be one of awgn, rayleigh, rician, got ["awgn"]'),
        ({"model": None}, "channel.model: must be one of awgn, rayleigh, rician, got null"),
        (
            {"model": "rician", "rician_k": -1},
            "channel.rician_k: must be a number from 0 to 10,000, got -1",
        ),
        (
            {"model": "rayleigh", "coherance": 3},
            "channel.coherance: unknown key (did you mean coherence?)",
        ),
        ("awgn", "channel: must be a map with model: awgn, rayleigh, rician, got 'awgn'"),
        (["awgn"], "channel: must be a map with model"),
        (None, "channel: must be a map with model"),
    ],
)
def test_what_does_not_belong_or_is_missing_is_named(channel, expected):
    assert expected in complaint(channel)


RECORDS = st.builds(
    ChannelSettings,
    model=st.sampled_from(["awgn", "rayleigh", "rician"]),
    rician_k=st.sampled_from([4.0, 0.0, 7.5]),
    coherence=st.sampled_from([1, 3]),
    csi=st.sampled_from(["perfect", "mismatch", "none"]),
    csi_error_variance=st.sampled_from([0.0, 0.25]),
    equalizer=st.sampled_from(["zero_forcing", "mmse"]),
)


def idle_keys(record: ChannelSettings) -> set[str]:
    """Keys without an effect, told by what the channel and the receiver do with them."""
    if record.model == "awgn":
        return set(ChannelSettings.model_fields) - {"model"}
    keys = {"rician_k"} if record.model == "rayleigh" else set()
    keys |= {"csi_error_variance"} if record.csi != "mismatch" else set()
    return keys | ({"equalizer"} if record.csi == "none" else set())


@given(RECORDS)
def test_whole_record_of_earlier_versions_is_taken_or_names_what_has_no_effect(record):
    """The scenario of a manifest holds all keys, and a live system is sent such a scenario."""
    given_keys = record.model_dump(mode="json")
    default = ChannelSettings().model_dump()
    idle = {key for key in idle_keys(record) if given_keys[key] != default[key]}
    if idle:
        line = complaint(given_keys)
        assert any(key in line for key in idle)
    else:
        assert read(given_keys) == record


def test_every_channel_that_is_written_can_be_read_from_its_record():
    csi = [{}, {"csi": "mismatch", "csi_error_variance": 0.1}, {"csi": "none"}]
    equalizers = [{}, {"equalizer": "mmse"}]
    for model, known, equalizer in itertools.product(("rayleigh", "rician"), csi, equalizers):
        if known.get("csi") == "none" and equalizer:
            continue
        held = read({"model": model, "coherence": 2, **known, **equalizer})
        assert read(held.model_dump(mode="json")) == held


def test_stored_records_and_messages_keep_all_combinations():
    """What earlier versions took of a scenario stands in their ledgers."""
    old = {"model": "rayleigh", "rician_k": 10.0, "csi_error_variance": 0.5}
    spec = PointSpec.model_validate({"channel": old, "snr_db": 0.0})
    assert spec.channel.rician_k == 10.0
    assert spec.key_text == "rayleigh:coherence=1:snr_db=0.0"


def test_points_of_a_channels_file_are_checked_alike():
    points = [{"snr_db": 5.0, "seed": 7}, {"snr_db": 10, "channel": {"model": "rayleigh"}}]
    found = validate(Holder, {"points": points}, where="f").points
    assert found == [
        PointSpec(snr_db=5.0, seed=7),
        PointSpec(snr_db=10.0, channel=ChannelSettings(model="rayleigh")),
    ]
    points[1]["channel"] = {"model": "rayleigh", "rician_k": 3}
    with pytest.raises(ConfigurationError, match=r"points\.1\.channel\.rician_k: has no effect"):
        validate(Holder, {"points": points}, where="f")
