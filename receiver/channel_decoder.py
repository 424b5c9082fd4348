"""CAT channel decoder, section III-B, and the plain one of the JSCC baselines.

Shape legend: B batch, D feature width, c real dimensions, K complex symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.architecture import ChannelCodecArchitecture
from semcom.nn.blocks import OneTokenTransformerBlock, SnrCode
from semcom.nn.symbols import come_increments, symbols_to_reals


class ChannelDecoder(nn.Module):
    """h~ = f_phi_c(z~), eq. (4): equalised symbols and SNR -> recovered features.

    concat(z~ (B, c), g0(SNR)) -> block -> linear D -> c
    concat(   (B, c), g1(SNR)) -> block -> linear D -> D -> h~ (B, D)

    For ordered codewords, the codes also get the received increments; the remaining symbols are 0.
    """

    def __init__(self, architecture: ChannelCodecArchitecture) -> None:
        super().__init__()
        self.codeword_dim = architecture.codeword_dim
        dim = architecture.feature_dim
        self.lengths = architecture.lengths if architecture.increments else None
        code_width = dim - self.codeword_dim
        increments = len(architecture.increments or ())
        self.snr_code0 = SnrCode(code_width, increments=increments)
        self.block0 = OneTokenTransformerBlock(dim=dim, ffn_dim=architecture.ffn_dim)
        self.reduce = nn.Linear(dim, self.codeword_dim)
        self.snr_code1 = SnrCode(code_width, increments=increments)
        self.block1 = OneTokenTransformerBlock(dim=dim, ffn_dim=architecture.ffn_dim)
        self.output = nn.Linear(dim, dim)

    def forward(self, symbols_BK: Tensor, snr_db_B: Tensor, used_B: Tensor | None = None) -> Tensor:
        """Equalised symbols (B, K) complex64, SNR (B,) in dB -> features (B, D).

        `used_B`: number of received symbols of an ordered codeword; None: all.
        """
        come_BI = None
        if self.lengths is not None:
            used_B = torch.full_like(snr_db_B, self.lengths[-1]) if used_B is None else used_B
            come_BI = come_increments(used_B, self.lengths)
        codeword_Bc = symbols_to_reals(symbols_BK, self.codeword_dim)
        x_BD = self.block0(torch.cat([codeword_Bc, self.snr_code0(snr_db_B, come_BI)], dim=1))
        x_Bc = self.reduce(x_BD)
        x_BD = self.block1(torch.cat([x_Bc, self.snr_code1(snr_db_B, come_BI)], dim=1))
        features_BD: Tensor = self.output(x_BD)
        return features_BD


class DirectChannelDecoder(nn.Module):
    """Decoder of the JSCC baselines: the received reals are the feature."""

    def __init__(self, architecture: ChannelCodecArchitecture) -> None:
        super().__init__()
        self.codeword_dim = architecture.codeword_dim

    def forward(self, symbols_BK: Tensor, snr_db_B: Tensor, used_B: Tensor | None = None) -> Tensor:
        """Equalised symbols (B, K) complex64 -> features (B, D); the SNR is not used."""
        del snr_db_B, used_B
        return symbols_to_reals(symbols_BK, self.codeword_dim)


def make_channel_decoder(architecture: ChannelCodecArchitecture) -> nn.Module:
    """Return the channel decoder of the codec's system."""
    if architecture.is_direct:
        return DirectChannelDecoder(architecture)
    return ChannelDecoder(architecture)
