"""CAT channel encoder, section III-B, and the plain one of the JSCC baselines.

Shape legend: B batch, D feature width, c real dimensions, K complex symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.architecture import ChannelCodecArchitecture
from semcom.nn.blocks import OneTokenTransformerBlock, SnrCode
from semcom.nn.symbols import normalize_increments, normalize_power, reals_to_symbols


class ChannelEncoder(nn.Module):
    """z = f_theta_c(h), eq. (2): features -> one codeword of unit mean power per image.

        h (B, D) -> transformer block -> linear D -> c -> power normalisation -> z (B, K)

    With `tx_csi` the code of the SNR is added to the feature first (off in the paper as written).
    With `increments`, each has unit mean power, so any leading ones are a codeword.
    """

    def __init__(self, architecture: ChannelCodecArchitecture) -> None:
        super().__init__()
        dim = architecture.feature_dim
        self.block = OneTokenTransformerBlock(dim=dim, ffn_dim=architecture.ffn_dim)
        self.reduce = nn.Linear(dim, architecture.codeword_dim)
        self.snr_code = SnrCode(dim) if architecture.tx_csi else None
        self.increments = architecture.increments

    def forward(self, features_BD: Tensor, snr_db_B: Tensor | None = None) -> Tensor:
        """Features (B, D) -> symbols (B, K) complex64; `snr_db_B` only with `tx_csi`."""
        if self.snr_code is not None:
            assert snr_db_B is not None, "this codec's transmitter needs the SNR (tx_csi)"
            features_BD = features_BD + self.snr_code(snr_db_B)
        # The channel checks the power, so it is normalised in float32 even under autocast.
        codeword_Bc = self.reduce(self.block(features_BD)).to(torch.float32)
        if self.increments is not None:
            return reals_to_symbols(normalize_increments(codeword_Bc, self.increments))
        return reals_to_symbols(normalize_power(codeword_Bc))


class DirectChannelEncoder(nn.Module):
    """Encoder of the JSCC baselines: sends the power-normalised feature itself (c = D)."""

    def forward(self, features_BD: Tensor, snr_db_B: Tensor | None = None) -> Tensor:
        """Features (B, D) -> symbols (B, ceil(D / 2)) complex64; the SNR is not used."""
        del snr_db_B
        return reals_to_symbols(normalize_power(features_BD.to(torch.float32)))


def make_channel_encoder(architecture: ChannelCodecArchitecture) -> nn.Module:
    """Return the channel encoder of the codec's system."""
    return DirectChannelEncoder() if architecture.is_direct else ChannelEncoder(architecture)
