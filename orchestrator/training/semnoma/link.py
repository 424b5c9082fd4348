"""Both ends of a slot around its channel, from the deployed modules.

Shape legend: U users, N slots, K complex symbols, C channels of the feature, h = H / 4, w = W / 4,
D channels behind a decoder's first pixel shuffle, S side values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orchestrator.training.semnoma.slots import SlotDraw, noise_amplitude, superpose
from receiver.semnoma.decoder import ImageDecoder
from receiver.semnoma.gains import received_feature, side_values
from semcom.families.semnoma import SemnomaArchitecture
from transmitters.semnoma.encoder import ImageEncoder


@dataclass(frozen=True)
class SlotOutput:
    """Outputs for slots: received features, side values, middle maps and pixels of each user."""

    features_UNChw: Tensor
    side_UNS: Tensor
    middle_UNDhw: Tensor
    pixels_UN3HW: Tensor


class SlotLink(nn.Module):
    """An encoder for all `users`; a decoder for each if they are superposed, otherwise one for all.

    With an architecture for one user, each user sends alone at power 1: the teacher, or orthogonal
    users with fewer channels.
    """

    def __init__(self, architecture: SemnomaArchitecture, *, users: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.users = users
        self.encoder = ImageEncoder(architecture, planes=users)
        self.decoders = nn.ModuleList(ImageDecoder(architecture) for _ in range(architecture.users))

    @property
    def is_superposed(self) -> bool:
        """Return whether the users send simultaneously."""
        return self.architecture.users > 1

    def forward(self, images_UN3HW: Tensor, draw: SlotDraw, snr_db_N: Tensor) -> SlotOutput:
        """Send pixels of 0..1 through a channel draw, one image of each user per slot."""
        users, slots = images_UN3HW.shape[:2]
        numbers = torch.arange(users, device=images_UN3HW.device).repeat_interleave(slots)
        symbols = self.encoder(images_UN3HW.flatten(0, 1), numbers, snr_db_N.repeat(users))
        return self.receive(by_user(symbols, users), draw, snr_db_N)

    def receive(self, symbols_UNK: Tensor, draw: SlotDraw, snr_db_N: Tensor) -> SlotOutput:
        """Send symbols of unit power through a channel draw, and decode them."""
        draw = draw.to(symbols_UNK.device)
        noise_VNK = draw.noise_VNK * noise_amplitude(snr_db_N)[:, None]
        if self.is_superposed:
            powers = [1.0 / self.users] * self.users
            received = superpose(symbols_UNK, draw.fading_UN1, noise_VNK[0], powers=powers)
            gains_NU = draw.fading_UN1[:, :, 0].T
            parts = [
                self._decoded(decoder, received, gains_NU, snr_db_N, user)
                for user, decoder in enumerate(self.decoders)
            ]
            features, sides, middles, pixels = zip(*parts, strict=True)
            return SlotOutput(*map(torch.stack, (features, sides, middles, pixels)))
        users = len(symbols_UNK)
        noise = noise_VNK.expand(users, -1, -1).flatten(0, 1)
        fading = draw.fading_UN1.flatten(0, 1)
        received = superpose(symbols_UNK.flatten(0, 1)[None], fading[None], noise, powers=[1.0])
        parts_of_all = self._decoded(self.decoders[0], received, fading, snr_db_N.repeat(users), 0)
        return SlotOutput(*(by_user(part, users) for part in parts_of_all))

    def _decoded(
        self, decoder: nn.Module, received_NK: Tensor, gains_NU: Tensor, snr_db_N: Tensor, user: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        assert isinstance(decoder, ImageDecoder)
        feature = received_feature(self.architecture, received_NK, gains_NU, user=user)
        side = side_values(self.architecture, gains_NU, snr_db_N, user=user)
        middle = decoder.head(feature, side)
        return feature, side, middle, decoder.tail(middle, side)


def by_user(rows: Tensor, users: int) -> Tensor:
    """Return rows ordered by user with a dimension of users: (U N, ...) -> (U, N, ...)."""
    return rows.reshape(users, -1, *rows.shape[1:])


@torch.no_grad()
def start_from_teacher(student: SlotLink, teacher: SlotLink) -> None:
    """Copy the teacher's encoder to a student, and the teacher's decoder to every user.

    A student's decoder has more side values of the channel than the teacher's: weights of the
    additional ones are zero, so that both compute the same at first.
    """
    student.encoder.load_state_dict(teacher.encoder.state_dict())
    (source,) = teacher.decoders
    for decoder in student.decoders:
        for name, value in decoder.state_dict().items():
            given = source.state_dict()[name]
            if given.shape == value.shape:
                value.copy_(given)
            else:
                value.zero_()
                value[:, : given.shape[1]] = given
