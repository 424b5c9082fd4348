"""The receiving half of a codec of the family `semnoma`.

    y (N, K), gains (N, U), SNR (N,) -> received feature and side values of each user
                                     -> its ImageDecoder -> pixels (U, N, H, W, 3)

Shape legend: N slots or images of a frame, K complex symbols, M columns of channel state, U users,
H height, W width.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from receiver.equalizer import effective_csi
from receiver.semnoma.decoder import ImageDecoder
from receiver.semnoma.gains import received_feature, side_values
from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import parse_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError
from semcom.families.semnoma import SemnomaArchitecture, check_engine
from semcom.nn.single_items import each_alone
from semcom.nn.weights import load_arrays
from semcom.points import EqualizerMethod
from semcom.probe import probe_receiver
from semcom.settings import Engine

Symbols = npt.NDArray[np.complex64]
Pixels = npt.NDArray[np.float32]


class SemnomaReceiver:
    """A decoder for each user of a slot, or for the only one of a plain link.

    Each item is decoded in a forward pass of its own: no pixel depends on other items.
    """

    def __init__(self, name: str, architecture: SemnomaArchitecture, device: str) -> None:
        self.architecture = architecture
        self.decoders = nn.ModuleList(ImageDecoder(architecture) for _ in range(architecture.users))
        self._name = name
        self._device = torch.device(device)

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
    ) -> Pixels:
        """Decode a frame of a plain link: complex64 (N, K) -> pixels float32 (N, H, W, 3).

        The networks equalise: a gain turns what is received, and they know its size. Of channel
        state of several columns they know the effective gain, or, where there is one for every
        symbol, turn each symbol by its own.

        Raises:
            CheckpointError: the codec is of slots of several users.
        """
        del equalizer
        if self.architecture.users > 1:
            raise CheckpointError(
                f"codec {self._name} is of slots of {self.architecture.users} users, not of a "
                "plain link"
            )
        received = torch.from_numpy(received_NK)
        gains_N1 = None
        if csi_NM is not None:
            csi = torch.from_numpy(csi_NM)
            if csi.shape[1] == received.shape[1] > 1:
                received = received * torch.exp(-1j * csi.angle())
            gains_N1 = effective_csi(csi)
        pixels: Pixels = self._decode(received, gains_N1, snr_db_N)[0]
        return pixels

    def decode_users(
        self,
        received_NK: Symbols,
        csi_NU: Symbols | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
    ) -> Pixels:
        """Decode slots: complex64 (N, K) -> what each user sent, float32 (U, N, H, W, 3).

        Raises:
            CheckpointError: gains of another number of users than the codec has.
        """
        gains = None if csi_NU is None else torch.from_numpy(csi_NU)
        users = self.architecture.users
        if gains is not None and gains.shape[1] != users:
            raise CheckpointError(
                f"codec {self._name} is of slots of {users} users, not of {gains.shape[1]}"
            )
        return self._decode(torch.from_numpy(received_NK), gains, snr_db_N)

    def _decode(
        self, received_NK: Tensor, gains_NU: Tensor | None, snr_db_N: npt.NDArray[np.float32]
    ) -> Pixels:
        if gains_NU is None:
            users = self.architecture.users
            gains_NU = torch.ones((len(received_NK), users), dtype=torch.complex64)
        snr_db = torch.from_numpy(snr_db_N).to(self._device)
        received, gains = received_NK.to(self._device), gains_NU.to(self._device)
        with torch.inference_mode():
            images = [
                self._images(decoder, received, gains, snr_db, user)
                for user, decoder in enumerate(self.decoders)
            ]
            pixels: Pixels = torch.stack(images).permute(0, 1, 3, 4, 2).cpu().numpy()
        return pixels

    def _images(
        self, decoder: nn.Module, received_NK: Tensor, gains_NU: Tensor, snr_db_N: Tensor, user: int
    ) -> Tensor:
        def forward(received_1K: Tensor, gains_1U: Tensor, snr_db_1: Tensor) -> Tensor:
            feature = received_feature(self.architecture, received_1K, gains_1U, user=user)
            side = side_values(self.architecture, gains_1U, snr_db_1, user=user)
            image: Tensor = decoder(feature, side)
            return image

        return each_alone(forward, received_NK, gains_NU, snr_db_N)


def load_receiver(
    checkpoint: Checkpoint, engine: Engine, device: str, threads: int
) -> SemnomaReceiver:
    """Load the receiving half, ready for service on `device`; threads are those of the process.

    Raises:
        CheckpointError: weights that are damaged, do not fit, or compute nothing useful.
        ConfigurationError: another engine than torch is asked for.
    """
    del threads
    check_engine(checkpoint.folder.name, engine, setting="receiver_engine")
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    arrays = parse_arrays(checkpoint.read_half("receiver"))
    architecture = SemnomaArchitecture.model_validate(manifest.architecture)
    codec = SemnomaReceiver(checkpoint.folder.name, architecture, device)
    load_arrays({"decoders": codec.decoders}, arrays)
    codec.decoders.eval().requires_grad_(False)
    codec.decoders.to(device).to(memory_format=torch.channels_last)
    for user in range(architecture.users):
        probe_receiver(checkpoint, partial(_decoded_of, codec, user))
    return codec


def _decoded_of(
    codec: SemnomaReceiver, user: int, symbols_NK: Symbols, snr_db_N: npt.NDArray[np.float32]
) -> Pixels:
    pixels: Pixels = codec.decode_users(symbols_NK, None, snr_db_N=snr_db_N)[user]
    return pixels
