"""Training data: whole batches of uint8 tensors, ordered and augmented by keyed generators.

Shape legend: N images of the set, B batch, S image size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from orchestrator.training.settings import AugmentationSettings
from semcom.shards import Shard, Split


@dataclass(frozen=True)
class Batch:
    """images_BSS3 uint8, labels_B int64, and the step's own generator for everything random."""

    images_BSS3: Tensor
    labels_B: Tensor
    generator: torch.Generator
    key: str


class ImageSet:
    """One split in memory."""

    def __init__(self, dataset_dir: Path, split: Split, limit: int | None = None) -> None:
        shard = Shard(dataset_dir, split)
        self.manifest = shard.manifest
        self.digest = shard.digest
        self.images_NSS3 = torch.from_numpy(np.array(shard.images_NHWC[:limit]))
        self.labels_N = torch.from_numpy(np.array(shard.labels_N[:limit]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels_N)


def training_batches(
    images: ImageSet, *, batch: int, key: str, augmentation: AugmentationSettings
) -> Iterator[Batch]:
    """One epoch in an order, and with augmentations, that `key` alone decides.

    The last images that do not fill a batch are left to the next epoch's order.
    """
    order = torch.randperm(len(images), generator=keyed_generator(key))
    for step, start in enumerate(range(0, len(images) - batch + 1, batch)):
        chosen = order[start : start + batch]
        step_key = f"{key}/{step}"
        generator = keyed_generator(step_key)
        yield Batch(
            images_BSS3=augment(images.images_NSS3[chosen], augmentation, generator),
            labels_B=images.labels_N[chosen],
            generator=generator,
            key=step_key,
        )


def augment(
    images_BSS3: Tensor, settings: AugmentationSettings, generator: torch.Generator
) -> Tensor:
    """Crop and flip each image of a uint8 batch on its own, by one gather."""
    batch, size = images_BSS3.shape[:2]
    pad = settings.crop_padding
    planes = images_BSS3.permute(0, 3, 1, 2).to(torch.float32)
    padded = F.pad(planes, (pad, pad, pad, pad), mode="reflect") if pad else planes
    padded = padded.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
    top = torch.randint(0, 2 * pad + 1, (batch, 1), generator=generator)
    left = torch.randint(0, 2 * pad + 1, (batch, 1), generator=generator)
    rows = top + torch.arange(size)
    columns = left + torch.arange(size)
    if settings.flip:
        flipped = torch.rand((batch, 1), generator=generator) < 0.5
        columns = torch.where(flipped, columns.flip(1), columns)
    return padded[torch.arange(batch)[:, None, None], rows[:, :, None], columns[:, None, :]]


def keyed_generator(key: str) -> torch.Generator:
    """A generator seeded by a text: no state to save, nothing global."""
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest(), "little")
    return torch.Generator().manual_seed(seed)
