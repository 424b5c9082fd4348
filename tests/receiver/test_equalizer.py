"""Equalisation: the fading undone as far as the receiver knows it."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch

from receiver.equalizer import effective_csi, equalize, equalize_arrays
from receiver.symbol_weights import RIDGE
from semcom.points import EqualizerMethod

METHODS = get_args(EqualizerMethod)
WEIGHING = ["unbiased_mmse", "regularized_zero_forcing"]


def complex_randn(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.complex64, generator=generator)


SENT_BK = complex_randn(6, 9)
FADING_B1 = complex_randn(6, 1, seed=1)


@pytest.mark.parametrize("method", METHODS)
def test_without_noise_the_symbols_come_back(method):
    equalized = equalize(FADING_B1 * SENT_BK, FADING_B1, method=method, noise_power=0.0)
    torch.testing.assert_close(equalized, SENT_BK, rtol=1e-4, atol=1e-5)


def test_zero_forcing_divides_by_the_estimate_whatever_the_noise():
    estimate = torch.tensor([[0.5 + 0.5j]], dtype=torch.complex64)
    received = torch.tensor([[1.0 + 0j, 2j]], dtype=torch.complex64)
    for noise_power in (0.0, 10.0):
        equalized = equalize(received, estimate, method="zero_forcing", noise_power=noise_power)
        torch.testing.assert_close(equalized, received / estimate)


def test_mmse_weighs_the_gain_against_the_noise():
    received = torch.tensor([[1.0 + 1.0j]], dtype=torch.complex64)
    estimate = torch.tensor([[2j]], dtype=torch.complex64)
    equalized = equalize(received, estimate, method="mmse", noise_power=1.0)
    torch.testing.assert_close(equalized, (1 + 1j) * torch.tensor([[-2j]]) / 5)


def test_mmse_takes_the_noise_of_each_image():
    noise_power_B1 = torch.tensor([0.0, 1.0, 100.0]).unsqueeze(1)
    received, estimate = SENT_BK[:3], FADING_B1[:3]
    together = equalize(received, estimate, method="mmse", noise_power=noise_power_B1)
    for row in range(3):
        alone = equalize(
            received[row : row + 1],
            estimate[row : row + 1],
            method="mmse",
            noise_power=float(noise_power_B1[row]),
        )
        torch.testing.assert_close(together[row : row + 1], alone)


def test_mmse_errs_less_than_zero_forcing_over_fading_and_noise():
    sent, fading = complex_randn(20_000, 1, seed=2), complex_randn(20_000, 1, seed=3)
    received = fading * sent + complex_randn(20_000, 1, seed=4)
    errors = [
        (equalize(received, fading, method=method, noise_power=1.0) - sent).abs().square().mean()
        for method in ("mmse", "zero_forcing")
    ]
    assert errors[0] < 0.7
    assert errors[1] > 2


@pytest.mark.parametrize("method", METHODS)
def test_without_channel_state_symbols_stay_as_received(method):
    assert equalize(SENT_BK, None, method=method, noise_power=0.1) is SENT_BK


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("gain", [0.0, 1e-30, 1e-12, 1e-7])
def test_deepest_fade_gives_finite_symbols(method, gain):
    estimate = torch.full((1, 1), gain, dtype=torch.complex64)
    received = torch.ones(1, 4, dtype=torch.complex64)
    equalized = equalize(received, estimate, method=method, noise_power=0.1)
    assert torch.view_as_real(equalized).isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_rows_do_not_meet(method):
    noise_power_B1 = torch.full((6, 1), 0.3)
    whole = equalize(SENT_BK, FADING_B1, method=method, noise_power=noise_power_B1)
    loud = SENT_BK.clone()
    loud[1:] *= 1e6
    other = equalize(loud, FADING_B1, method=method, noise_power=noise_power_B1)
    torch.testing.assert_close(whole[0], other[0])
    assert whole.shape == SENT_BK.shape
    assert whole.dtype == torch.complex64


@pytest.mark.parametrize("method", ["zero_forcing", "mmse"])
def test_gain_of_every_symbol_is_undone_at_that_symbol(method):
    fading_BK = complex_randn(6, 9, seed=5)
    together = equalize(fading_BK * SENT_BK, fading_BK, method=method, noise_power=0.5)
    for symbol in range(9):
        column = fading_BK[:, symbol : symbol + 1]
        alone = equalize(
            column * SENT_BK[:, symbol : symbol + 1], column, method=method, noise_power=0.5
        )
        torch.testing.assert_close(together[:, symbol : symbol + 1], alone)


def test_one_column_is_its_own_effective_state():
    assert torch.equal(effective_csi(FADING_B1), FADING_B1)


@pytest.mark.parametrize("method", METHODS)
def test_of_other_columns_the_mean_power_is_undone(method):
    taps_B3 = torch.tensor([[1 + 0j, 2j, -2 + 0j]], dtype=torch.complex64)
    effective = effective_csi(taps_B3)
    torch.testing.assert_close(effective, torch.tensor([[3**0.5 + 0j]], dtype=torch.complex64))
    received = SENT_BK[:1]
    torch.testing.assert_close(
        equalize(received, taps_B3, method=method, noise_power=1.0),
        equalize(received, effective, method=method, noise_power=1.0),
    )


@pytest.mark.parametrize("method", WEIGHING)
def test_of_one_gain_per_codeword_both_are_zero_forcing_bit_for_bit(method):
    received = FADING_B1 * SENT_BK + complex_randn(6, 9, seed=7)
    forced, weighted = (
        equalize(received, FADING_B1, method=each, noise_power=10.0)
        for each in ("zero_forcing", method)
    )
    assert torch.equal(weighted, forced)


@pytest.mark.parametrize("method", WEIGHING)
def test_sent_symbols_arrive_with_factor_one_on_average_over_the_codeword(method):
    fading_BK = complex_randn(6, 9, seed=5)
    ones = torch.ones(6, 9, dtype=torch.complex64)
    factors = equalize(fading_BK * ones, fading_BK, method=method, noise_power=3.0)
    torch.testing.assert_close(factors.mean(dim=1), ones[:, 0])
    assert (factors.real.std(dim=1) > 0.05).all()


@pytest.mark.parametrize(("method", "added"), [(WEIGHING[0], 0.5), (WEIGHING[1], None)])
def test_weights_are_those_of_the_formula(method, added):
    fading, received = complex_randn(1, 9, seed=5), complex_randn(1, 9, seed=6)
    power = fading.abs().square()
    added = RIDGE * power.mean() if added is None else added
    share = power / (power + added)
    expected = received * fading.conj() / (power + added) / share.mean()
    found = equalize(received, fading, method=method, noise_power=0.5)
    torch.testing.assert_close(found, expected)


def test_unbiased_mmse_errs_less_than_zero_forcing_over_a_gain_per_symbol():
    sent, fading = complex_randn(2000, 32, seed=2), complex_randn(2000, 32, seed=3)
    received = fading * sent + 0.5 * complex_randn(2000, 32, seed=4)
    errors = {
        method: float(
            (equalize(received, fading, method=method, noise_power=0.25) - sent)
            .abs().square().mean()
        )
        for method in METHODS
    }  # fmt: skip
    assert errors["mmse"] < errors["unbiased_mmse"] < errors["regularized_zero_forcing"]
    assert errors["regularized_zero_forcing"] < 0.5 * errors["zero_forcing"]


@pytest.mark.parametrize("method", WEIGHING)
def test_codeword_of_no_gain_at_all_gives_finite_symbols(method):
    csi = np.zeros((2, 9), dtype=np.complex64)
    for snr_db in (-30.0, 60.0):
        snrs = torch.full((2,), snr_db)
        found = equalize_arrays(SENT_BK[:2].numpy(), csi, snr_db_N=snrs, method=method)
        assert torch.view_as_real(found).isfinite().all()
