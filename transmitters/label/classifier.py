"""The classifier of a transmitter: a codec's decoder and head without noise.

Shape legend: N images, D feature width, c reals of a codeword, T classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.architecture import CodecArchitecture
from semcom.families.label import stage_widths
from semcom.nn.blocks import OneTokenTransformerBlock


class ClassifierStage(nn.Module):
    """concat(x, code) (N, D) -> block -> linear; the code is that of a noise-free SNR."""

    def __init__(self, *, inputs: int, outputs: int, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.zeros(dim - inputs))
        self.block = OneTokenTransformerBlock(dim=dim, ffn_dim=ffn_dim)
        self.linear = nn.Linear(dim, outputs)

    def forward(self, x_NI: Tensor) -> Tensor:
        """(N, inputs) -> (N, outputs)."""
        x_ND = torch.cat([x_NI, self.code.expand(len(x_NI), -1)], dim=1)
        out: Tensor = self.linear(self.block(x_ND))
        return out


class Classifier(nn.Module):
    """Codeword (N, c) -> logits (N, T)."""

    def __init__(self, source: CodecArchitecture) -> None:
        super().__init__()
        channel = source.channel
        self.stages = nn.Sequential(
            *(
                ClassifierStage(
                    inputs=inputs, outputs=outputs, dim=channel.feature_dim, ffn_dim=channel.ffn_dim
                )
                for inputs, outputs in stage_widths(channel)
            )
        )
        self.linear = nn.Linear(channel.feature_dim, source.classes)

    def forward(self, codeword_Nc: Tensor) -> Tensor:
        """(N, c) -> (N, T)."""
        logits_NT: Tensor = self.linear(self.stages(codeword_Nc))
        return logits_NT
