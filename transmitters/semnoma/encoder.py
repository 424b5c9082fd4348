"""The image encoder of the family `semnoma`: one network for all users of a slot.

Shape legend: N images, H height, W width, U users, S side values, C channels of the feature,
h = H / 4, w = W / 4, K complex symbols.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semcom.families.semnoma import SemnomaArchitecture
from semcom.nn.convnext import ChannelNorm
from semcom.nn.image_stages import ImageStage
from semcom.nn.symbols import normalize_power, reals_to_symbols

PLANE_SPREAD = 0.5  # initial scale of the planes: about that of pixels
SNR_SCALE_DB = 20.0


class ImageEncoder(nn.Module):
    """Images and the plane of their user -> codewords of unit mean power.

        RGB + plane -> 4x4 stride 2, norm, stage | norm, 2x2 stride 2, stage | norm, 1x1 -> power

    The planes are learnt, one per user, and distinguish the users of a slot. `planes` is their
    number if it differs from the architecture's: a teacher is trained for all U users.
    """

    def __init__(self, architecture: SemnomaArchitecture, *, planes: int | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        (height, width, colours), (wide, deep) = architecture.item, architecture.widths
        users = architecture.users if planes is None else planes
        self.planes = nn.Parameter(PLANE_SPREAD * torch.randn(users, 1, height, width))
        self.shrink = nn.ModuleList(
            [
                nn.Conv2d(colours + 1, wide, 4, stride=2, padding=1),
                nn.Conv2d(wide, deep, 2, stride=2),
            ]
        )
        self.enter = nn.ModuleList([ChannelNorm(wide), ChannelNorm(wide)])
        self.stages = nn.ModuleList(
            ImageStage(
                channels,
                blocks=blocks,
                side_values=architecture.encoder_side_values,
                fusion=architecture.fusion,
                attention=architecture.attention,
            )
            for channels, blocks in zip(architecture.widths, architecture.blocks, strict=True)
        )
        self.leave = ChannelNorm(deep)
        self.output = nn.Conv2d(deep, architecture.channels, 1)

    def forward(self, images_N3HW: Tensor, users_N: Tensor, snr_db_N: Tensor) -> Tensor:
        """Pixels of 0..1, users' numbers int64 and SNRs in dB -> symbols (N, K) complex64."""
        side_NS = self._side_values(snr_db_N)
        x = torch.cat([images_N3HW, self.planes[users_N]], dim=1)
        x = self.stages[0](self.enter[0](self.shrink[0](x)), side_NS)
        x = self.stages[1](self.shrink[1](self.enter[1](x)), side_NS)
        feature_NChw = self.output(self.leave(x))
        # The channel checks the power, so it is normalised in float32 even under autocast.
        return reals_to_symbols(normalize_power(feature_NChw.flatten(1).to(torch.float32)))

    def _side_values(self, snr_db_N: Tensor) -> Tensor:
        """Return SNR / 20 and, as published, a gain, which is set to no fading."""
        snr_N = snr_db_N.clamp(*self.architecture.snr_db) / SNR_SCALE_DB
        if self.architecture.csi == "aligned":
            return snr_N[:, None]
        return torch.stack([snr_N, torch.ones_like(snr_N), torch.zeros_like(snr_N)], dim=1)
