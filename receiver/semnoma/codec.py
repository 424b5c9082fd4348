"""The receiving half of a codec of the family `semnoma`.

    y (N, K), gains (N, U), SNR (N,) -> received feature and side values of each user
                                     -> its ImageDecoder -> optional Refiner
                                     -> pixels (U, N, H, W, 3)

Shape legend: N slots or images of a frame, K complex symbols, M columns of channel state, U users,
H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from receiver.equalizer import effective_csi
from receiver.semnoma.decoder import ImageDecoder
from receiver.semnoma.gains import received_feature, side_values
from receiver.semnoma.refinement import keyed_noise, make_refiner
from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import parse_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError
from semcom.families.semnoma import SemnomaCodecArchitecture
from semcom.item_keys import ItemKey, keys_of_frame
from semcom.nn.single_items import each_alone
from semcom.nn.weights import load_arrays
from semcom.points import EqualizerMethod
from semcom.probe import probe_receiver
from semcom.settings import Engine

Symbols = npt.NDArray[np.complex64]
Pixels = npt.NDArray[np.float32]


class SemnomaReceiver:
    """A decoder for each user of a slot, or for the only one of a plain link.

    Each item is decoded and refined in separate forward passes, so no pixel depends on other items.
    """

    def __init__(self, name: str, architecture: SemnomaCodecArchitecture, device: str) -> None:
        self.architecture = architecture
        self.decoders = nn.ModuleList(ImageDecoder(architecture) for _ in range(architecture.users))
        refinement = architecture.refinement
        self.refiner = None if refinement is None else make_refiner(refinement)
        self._name = name
        self._device = torch.device(device)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The modules by their names in a checkpoint."""
        refiner = {} if self.refiner is None else {"refiner": self.refiner}
        return {"decoders": self.decoders, **refiner}

    @property
    def draws(self) -> bool:
        """Return whether images are refined with noise, which is keyed by their items."""
        return self.refiner is not None and self.refiner.draws

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
        keys_N: Sequence[ItemKey] | None = None,
    ) -> Pixels:
        """Decode a frame of a plain link: complex64 (N, K) -> pixels float32 (N, H, W, 3).

        The networks equalise: the phase of the received symbols is corrected, and the networks get
        the magnitude of the gain. With several columns of channel state, they get the effective
        gain; with one for every symbol, each symbol's phase is corrected.

        Raises:
            CheckpointError: the codec is for slots of several users, or it draws noise and no keys
                are given.
        """
        del equalizer
        if self.architecture.users > 1:
            raise CheckpointError(
                f"codec {self._name} is for slots of {self.architecture.users} users, not for a "
                "plain link"
            )
        received = torch.from_numpy(received_NK)
        gains_N1 = None
        if csi_NM is not None:
            csi = torch.from_numpy(csi_NM)
            if csi.shape[1] == received.shape[1] > 1:
                received = received * torch.exp(-1j * csi.angle())
            gains_N1 = effective_csi(csi)
        keys = None if keys_N is None else [keys_N]
        pixels: Pixels = self._decode(received, gains_N1, snr_db_N, keys)[0]
        return pixels

    def decode_users(
        self,
        received_NK: Symbols,
        csi_NU: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        keys_UN: Sequence[Sequence[ItemKey]] | None = None,
    ) -> Pixels:
        """Decode slots: complex64 (N, K) -> each user's images, float32 (U, N, H, W, 3).

        Raises:
            CheckpointError: the number of gains is not the codec's number of users, or it draws
                noise and no keys are given.
        """
        gains = None if csi_NU is None else torch.from_numpy(csi_NU)
        users = self.architecture.users
        if gains is not None and gains.shape[1] != users:
            raise CheckpointError(
                f"codec {self._name} is for slots of {users} users, not of {gains.shape[1]}"
            )
        return self._decode(torch.from_numpy(received_NK), gains, snr_db_N, keys_UN)

    def _decode(
        self,
        received_NK: Tensor,
        gains_NU: Tensor | None,
        snr_db_N: npt.NDArray[np.float32],
        keys_UN: Sequence[Sequence[ItemKey]] | None,
    ) -> Pixels:
        if self.draws and keys_UN is None:
            raise CheckpointError(
                f"codec {self._name} draws noise at the receiver; give the keys of the items"
            )
        if gains_NU is None:
            users = self.architecture.users
            gains_NU = torch.ones((len(received_NK), users), dtype=torch.complex64)
        snr_db = torch.from_numpy(snr_db_N).to(self._device)
        received, gains = received_NK.to(self._device), gains_NU.to(self._device)
        with torch.inference_mode():
            images = [
                self._images(user, received, gains, snr_db, *self._noise(user, keys_UN))
                for user in range(len(self.decoders))
            ]
            pixels: Pixels = torch.stack(images).permute(0, 1, 3, 4, 2).cpu().numpy()
        return pixels

    def _noise(self, user: int, keys_UN: Sequence[Sequence[ItemKey]] | None) -> list[Tensor]:
        """Return the noise for a user's images, if they are refined with noise."""
        if not self.draws:
            return []
        assert keys_UN is not None
        height, width, _ = self.architecture.item
        return [keyed_noise(keys_UN[user], height=height, width=width).to(self._device)]

    def _images(self, user: int, *inputs_N: Tensor) -> Tensor:
        """Received symbols, gains, SNRs, optional noise -> images of a user."""
        decoder, refiner = self.decoders[user], self.refiner

        def forward(
            received_1K: Tensor, gains_1U: Tensor, snr_db_1: Tensor, *noise_13HW: Tensor
        ) -> Tensor:
            feature = received_feature(self.architecture, received_1K, gains_1U, user=user)
            side = side_values(self.architecture, gains_1U, snr_db_1, user=user)
            image: Tensor = decoder(feature, side)
            if refiner is not None:
                image = refiner(image, snr_db_1, *noise_13HW or (None,))
            return image

        return each_alone(forward, *inputs_N)


def load_receiver(
    checkpoint: Checkpoint, engine: Engine, device: str, threads: int
) -> SemnomaReceiver:
    """Load the receiving half, ready for use on `device`; it uses the process's threads.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
    """
    del threads, engine  # it is torch: see the family
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    arrays = parse_arrays(checkpoint.read_half("receiver"))
    architecture = SemnomaCodecArchitecture.model_validate(manifest.architecture)
    codec = SemnomaReceiver(checkpoint.folder.name, architecture, device)
    load_arrays(codec.modules, arrays)
    for module in codec.modules.values():
        module.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)
    for user in range(architecture.users):
        probe_receiver(checkpoint, partial(_decoded_of, codec, user))
    return codec


def _decoded_of(
    codec: SemnomaReceiver, user: int, symbols_NK: Symbols, snr_db_N: npt.NDArray[np.float32]
) -> Pixels:
    keys = keys_of_frame(0, "probe", first=0, count=len(symbols_NK))
    users = codec.architecture.users
    decoded = codec.decode_users(symbols_NK, None, snr_db_N=snr_db_N, keys_UN=[keys] * users)
    pixels: Pixels = decoded[user]
    return pixels
