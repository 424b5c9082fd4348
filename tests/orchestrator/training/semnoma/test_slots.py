"""Slots in training: the sum in the order of the channel process, its power, and its draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from channel_sim.channels import ChannelDraw, pass_through
from orchestrator.training.semnoma.link import SlotLink
from orchestrator.training.semnoma.slots import (
    Slots,
    draw_slots,
    noise_amplitude,
    superpose,
)
from semcom.families.semnoma import SemnomaArchitecture
from tests.semcom.families.semnoma_codec import SMALL

SLOTS = Slots("a key", 0, 64, 3)
SYMBOLS = 500


def sent(users: int, slots: int = 64) -> torch.Tensor:
    """Symbols of unit power in the mean, complex64 (U, N, K)."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(users, slots, SYMBOLS, dtype=torch.complex64, generator=generator)


def stated(symbols, fading, noise, powers) -> np.ndarray:
    """The sum as it is specified, float32 by float32 in numpy."""
    total = None
    for x, h, p in zip(symbols, fading, np.float32(powers), strict=True):
        amplitude = np.sqrt(p)
        part = (
            amplitude * (h.real * x.real - h.imag * x.imag),
            amplitude * (h.real * x.imag + h.imag * x.real),
        )
        total = part if total is None else (total[0] + part[0], total[1] + part[1])
    received = np.empty_like(noise)
    received.real, received.imag = total[0] + noise.real, total[1] + noise.imag
    return received


@pytest.mark.parametrize("powers", [(1 / 3, 1 / 3, 1 / 3), (0.7, 0.2, 0.1)])
@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_sum_is_the_specified_one_bit_for_bit(channel, powers):
    draw = draw_slots(SLOTS, channel, symbols=SYMBOLS, own_noise=False)
    arrived = superpose(sent(3), draw.fading_UN1, draw.noise_VNK[0], powers=powers)
    arrays = (each.numpy() for each in (sent(3), draw.fading_UN1, draw.noise_VNK[0]))
    np.testing.assert_array_equal(arrived.numpy(), stated(*arrays, powers))


def test_one_user_of_power_one_is_a_plain_link_of_the_channel_process():
    draw = draw_slots(Slots("a", 0, 64, 1), "rayleigh", symbols=SYMBOLS, own_noise=False)
    arrived = superpose(sent(1), draw.fading_UN1, draw.noise_VNK[0], powers=[1.0])
    fading, noise = draw.fading_UN1[0].numpy(), draw.noise_VNK[0].numpy()
    plain = pass_through(sent(1)[0].numpy(), ChannelDraw(fading, noise, fading))
    np.testing.assert_array_equal(arrived.numpy(), plain)


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_received_power_is_one_and_that_of_the_noise(channel):
    slots = Slots("power", 0, 1500 if channel == "rayleigh" else 64, 2)
    draw = draw_slots(slots, channel, symbols=SYMBOLS, own_noise=False)
    snr_db_N = torch.full((slots.count,), 5.0)
    noise = draw.noise_VNK[0] * noise_amplitude(snr_db_N)[:, None]
    symbols = sent(2, slots.count)
    arrived = superpose(symbols, draw.fading_UN1, noise, powers=[0.8, 0.2])
    gain = draw.fading_UN1.abs().square().mean(1)[:, 0]  # of this draw
    expected = float(0.8 * gain[0] + 0.2 * gain[1]) + 10.0**-0.5
    assert float(arrived.abs().square().mean()) == pytest.approx(expected, rel=0.01)
    for user, power in enumerate((0.8, 0.2)):
        faded = draw.fading_UN1[user] * symbols[user]
        share = (arrived * faded.conj()).real.mean() / faded.abs().square().mean()
        assert float(share) ** 2 == pytest.approx(power, rel=0.02)


@pytest.mark.parametrize(("snr_db", "rate"), [(5.0, 3.77e-2), (10.0, 7.83e-4)])
def test_bit_errors_of_two_users_on_orthogonal_axes(snr_db, rate):
    """User a sends +-1, user b +-j, each half of the power: the rate of each is Q(sqrt(SNR))."""
    slots = Slots("bits", 0, 400, 2)
    draw = draw_slots(slots, "awgn", symbols=2500, own_noise=False)
    bits = torch.randint(2, (2, 400, 2500), generator=torch.Generator().manual_seed(2)) * 2.0 - 1.0
    symbols = torch.stack([bits[0] + 0j, 1j * bits[1]]).to(torch.complex64)
    noise = draw.noise_VNK[0] * noise_amplitude(torch.full((400, 1), snr_db))
    arrived = superpose(symbols, draw.fading_UN1, noise, powers=[0.5, 0.5])
    for decided, own in zip((arrived.real, arrived.imag), bits, strict=True):
        assert float((decided * own < 0).float().mean()) == pytest.approx(rate, rel=0.1)


def test_stronger_of_two_users_on_one_axis():
    draw = draw_slots(Slots("axis", 0, 400, 2), "awgn", symbols=2500, own_noise=False)
    bits = torch.randint(2, (2, 400, 2500), generator=torch.Generator().manual_seed(2)) * 2.0 - 1.0
    noise = draw.noise_VNK[0] * noise_amplitude(torch.full((400, 1), 10.0))
    arrived = superpose(bits.to(torch.complex64), draw.fading_UN1, noise, powers=[0.8, 0.2])
    wrong = float((arrived.real * bits[0] < 0).float().mean())
    assert wrong == pytest.approx(1.14e-2, rel=0.05)


def test_draws_belong_to_slot_and_user_whatever_else_is_drawn():
    whole = draw_slots(SLOTS, "rayleigh", symbols=SYMBOLS, own_noise=True)
    part = draw_slots(Slots("a key", 40, 24, 3), "rayleigh", symbols=SYMBOLS, own_noise=True)
    torch.testing.assert_close(part.fading_UN1, whole.fading_UN1[:, 40:], rtol=0, atol=0)
    torch.testing.assert_close(part.noise_VNK, whole.noise_VNK[:, 40:], rtol=0, atol=0)
    fewer = draw_slots(Slots("a key", 0, 64, 2), "rayleigh", symbols=SYMBOLS, own_noise=False)
    torch.testing.assert_close(fewer.fading_UN1, whole.fading_UN1[:2], rtol=0, atol=0)
    assert not torch.equal(whole.noise_VNK[0], whole.noise_VNK[1])
    assert not torch.equal(whole.fading_UN1[0], whole.fading_UN1[1])
    assert fewer.noise_VNK.shape[0] == 1


def test_superposed_and_orthogonal_frames_of_a_slot_carry_equal_energy():
    joint = SemnomaArchitecture(**SMALL)
    halved = joint.model_copy(update={"users": 1, "channels": joint.channels // 2})
    images, users, snr_db = torch.rand(6, 3, 12, 12), torch.arange(6) % 2, torch.full((6,), 5.0)
    energies = []
    for architecture, power in ((joint, 0.5), (halved, 1.0)):
        encoder = SlotLink(architecture, users=2).encoder
        with torch.no_grad():
            symbols = encoder(images, users, snr_db)
        energies.append(power * symbols.abs().square().sum(dim=1))
    torch.testing.assert_close(energies[0], energies[1], rtol=1e-4, atol=0)
    assert 2 * halved.symbols == joint.symbols
