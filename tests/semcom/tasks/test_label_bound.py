"""The label bound: the formula's values, its limits, and the code it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.families.label_code import label_code
from semcom.points import ChannelSettings, PluginChannel
from semcom.tasks import label_bound as module
from semcom.tasks.label_bound import bound_channel, label_bound

# Data set: classes, symbols and noise-free accuracy of the shipped codec; docs/reproducing.md.
SETS = {"cifar10": (10, 51, 0.9253), "cifar100": (100, 205, 0.7092), "tiny": (200, 230, 0.4625)}
STATED = [
    ("cifar10", "awgn", {-10: 87.5, -5: 92.5, 0: 92.5}),
    ("cifar10", "rayleigh", {-10: 71.7, -5: 84.5, 0: 89.7, 5: 91.6}),
    ("cifar100", "awgn", {-10: 70.9, -5: 70.9, 0: 70.9}),
    ("cifar100", "rayleigh", {-10: 59.8, -5: 67.1, 0: 69.7, 5: 70.5}),
    ("tiny", "awgn", {-10: 46.3, -5: 46.3, 0: 46.3}),
    ("tiny", "rayleigh", {-10: 38.7, -5: 43.7, 0: 45.4, 5: 46.0}),
]


@pytest.mark.parametrize(("name", "channel", "stated"), STATED)
def test_values_are_those_that_were_stated_beforehand(name, channel, stated):
    classes, symbols, accuracy = SETS[name]
    for snr_db, percent in stated.items():
        found = label_bound(accuracy, snr_db, classes=classes, symbols=symbols, channel=channel)
        assert 100 * found == pytest.approx(percent, abs=0.1)


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_more_nodes_change_no_printed_digit(channel, monkeypatch):
    def values() -> list[float]:
        for cached in (module._noise, module._fades, module._table):
            cached.cache_clear()
        return [
            label_bound(0.9, snr_db, classes=classes, symbols=symbols, channel=channel)
            for classes, symbols in ((2, 1), (10, 51), (1000, 600))
            for snr_db in (-30.0, -12.0, 0.0, 25.0, 60.0)
        ]

    few = values()
    monkeypatch.setattr(module, "NOISE_NODES", 500)
    monkeypatch.setattr(module, "FADE_NODES", 500)
    monkeypatch.setattr(module, "TABLE_POINTS", 100_001)
    many = values()
    monkeypatch.undo()
    values()  # leaves the caches as they were
    assert few == pytest.approx(many, abs=2e-5)


@given(
    accuracy=st.floats(0.0, 1.0),
    snr_db=st.floats(-30, 60),
    classes=st.integers(2, 300),
    symbols=st.integers(1, 400),
    channel=st.sampled_from(["awgn", "rayleigh"]),
)
def test_bound_lies_between_guessing_and_the_classifier(
    accuracy, snr_db, classes, symbols, channel
):
    found = label_bound(accuracy, snr_db, classes=classes, symbols=symbols, channel=channel)
    low, high = sorted((1.0 / classes, accuracy))
    assert low - 1e-4 <= found <= high + 1e-4


def test_two_classes_are_bpsk():
    """Two opposite codewords of energy K Es: errors are Q(sqrt(2 K Es/N0))."""
    found = label_bound(1.0, 0.0, classes=2, symbols=2)
    assert found == pytest.approx(1 - 0.0227501, abs=1e-6)  # Q(2)


@pytest.mark.parametrize("snr_db", [-10.0, -6.0])
def test_drawn_noise_over_a_simplex_code_gives_the_bound(snr_db):
    classes, symbols, sent = 20, 16, 20_000
    code = label_code("simplex", classes=classes, symbols=symbols).astype(float)
    dice = np.random.default_rng(3)
    noise = dice.standard_normal((sent, 2 * symbols)) * np.sqrt(0.5 * 10 ** (-snr_db / 10))
    right = ((code[0] + noise) @ code.T).argmax(axis=1) == 0
    expected = label_bound(1.0, snr_db, classes=classes, symbols=symbols)
    assert right.mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / sent))


def test_bound_is_known_over_awgn_and_over_rayleigh_with_known_gains():
    assert bound_channel(ChannelSettings()) == "awgn"
    assert bound_channel(ChannelSettings(model="rayleigh", coherence=5)) == "rayleigh"
    assert bound_channel(ChannelSettings(model="rayleigh", csi="none")) is None
    assert bound_channel(ChannelSettings(model="rician")) is None
    assert bound_channel(PluginChannel(model="tdl", settings={})) is None


@pytest.mark.parametrize("wrong", [{"classes": 1}, {"symbols": 0}, {"noise_free": 1.1}])
def test_what_makes_no_sense_is_refused(wrong):
    given_ = {"noise_free": 0.9, "classes": 10, "symbols": 5, **wrong}
    with pytest.raises(ValueError, match="classes"):
        label_bound(given_.pop("noise_free"), 0.0, **given_)
