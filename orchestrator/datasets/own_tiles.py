"""Images of a user's own that are to be cut into tiles: of any size, without classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.datasets.hold_out import held_out
from orchestrator.datasets.own_folders import OwnSource
from orchestrator.datasets.own_pictures import Items, PictureReader
from orchestrator.datasets.pictures import SourceImages
from semcom.errors import ConfigurationError
from semcom.shards import ImageArray, Split

NO_CLASSES = "classes left out: {}; tiles have none"


@dataclass(frozen=True)
class TiledSource:
    """Whole images (H, W, 3) of each split; `notes` say what was converted or left out."""

    layout: str
    splits: dict[Split, list[ImageArray]]
    notes: tuple[str, ...] = ()


def tiled_source(
    source: Path, found: SourceImages | OwnSource, reader: PictureReader, share: float | None
) -> TiledSource:
    """Return the images of a source.

    Without test images, all are test images, or the `share` of them that is asked for.

    Raises:
        ConfigurationError: a split without images that can be used, or a share that has no effect.
    """
    notes = (*found.notes, *([NO_CLASSES.format(len(found.classes))] if found.classes else ()))
    if isinstance(found, SourceImages):
        splits = {split: list(images_NHWC) for split, (images_NHWC, _) in found.splits.items()}
        return TiledSource(found.layout, splits, notes)
    if "test" in found.splits and share is not None:
        raise ConfigurationError(
            f"--test-share has no effect: {source} has test images; leave it out"
        )
    read = {split: _read(items, reader) for split, items in found.splits.items()}
    for split, images in read.items():
        if not images:
            why = "; ".join(reader.left_out.lines()) or "there are none"
            raise ConfigurationError(f"{source} has no {split} images that can be used: {why}")
    splits = {split: [image for image, _ in images] for split, images in read.items()}
    notes += reader.lines()
    if "test" not in splits:
        splits = {"test": splits["train"]} if share is None else _parted(read["train"], share)
        count = len(splits["test"])
        notes += (f"{count} test image{'s' * (count != 1)}",)
    return TiledSource(found.layout, splits, notes)


def _read(items: Items, reader: PictureReader) -> list[tuple[ImageArray, bytes]]:
    return [
        (image_HWC, hashlib.sha256(content).digest())
        for _, content, image_HWC in reader.decoded(items)
    ]


def _parted(
    read: Sequence[tuple[ImageArray, bytes]], share: float
) -> dict[Split, list[ImageArray]]:
    labels_N = np.zeros(len(read), np.uint16)
    test_N = held_out(labels_N, [digest for _, digest in read], share, [])
    names: tuple[Split, Split] = ("train", "test")
    return {
        split: [
            image
            for (image, _), is_test in zip(read, test_N, strict=True)
            if is_test == (split == "test")
        ]
        for split in names
    }
