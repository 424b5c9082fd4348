"""Sionna's channels: what theory says of them, and that every codeword is drawn by its own key."""

from __future__ import annotations

import math

import numpy as np
import pytest

from channel_sim.models.tr38901 import SionnaChannel
from tests.channel_sim.models.test_models import qpsk, streams

pytest.importorskip("sionna", reason="sionna-no-rt is not installed: pip install 'rkd-sc[sionna]'")

LONG_NS = 1000  # subcarriers far apart fade nearly independently


@pytest.mark.parametrize("profile", ["tdl-a", "tdl-d", "cdl-b"])
def test_any_range_of_codewords_is_drawn_as_with_all_others(profile):
    model = SionnaChannel(profile=profile, speed_mps=30)
    whole = model.draw(streams(0, 6), symbols=150)
    for first, items in ((0, 2), (3, 3), (5, 1)):
        part = model.draw(streams(first, items), symbols=150)
        assert np.array_equal(part, whole[first : first + items])
    other = model.draw(streams(0, 6, seed=1), symbols=150)
    assert (other != whole).all()


def test_gains_have_mean_power_one():
    for profile, items in (("tdl-a", 400), ("tdl-e", 400), ("cdl-d", 80)):
        model = SionnaChannel(profile=profile, delay_spread_ns=LONG_NS)
        gains_BK = model.draw(streams(items=items), symbols=64)
        assert np.mean(np.abs(gains_BK) ** 2) == pytest.approx(1.0, rel=0.1)


def test_error_rate_of_qpsk_over_a_path_without_line_of_sight_is_that_of_rayleigh_fading():
    model = SionnaChannel(profile="tdl-a", delay_spread_ns=LONG_NS)
    items, symbols, snr = 1500, 64, 10.0
    sent_BK = qpsk(items, symbols)
    gains_BK = model.draw(streams(items=items), symbols=symbols)
    rng = np.random.default_rng(2)
    noise_BK = (rng.standard_normal(sent_BK.shape) + 1j * rng.standard_normal(sent_BK.shape)) / (
        math.sqrt(2 * snr)
    )
    decided_BK = (model.apply(sent_BK, gains_BK) + noise_BK) * np.conj(gains_BK)
    errors = np.mean((decided_BK.real > 0) != (sent_BK.real > 0))
    per_bit = snr / 2
    theory = 0.5 * (1 - math.sqrt(per_bit / (1 + per_bit)))
    assert errors == pytest.approx(theory, rel=0.1)


def test_channel_stands_still_without_speed_and_moves_with_it():
    still, moving = (
        SionnaChannel(profile="tdl-a", speed_mps=speed).draw(streams(items=3), symbols=128)
        for speed in (0.0, 300.0)
    )
    np.testing.assert_allclose(still[:, :64], still[:, 64:], rtol=1e-5, atol=1e-5)
    assert np.abs(moving[:, :64] - moving[:, 64:]).max() > 0.05
