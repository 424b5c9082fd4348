"""Slots in training: the draws, and the received sum.

    y = ((sqrt(p_a) (h_a x_a)) + (sqrt(p_b) (h_b x_b)) + ...) + n, users in ascending order

in float32, each operation rounded separately, as in the channel process.

Shape legend: U users, N slots, K complex symbols, V as U or 1 (one for all users).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from channel_sim.noise import complex_normals, stream_key
from orchestrator.training.semnoma.settings import SlotChannel

LINK = "training"


@dataclass(frozen=True)
class SlotDraw:
    """fading_UN1 of each user, and noise_VNK of unit power, all complex64."""

    fading_UN1: Tensor
    noise_VNK: Tensor

    def to(self, device: torch.device) -> SlotDraw:
        """Return a copy on a device."""
        return SlotDraw(
            self.fading_UN1.to(device, non_blocking=True),
            self.noise_VNK.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class Slots:
    """`count` slots of `users` users, from `first` on, of those with the key `key`."""

    key: str
    first: int
    count: int
    users: int


def draw_slots(slots: Slots, channel: SlotChannel, *, symbols: int, own_noise: bool) -> SlotDraw:
    """Draw fading and noise, keyed by slot and user, never by batch or rank.

    `own_noise`: users do not share the slot, and each has its own noise.
    """

    def draw(link: str, purpose: str, per_item: int) -> Tensor:
        key = stream_key(seed=0, link=link, point=slots.key, purpose=purpose)
        drawn = complex_normals(key, first_item=slots.first, items=slots.count, per_item=per_item)
        return torch.from_numpy(drawn)

    links = [f"{LINK}/{user}" for user in range(slots.users)]
    fading_UN1 = torch.ones((slots.users, slots.count, 1), dtype=torch.complex64)
    if channel == "rayleigh":
        fading_UN1 = torch.stack([draw(link, "fading", 1) for link in links])
    noisy = links if own_noise else [LINK]
    noise_VNK = torch.stack([draw(link, "noise", symbols) for link in noisy])
    return SlotDraw(fading_UN1, noise_VNK)


def superpose(
    symbols_UNK: Tensor, fading_UN1: Tensor, noise_NK: Tensor, *, powers: Sequence[float]
) -> Tensor:
    """Return the received sum: complex64 (U, N, K), (U, N, 1), (N, K) -> complex64 (N, K)."""
    arriving = [
        _faded(symbols_NK, fading_N1, power)
        for symbols_NK, fading_N1, power in zip(symbols_UNK, fading_UN1, powers, strict=True)
    ]
    real, imag = arriving[0]
    for other_real, other_imag in arriving[1:]:
        real, imag = real + other_real, imag + other_imag
    return torch.complex(real + noise_NK.real, imag + noise_NK.imag)


def _faded(symbols_NK: Tensor, fading_N1: Tensor, power: float) -> tuple[Tensor, Tensor]:
    """sqrt(p) (h x), as real and imaginary parts."""
    amplitude = float(np.sqrt(np.float32(power)))
    z_re, z_im, h_re, h_im = symbols_NK.real, symbols_NK.imag, fading_N1.real, fading_N1.imag
    real, imag = h_re * z_re - h_im * z_im, h_re * z_im + h_im * z_re
    return amplitude * real, amplitude * imag


def noise_amplitude(snr_db_N: Tensor) -> Tensor:
    """Return sqrt(N0) for SNRs in dB relative to a power of 1."""
    return torch.pow(10.0, -snr_db_N / 20.0)
