"""The image decoder of the family `semnoma`: one network for each user of a slot.

Shape legend: N images, S side values, C channels of the feature, D channels after a pixel shuffle,
H height, W width, h = H / 4, w = W / 4.
"""

from __future__ import annotations

from torch import Tensor, nn

from semcom.families.semnoma import SemnomaArchitecture
from semcom.nn.convnext import ChannelNorm
from semcom.nn.image_stages import ImageStage


class ImageDecoder(nn.Module):
    """Received feature and channel state -> pixels.

        1x1, norm | stage, norm, 3x3 to 4 D, pixel shuffle | the same once more | 1x1 to RGB

    `head` ends after the first pixel shuffle, where a student's feature can be passed to the `tail`
    of a teacher.
    """

    def __init__(self, architecture: SemnomaArchitecture) -> None:
        super().__init__()
        wide, deep = architecture.widths
        self.input = nn.Conv2d(architecture.channels, deep, 1)
        self.enter = ChannelNorm(deep)
        sizes = list(zip((deep, wide), reversed(architecture.blocks), strict=True))
        self.stages = nn.ModuleList(
            ImageStage(
                channels,
                blocks=blocks,
                side_values=architecture.decoder_side_values,
                fusion=architecture.fusion,
                attention=architecture.attention,
            )
            for channels, blocks in sizes
        )
        self.grow = nn.ModuleList(
            nn.Sequential(
                ChannelNorm(channels),
                nn.Conv2d(channels, 4 * wide, 3, padding=1),
                nn.PixelShuffle(2),
            )
            for channels, _ in sizes
        )
        self.output = nn.Conv2d(wide, architecture.item[2], 1)

    def forward(self, received_NChw: Tensor, side_NS: Tensor) -> Tensor:
        """(N, C, h, w), (N, S) -> pixels (N, 3, H, W), 0..1 after clipping by the task."""
        return self.tail(self.head(received_NChw, side_NS), side_NS)

    def head(self, received_NChw: Tensor, side_NS: Tensor) -> Tensor:
        """(N, C, h, w), (N, S) -> (N, D, 2 h, 2 w)."""
        x = self.enter(self.input(received_NChw))
        out: Tensor = self.grow[0](self.stages[0](x, side_NS))
        return out

    def tail(self, middle_NDhw: Tensor, side_NS: Tensor) -> Tensor:
        """(N, D, 2 h, 2 w), (N, S) -> pixels (N, 3, H, W)."""
        pixels: Tensor = self.output(self.grow[1](self.stages[1](middle_NDhw, side_NS)))
        return pixels
