"""The link in training: both halves of the codec around the deployed channel.

Shape legend: B batch, K complex symbols, D feature width, T classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from channel_sim.channels import apply_channel, with_line_of_sight
from channel_sim.noise import complex_normals, stream_key
from receiver.codec import ReceiverCodec
from receiver.equalizer import equalize
from semcom.architecture import CodecArchitecture
from semcom.points import ChannelSettings
from transmitters.codec import TransmitterCodec


@dataclass(frozen=True)
class LinkOutput:
    """features_BD h, recovered_BD h~, logits_BT y^."""

    features_BD: Tensor
    recovered_BD: Tensor
    logits_BT: Tensor


@dataclass(frozen=True)
class Conditions:
    """The conditions of a batch: SNRs (B,) in dB, the channel, and the key of its draws.

    `come_B`: number of the last sent increment of each ordered codeword, from 0.
    """

    snr_db_B: Tensor
    channel: ChannelSettings
    key: str
    first: int = 0
    come_B: Tensor | None = None


class TrainingLink(nn.Module):
    """Encoder, channel encoder, channel, equaliser, decoder and head, end to end."""

    def __init__(self, architecture: CodecArchitecture) -> None:
        super().__init__()
        self.transmitter = TransmitterCodec(architecture)
        self.receiver = ReceiverCodec(architecture)
        self.parts = nn.ModuleDict({**self.transmitter.modules, **self.receiver.modules})
        self.increments = len(architecture.channel.increments or ())
        self._lengths = torch.tensor(architecture.channel.lengths)

    def forward(self, images_B3SS: Tensor, conditions: Conditions) -> LinkOutput:
        """Encode a batch of prepared images and send it."""
        return self.send(self.transmitter.encoder(images_B3SS), conditions)

    def send(self, features_BD: Tensor, conditions: Conditions) -> LinkOutput:
        """Send a batch through one channel draw, with perfect CSI and one fade per image.

        The images have numbers from `first` on in the draw of `key`. The channel's equaliser
        compensates fading; without fading there is none.
        """
        device = features_BD.device
        snr_db_B = conditions.snr_db_B.to(next(self.parameters()))  # features may be in bf16
        symbols_BK = self.transmitter.channel_encoder(features_BD, snr_db_B)
        equalized_BK = through_channel(symbols_BK, snr_db_B, conditions)
        come_B = conditions.come_B
        used_B = None if come_B is None else self._lengths[come_B].to(device)
        if used_B is not None:
            sent_BK = torch.arange(equalized_BK.shape[1], device=device) < used_B.unsqueeze(1)
            equalized_BK = torch.where(sent_BK, equalized_BK, torch.zeros_like(equalized_BK))
        recovered_BD, logits_BT = self.receiver.forward(equalized_BK, snr_db_B, used_B)
        return LinkOutput(features_BD, recovered_BD, logits_BT)


def through_channel(symbols_BK: Tensor, snr_db_B: Tensor, conditions: Conditions) -> Tensor:
    """Send codewords through one draw of the channel, and equalise them.

    `snr_db_B` are those of the conditions, where the networks are.
    """
    channel = conditions.channel
    drawn = unit_draw(symbols_BK.shape, channel=channel, key=conditions.key, first=conditions.first)
    fading_B1, noise_BK = (value.to(symbols_BK.device, non_blocking=True) for value in drawn)
    amplitude_B1 = torch.pow(10.0, -snr_db_B / 20.0).unsqueeze(1)
    noise_BK = noise_BK * amplitude_B1
    real, imag = apply_channel(parts(symbols_BK), parts(fading_B1), parts(noise_BK))
    return equalize(
        torch.complex(real, imag),
        fading_B1,
        method="zero_forcing" if channel.model == "awgn" else channel.equalizer,
        noise_power=amplitude_B1.square(),
    )


def parts(symbols: Tensor) -> tuple[Tensor, Tensor]:
    return symbols.real, symbols.imag


def unit_draw(
    shape: torch.Size, *, channel: ChannelSettings, key: str, first: int = 0
) -> tuple[Tensor, Tensor]:
    """Return fading (B, 1) and noise (B, K) of unit power, drawn as in the channel process."""
    batch, symbols = shape
    noise = complex_normals(
        stream_key(seed=0, link="training", point=key, purpose="noise"),
        first_item=first,
        items=batch,
        per_item=symbols,
    )
    fading = np.ones((batch, 1), dtype=np.complex64)
    if channel.model != "awgn":
        scattered = complex_normals(
            stream_key(seed=0, link="training", point=key, purpose="fading"),
            first_item=first,
            items=batch,
            per_item=1,
        )
        fading = with_line_of_sight(channel, scattered)
    return torch.from_numpy(fading), torch.from_numpy(noise)
