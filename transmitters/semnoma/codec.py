"""The transmitting half of a codec of the family `semnoma`.

    images uint8 (N, H, W, 3) -> 0..1 -> ImageEncoder(plane, SNR) -> z (N, K) complex64

Shape legend: N images of a frame, H height, W width, K complex symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import parse_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError
from semcom.families.semnoma import SemnomaCodecArchitecture
from semcom.nn.single_items import each_alone
from semcom.nn.weights import load_arrays
from semcom.probe import SNR_DB, probe_transmitter
from semcom.settings import Engine
from transmitters.semnoma.encoder import ImageEncoder

Symbols = npt.NDArray[np.complex64]


class SemnomaTransmitter:
    """The encoder of all users of a slot, or of the only one of a plain link."""

    def __init__(self, name: str, encoder: ImageEncoder) -> None:
        self._name = name
        self._encoder = encoder

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> Symbols:
        """Encode one frame of a plain link: images uint8 (N, H, W, 3) -> complex64 (N, K).

        Raises:
            CheckpointError: the codec is for slots of several users, or does not accept such
                images.
        """
        users = self._encoder.architecture.users
        if users > 1:
            raise CheckpointError(
                f"codec {self._name} is for slots of {users} users, not for a plain link"
            )
        return self.encode_as(items, user=0, snr_db=snr_db)

    def as_user(self, user: int) -> SemnomaUser:
        """Return the half of one user.

        Raises:
            CheckpointError: there is no such user.
        """
        users = self._encoder.architecture.users
        if not 0 <= user < users:
            raise CheckpointError(f"codec {self._name} has {users} users, and no user {user}")
        return SemnomaUser(self, user)

    def encode_as(self, items: npt.NDArray[Any], *, user: int, snr_db: float) -> Symbols:
        """Encode one frame of a user: images uint8 (N, H, W, 3) -> complex64 (N, K).

        Each image is encoded in a separate forward pass, so no codeword depends on its frame.

        Raises:
            CheckpointError: the codec does not accept images of this size.
        """
        taken = self._encoder.architecture.item
        if items.shape[1:] != taken:
            given, wanted = (" x ".join(map(str, each)) for each in (items.shape[1:], taken))
            raise CheckpointError(f"codec {self._name} takes images of {wanted}, not {given}")
        with torch.inference_mode():
            pixels = torch.from_numpy(np.array(items)).permute(0, 3, 1, 2).float() / 255.0
            users_N = torch.full((len(pixels),), user)
            snr_db_N = torch.full((len(pixels),), snr_db)
            symbols_NK = each_alone(self._encoder, pixels, users_N, snr_db_N)
        symbols: Symbols = symbols_NK.numpy()
        return symbols


@dataclass(frozen=True)
class SemnomaUser:
    """One user of a slot."""

    transmitter: SemnomaTransmitter
    user: int

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> Symbols:
        """Encode one frame: images uint8 (N, H, W, 3) -> complex64 (N, K)."""
        return self.transmitter.encode_as(items, user=self.user, snr_db=snr_db)


def load_transmitter(checkpoint: Checkpoint, engine: Engine, threads: int) -> SemnomaTransmitter:
    """Load the transmitting half, ready for service.

    Raises:
        CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
    """
    del engine  # it is torch: see the family
    torch.set_num_threads(threads)
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    arrays = parse_arrays(checkpoint.read_half("transmitter"))
    architecture = SemnomaCodecArchitecture.model_validate(manifest.architecture)
    encoder = ImageEncoder(architecture)
    load_arrays({"encoder": encoder}, arrays)
    encoder.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    codec = SemnomaTransmitter(checkpoint.folder.name, encoder)
    for user in range(architecture.users):
        encode = partial(codec.as_user(user).encode, snr_db=SNR_DB)
        probe_transmitter(checkpoint, encode, image=architecture.item)
    return codec
