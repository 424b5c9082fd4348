"""The channel of a batch with its interferers: drawn once, applied to any codewords.

    y = h x + n + sum over k of a_k L_k m_k s_k        eq. (3)-(8)

s_k is the codeword of another sentence of the batch by the same encoder, delayed, without gradient.

Shape legend: B sentences, K symbols, I interferers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from channel_sim.channels import apply_channel
from channel_sim.noise import complex_normals, stream_key
from orchestrator.training.kd_semcom.data import SentenceBatch
from orchestrator.training.kd_semcom.settings import TextChannelSettings
from orchestrator.training.training_link import parts, unit_draw
from receiver.equalizer import equalize
from semcom.families.kd_semcom import SYMBOLS_PER_TOKEN
from semcom.points import ChannelSettings


@dataclass(frozen=True)
class Meeting:
    """One interferer of every sentence: its gain_B1 a m, or 0, its active symbols and its codeword.

    places_BK is the symbol of the other codeword at each symbol; on_BK whether there is one.
    """

    gain_B1: Tensor
    on_BK: Tensor
    places_BK: Tensor
    shift: int


@dataclass(frozen=True)
class TextDraw:
    """One draw of fading_B1, noise_BK and interferers; sent_BK marks the symbols that are sent."""

    fading_B1: Tensor
    noise_BK: Tensor
    sent_BK: Tensor
    meetings: tuple[Meeting, ...]

    def received(self, symbols_BK: Tensor) -> Tensor:
        """Return received codewords, equalised by zero forcing: complex64 (B, K)."""
        real, imag = apply_channel(
            parts(symbols_BK), parts(self.fading_B1), parts(self.noise_BK * self.sent_BK)
        )
        arrived_BK = torch.complex(real, imag)
        others_BK = symbols_BK.detach()
        for meeting in self.meetings:
            other_BK = others_BK.roll(meeting.shift, dims=0).gather(1, meeting.places_BK)
            on_BK = meeting.on_BK & self.sent_BK
            arrived_BK = arrived_BK + meeting.gain_B1 * (other_BK * on_BK)
        return equalize(arrived_BK, self.fading_B1, method="zero_forcing", noise_power=0.0)


def draw(batch: SentenceBatch, settings: TextChannelSettings, device: torch.device) -> TextDraw:
    """Draw the channel of a batch from its key."""
    count = len(batch.lengths_B)
    symbols = SYMBOLS_PER_TOKEN * batch.tokens_BT.shape[1]
    channel = ChannelSettings(model=settings.fading)
    fading_B1, noise_BK = unit_draw(
        torch.Size((count, symbols)), channel=channel, key=batch.key, first=batch.first
    )
    snr_db_B = _between(settings.snr_db_low, settings.snr_db_high, batch.uniform("snr"))
    noise_BK = noise_BK * torch.pow(10.0, -snr_db_B / 20.0).unsqueeze(1)
    sent_BK = torch.arange(symbols) < (SYMBOLS_PER_TOKEN * batch.lengths_B).unsqueeze(1)
    meetings = tuple(
        _meeting(batch, settings, number, symbols) for number in range(settings.interferers)
    )
    return TextDraw(
        fading_B1.to(device),
        noise_BK.to(device),
        sent_BK.to(device),
        tuple(_moved(each, device) for each in meetings if count > 1),
    )


def _meeting(
    batch: SentenceBatch, settings: TextChannelSettings, number: int, symbols: int
) -> Meeting:
    """Return the interferer with that number, from 0."""
    count = len(batch.lengths_B)
    there_B = (batch.uniform("interferers") * (settings.interferers + 1)).floor() > number
    sir_db_B = _between(settings.sir_db_low, settings.sir_db_high, batch.uniform(f"sir:{number}"))
    gain_B1 = torch.ones(count, 1, dtype=torch.complex64)
    if settings.fading == "rayleigh":
        gains = complex_normals(
            stream_key(seed=0, link="training", point=batch.key, purpose=f"gain:{number}"),
            first_item=batch.first,
            items=count,
            per_item=1,
        )
        gain_B1 = torch.from_numpy(gains)
    amplitude_B1 = (torch.pow(10.0, -sir_db_B / 20.0) * there_B).unsqueeze(1)
    delay_B1 = (batch.uniform(f"delay:{number}", 1) * (settings.delay + 1)).long()
    places_BK = torch.arange(symbols) - delay_B1
    on_BK = batch.uniform(f"occurrence:{number}", symbols) < settings.occurrence
    on_BK &= places_BK >= 0
    return Meeting(
        gain_B1 * amplitude_B1, on_BK, places_BK.clamp_min(0), 1 + number % max(1, count - 1)
    )


def _between(low: float, high: float, share_B: Tensor) -> Tensor:
    return low + (high - low) * share_B


def _moved(meeting: Meeting, device: torch.device) -> Meeting:
    tensors = (meeting.gain_B1, meeting.on_BK, meeting.places_BK)
    gain_B1, on_BK, places_BK = (each.to(device) for each in tensors)
    return Meeting(gain_B1, on_BK, places_BK, meeting.shift)
