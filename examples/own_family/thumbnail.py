"""A codec family: the pixels of a thumbnail as analog symbols, without any network.

    images uint8 (N, S, S, 3) -> means of blocks (N, s, s, 3) -> reals around 0 -> z (N, K)
    z~ (N, K) -> reals -> scaled back -> repeated over blocks -> images float32 (N, S, S, 3)

Each codeword is scaled to unit power; the receiver knows one scale for all images, which the codec
states. Shape legend: N images, S side of an image, s of a thumbnail, K complex symbols.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_manifest import FamilyManifest
from semcom.families import Family
from semcom.tasks.reconstruction import Reconstruction

MIDDLE = 0.5  # of pixels in 0..1


class ThumbnailArchitecture(BaseModel):
    """What a codec of this family states of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: int = Field(ge=16, le=1024, description="side of an image in pixels")
    block: int = Field(
        ge=1, le=64, description="side in pixels of the block that becomes one pixel"
    )


class Transmitter:
    """Pools, centres, scales."""

    def __init__(self, architecture: ThumbnailArchitecture) -> None:
        self._block = architecture.block

    def encode(self, items: np.ndarray, *, snr_db: float) -> np.ndarray:
        """Encode uint8 (N, S, S, 3) -> complex64 (N, K) of unit power; the SNR is not used."""
        del snr_db
        count, side, block = len(items), items.shape[1] // self._block, self._block
        blocks = items.astype(np.float32).reshape(count, side, block, side, block, 3)
        reals = blocks.mean(axis=(2, 4)).reshape(count, -1) / 255.0 - MIDDLE
        reals = np.pad(reals, ((0, 0), (0, reals.shape[1] % 2)))
        power = 2.0 * np.square(reals).mean(axis=1, keepdims=True)
        scaled = reals / np.sqrt(np.maximum(power, 1e-12))
        return np.ascontiguousarray(scaled, dtype=np.float32).view(np.complex64)


class Receiver:
    """Equalises one gain per codeword, scales back, repeats pixels."""

    def __init__(self, architecture: ThumbnailArchitecture, amplitude: float) -> None:
        self._architecture = architecture
        self._amplitude = amplitude

    def decode(
        self, received_NK: np.ndarray, csi_NM: Any, *, snr_db_N: np.ndarray, equalizer: str
    ) -> np.ndarray:
        """Decode complex64 (N, K) -> float32 (N, S, S, 3) of 0..1."""
        if csi_NM is not None:
            power = np.square(np.abs(csi_NM)).mean(axis=1, keepdims=True)
            if equalizer == "mmse":
                power = power + 10.0 ** (-snr_db_N[:, None] / 10.0)
            received_NK = received_NK * csi_NM[:, :1].conj() / np.maximum(power, 1e-12)
        side = self._architecture.side // self._architecture.block
        reals = np.ascontiguousarray(received_NK, dtype=np.complex64).view(np.float32)
        pixels = reals[:, : 3 * side * side] * self._amplitude + MIDDLE
        thumbnails = pixels.reshape(len(pixels), side, side, 3)
        block = self._architecture.block
        return thumbnails.repeat(block, axis=1).repeat(block, axis=2).astype(np.float32)


def load_transmitter(checkpoint: Checkpoint, engine: str, threads: int) -> Transmitter:
    """Load the transmitting half; it computes with numpy, whatever the engine."""
    del engine, threads
    return Transmitter(_architecture(checkpoint))


def load_receiver(checkpoint: Checkpoint, engine: str, device: str, threads: int) -> Receiver:
    """Load the receiving half; it computes with numpy, whatever the engine."""
    del engine, device, threads
    amplitude = json.loads(checkpoint.read_half("receiver"))["amplitude"]
    return Receiver(_architecture(checkpoint), amplitude)


def make_codec(folder: Path, images_NHW3: np.ndarray, *, block: int) -> Checkpoint:
    """Write a codec for images like these: uint8 (N, S, S, 3)."""
    side = images_NHW3.shape[1]
    amplitude = float(np.sqrt(2.0 * np.square(images_NHW3 / 255.0 - MIDDLE).mean()))
    contents = {"transmitter": b"{}", "receiver": json.dumps({"amplitude": amplitude}).encode()}
    manifest = FamilyManifest(
        family="thumbnail",
        name=folder.name,
        system="thumbnail",
        dataset="own",
        task=Reconstruction(shape=(side, side, 3)),
        symbols=(3 * (side // block) ** 2 + 1) // 2,
        architecture=ThumbnailArchitecture(side=side, block=block).model_dump(),
        weights=weight_files(contents),
    )
    return write_codec(folder, manifest, contents)


def _architecture(checkpoint: Checkpoint) -> ThumbnailArchitecture:
    return ThumbnailArchitecture.model_validate(checkpoint.manifest.architecture)


THUMBNAIL = Family(
    name="thumbnail",
    title="Thumbnail",
    architecture=ThumbnailArchitecture,
    files={"transmitter": "transmitter.json", "receiver": "receiver.json"},
    transmitter="thumbnail:load_transmitter",
    receiver="thumbnail:load_receiver",
)
