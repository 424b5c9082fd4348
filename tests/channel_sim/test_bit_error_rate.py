"""BPSK through the channel, the receiver's equaliser and a hard decision, against theory.

One real bit per complex symbol, so Eb = Es and Eb/N0 is the point's SNR:
AWGN Q(sqrt(2 Eb/N0)); Rayleigh with perfect CSI (1 - sqrt(g / (1 + g))) / 2, g the mean Eb/N0.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from channel_sim.channels import draw_channel, pass_through
from receiver.equalizer import equalize
from semcom.points import ChannelSettings, PointSpec


def bit_error_rate(point: PointSpec, *, images: int, symbols: int) -> float:
    """Share of bits that arrive wrong."""
    sent_BK = np.random.default_rng(5).integers(0, 2, size=(images, symbols)).astype(bool)
    symbols_BK = np.where(sent_BK, -1, 1).astype(np.complex64)
    draw = draw_channel(point, link="bpsk", first_image=0, images=images, symbols=symbols)
    received = torch.from_numpy(pass_through(symbols_BK, draw))
    csi = None if draw.csi_B1 is None else torch.from_numpy(draw.csi_B1)
    method, noise_power = point.channel.equalizer, point.noise_power
    equalized = equalize(received, csi, method=method, noise_power=noise_power)
    return float(np.mean((equalized.real.numpy() < 0) != sent_BK))


def test_awgn_at_5_db():
    point = PointSpec(channel=ChannelSettings(model="awgn"), snr_db=5.0)
    theory = 0.5 * math.erfc(math.sqrt(10**0.5))
    assert theory == pytest.approx(5.95e-3, rel=0.001)
    assert bit_error_rate(point, images=2000, symbols=1000) == pytest.approx(theory, rel=0.05)


@pytest.mark.parametrize("equalizer", ["zero_forcing", "mmse"])
def test_rayleigh_at_10_db_with_perfect_csi(equalizer):
    channel = ChannelSettings(model="rayleigh", equalizer=equalizer)
    theory = 0.5 * (1 - math.sqrt(10 / 11))
    assert theory == pytest.approx(2.33e-2, rel=0.002)
    measured = bit_error_rate(PointSpec(channel=channel, snr_db=10.0), images=400_000, symbols=2)
    assert measured == pytest.approx(theory, rel=0.05)


def test_rician_lies_between_rayleigh_and_awgn():
    points = [
        PointSpec(channel=ChannelSettings(model=model, rician_k=4.0), snr_db=6.0)
        for model in ("rayleigh", "rician", "awgn")
    ]
    rates = [bit_error_rate(point, images=50_000, symbols=4) for point in points]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 2 * rates[1] > 4 * rates[2] > 0


def test_without_channel_state_fading_makes_it_a_coin_toss():
    point = PointSpec(channel=ChannelSettings(model="rayleigh", csi="none"), snr_db=30.0)
    assert bit_error_rate(point, images=20_000, symbols=2) == pytest.approx(0.5, abs=0.02)
