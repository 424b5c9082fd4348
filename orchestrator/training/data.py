"""Training data: batches of uint8 tensors, ordered and augmented by keyed generators.

Shape legend: N images of the set, B batch, S image size.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from orchestrator.training.settings import AugmentationSettings
from semcom.shards import Shard, Split


@dataclass(frozen=True)
class Rank:
    """This process among the processes that share every batch."""

    index: int = 0
    count: int = 1


@dataclass(frozen=True)
class Batch:
    """One rank's part of a step's images, and the key of all random values of the step.

    images_BSS3 uint8, labels_B int64, index_B the images' indices in the set; the part is images
    first..first+B of the step's `total`. `view` names the augmented view, if views are kept.
    """

    images_BSS3: Tensor
    labels_B: Tensor
    index_B: Tensor
    view: int | None
    first: int
    total: int
    key: str

    def uniform(self, purpose: str) -> Tensor:
        """Return one number in 0..1 per image, independent of the ranks' parts."""
        drawn = torch.rand(self.total, generator=keyed_generator(f"{self.key}/{purpose}"))
        return drawn[self.first : self.first + len(self.labels_B)]

    def choice(self, count: int, purpose: str) -> int:
        """Return one of 0..count-1, the same on every rank."""
        generator = keyed_generator(f"{self.key}/{purpose}")
        return int(torch.randint(count, (), generator=generator))


class ImageSet:
    """Images of one split in memory, or a part of them.

    images_NSS3 and labels_N hold the whole split; members_M are the indices of this set.
    """

    def __init__(self, dataset_dir: Path, split: Split, limit: int | None = None) -> None:
        shard = Shard(dataset_dir, split)
        self.manifest = shard.manifest
        self.digest = shard.digest
        self.images_NSS3 = torch.from_numpy(np.array(shard.images_NHWC[:limit]))
        self.labels_N = torch.from_numpy(np.array(shard.labels_N[:limit]).astype(np.int64))
        self.members_M = torch.arange(len(self.labels_N))

    def __len__(self) -> int:
        return len(self.members_M)

    def epoch(
        self,
        augmentation: AugmentationSettings,
        *,
        key: EpochKey,
        batch: int,
        views: bool,
        rank: Rank,
    ) -> Epoch:
        """Return the batches of an epoch."""
        return Epoch(self, augmentation, key=key, batch=batch, views=views, rank=rank)

    def part(self, members_M: Tensor) -> ImageSet:
        """Return some of the images; they keep their indices."""
        part = copy.copy(self)
        part.members_M = members_M
        return part


class Epoch:
    """The batches of one epoch by step, in an order determined by (seed, stage, epoch) alone.

    With `views`, and if the settings keep any, the epoch uses the next one of the kept views.
    Remaining images that do not fill a batch are skipped; the next epoch has another order.
    """

    def __init__(
        self,
        images: ImageSet,
        augmentation: AugmentationSettings,
        *,
        key: EpochKey,
        batch: int,
        views: bool,
        rank: Rank = Rank(),
    ) -> None:
        self._images = images
        self._batch = batch
        self._rank = rank
        self._key = str(key)
        self._view = key.epoch % augmentation.views if views and augmentation.views else None
        self._shifts = draw_shifts(images, augmentation, key=key, view=self._view)
        order_M = torch.randperm(len(images), generator=keyed_generator(f"{key}/order"))
        self._order_M = images.members_M[order_M]

    def __len__(self) -> int:
        return len(self._order_M) // self._batch

    def __getitem__(self, step: int) -> Batch:
        """Return this rank's part of the batch of a step."""
        if not 0 <= step < len(self):
            raise IndexError(step)
        part = self._batch // self._rank.count
        first = self._rank.index * part
        start = step * self._batch + first
        chosen = self._order_M[start : start + part]
        return Batch(
            images_BSS3=augment(self._images.images_NSS3[chosen], self._shifts.of(chosen)),
            labels_B=self._images.labels_N[chosen],
            index_B=chosen,
            view=self._view,
            first=first,
            total=self._batch,
            key=f"{self._key}/{step}",
        )


@dataclass(frozen=True)
class EpochKey:
    """The key of all random values of an epoch."""

    seed: int
    stage: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.seed}/{self.stage}/{self.epoch}"


@dataclass(frozen=True)
class Shifts:
    """Crop corners top_N and left_N (0..2 padding), and flip_N, the images to mirror."""

    padding: int
    top_N: Tensor
    left_N: Tensor
    flip_N: Tensor

    def of(self, chosen: Tensor) -> Shifts:
        """Return those of some images."""
        return Shifts(self.padding, self.top_N[chosen], self.left_N[chosen], self.flip_N[chosen])


def draw_shifts(
    images: ImageSet, settings: AugmentationSettings, *, key: EpochKey, view: int | None
) -> Shifts:
    """Return the augmentation of every image of an epoch or of a kept view."""
    text, turn = f"{key}", key.epoch
    if view is not None:
        text, turn = f"{key.seed}/view/{view}", view
    generator = keyed_generator(f"{text}/shifts")
    count, padding = len(images.labels_N), settings.crop_padding
    top_N = torch.randint(0, 2 * padding + 1, (count,), generator=generator)
    left_N = torch.randint(0, 2 * padding + 1, (count,), generator=generator)
    match settings.flip:
        case "random":
            flip_N = torch.rand(count, generator=generator) < 0.5
        case "alternating":
            first_N = torch.rand(count, generator=keyed_generator(f"{key.seed}/flip")) < 0.5
            flip_N = first_N ^ (turn % 2 == 1)
        case "none":
            flip_N = torch.zeros(count, dtype=torch.bool)
    return Shifts(padding, top_N, left_N, flip_N)


def augment(images_BSS3: Tensor, shifts: Shifts) -> Tensor:
    """Crop and flip each image of a uint8 batch separately, with one gather."""
    size = images_BSS3.shape[1]
    pad = shifts.padding
    rows_BS = _reflected(shifts.top_N[:, None] + torch.arange(size) - pad, size)
    columns_BS = _reflected(shifts.left_N[:, None] + torch.arange(size) - pad, size)
    columns_BS = torch.where(shifts.flip_N[:, None], columns_BS.flip(1), columns_BS)
    places_BSS = rows_BS[:, :, None] * size + columns_BS[:, None, :]
    flat_BP3 = images_BSS3.reshape(len(images_BSS3), size * size, 3)
    batch = torch.arange(len(images_BSS3))[:, None]
    return flat_BP3[batch, places_BSS.flatten(1)].view(-1, size, size, 3)


def _reflected(places: Tensor, size: int) -> Tensor:
    """Return indices outside 0..size-1 mirrored at the edge pixel, as in reflection padding."""
    places = places.abs()
    return torch.where(places >= size, 2 * (size - 1) - places, places)


def keyed_generator(key: str) -> torch.Generator:
    """Return a generator seeded by a text: without saved or global state."""
    seed = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest(), "little")
    return torch.Generator().manual_seed(seed)
