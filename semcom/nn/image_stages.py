"""One resolution of an image network: ConvNeXt blocks, an AF module, perhaps attention.

Shape legend: B batch, C channels, H height, W width, S side values.
"""

from __future__ import annotations

from torch import Tensor, nn

from semcom.nn.attention import AttentionBlock
from semcom.nn.conditioning import AttentionFeature
from semcom.nn.convnext import ConvNeXtBlock


class ImageStage(nn.Module):
    """Blocks on maps of one size, conditioned on the channel's state at the end."""

    def __init__(
        self,
        channels: int,
        *,
        blocks: int,
        side_values: int,
        fusion: tuple[int, ...],
        attention: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ConvNeXtBlock(channels) for _ in range(blocks)))
        hidden = tuple(factor * channels for factor in fusion)
        self.feature = AttentionFeature(channels, side_values=side_values, hidden=hidden)
        self.attention = AttentionBlock(channels) if attention else nn.Identity()

    def forward(self, x_BCHW: Tensor, side_BS: Tensor) -> Tensor:
        """(B, C, H, W), (B, S) -> (B, C, H, W)."""
        out: Tensor = self.attention(self.feature(self.blocks(x_BCHW), side_BS))
        return out
