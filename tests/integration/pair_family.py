"""A family of codecs for slots that needs no torch, so that its processes start soon.

Each of U users sends a thumbnail of its image on every U-th symbol. `pair_place.py` installs it.
Run as a program, this writes a codec into the folder that is named.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_manifest import FamilyManifest
from semcom.families import Family
from semcom.tasks.reconstruction import Reconstruction

USERS, SIDE, BLOCK = 2, 32, 4
SMALL = SIDE // BLOCK
OWN_SYMBOLS = 3 * SMALL * SMALL // 2
AMPLITUDE = 0.25  # of the pixels around their middle, whatever the image


class PairArchitecture(BaseModel):
    """A codec of this family has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Transmitter:
    """Pools, centres, scales to unit power on the user's symbols."""

    def __init__(self, user: int | None = None) -> None:
        self._user = user

    def as_user(self, user: int) -> Transmitter:
        """Return what one of the users sends with."""
        return Transmitter(user)

    def encode(self, items: Any, *, snr_db: float) -> Any:
        """Encode uint8 (N, S, S, 3) -> complex64 (N, K)."""
        del snr_db
        count = len(items)
        blocks = items.astype(np.float32).reshape(count, SMALL, BLOCK, SMALL, BLOCK, 3)
        reals = (blocks.mean(axis=(2, 4)).reshape(count, -1) / np.float32(255) - 0.5) / AMPLITUDE
        reals /= np.maximum(1.0, np.sqrt(2 * np.square(reals).mean(axis=1, keepdims=True)))
        symbols = np.zeros((count, USERS * OWN_SYMBOLS), dtype=np.complex64)
        own = np.ascontiguousarray(reals, dtype=np.float32).view(np.complex64)
        symbols[:, self._user or 0 :: USERS] = own
        return symbols


class Receiver:
    """Takes each user's symbols, undoes its gain, repeats the pixels."""

    def decode(self, received_NK: Any, csi_NM: Any, *, snr_db_N: Any, equalizer: str) -> Any:
        """Decode a plain frame, sent as by the first user."""
        del equalizer
        gains_NU = None if csi_NM is None else csi_NM.repeat(USERS, axis=1)
        return self.decode_users(received_NK, gains_NU, snr_db_N=snr_db_N)[0]

    def decode_users(self, received_NK: Any, csi_NU: Any, *, snr_db_N: Any) -> Any:
        """Decode slots: complex64 (N, K) -> float32 (U, N, S, S, 3)."""
        del snr_db_N
        images = []
        for user in range(USERS):
            own = received_NK[:, user::USERS]
            if csi_NU is not None:
                own = own / csi_NU[:, user : user + 1]
            reals = np.ascontiguousarray(own, dtype=np.complex64).view(np.float32)
            small = (reals * np.float32(AMPLITUDE) + 0.5).reshape(-1, SMALL, SMALL, 3)
            images.append(small.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2))
        return np.stack(images).astype(np.float32)


def load_transmitter(checkpoint: Checkpoint, engine: str, threads: int) -> Transmitter:
    """Load the transmitting half."""
    del checkpoint, engine, threads
    return Transmitter()


def load_receiver(checkpoint: Checkpoint, engine: str, device: str, threads: int) -> Receiver:
    """Load the receiving half."""
    del checkpoint, engine, device, threads
    return Receiver()


PAIR = Family(
    name="pair",
    title="Pair",
    architecture=PairArchitecture,
    files={"transmitter": "transmitter.json", "receiver": "receiver.json"},
    transmitter="pair_family:load_transmitter",
    receiver="pair_family:load_receiver",
)


def write_pair(folder: Path, *, links: int = USERS) -> None:
    """Write a codec for two superposed links, or for one by itself."""
    contents = {"transmitter": b"{}", "receiver": b"{}"}
    manifest = FamilyManifest(
        family="pair",
        name=folder.name,
        system="pair",
        dataset="own",
        task=Reconstruction(shape=(SIDE, SIDE, 3)),
        symbols=USERS * OWN_SYMBOLS,
        links=links,
        architecture={},
        weights=weight_files(contents),
    )
    write_codec(folder, manifest, contents)


if __name__ == "__main__":
    write_pair(Path(sys.argv[1]), links=int(sys.argv[2]))
