"""Writes images of any size as tiles: shards whose manifest has format 4.

    data/<name>/dataset.json       beside the usual content the sizes of the images, in their order
    data/<name>/test/images.npy    uint8 (N, T, T, 3), image after image
    data/<name>/test/labels.npy    uint16 (N,), all 0

The images of a split are stored in *canonical order*: ascending SHA-256 of (height, width, pixels).
`semcom.shards.Shard` reads such a data set; its items are the tiles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from semcom.array_files import save_array
from semcom.errors import ConfigurationError, StorageError
from semcom.files import write_atomically
from semcom.shards import (
    MANIFEST,
    DatasetManifest,
    ImageArray,
    Split,
    SplitManifest,
    split_digest,
)
from semcom.tiles import cut, sizes_of


def write_tiles(
    root: Path,
    *,
    name: str,
    source: str,
    side: int,
    splits: Mapping[Split, Sequence[ImageArray]],
) -> DatasetManifest:
    """Cut images into tiles, and write shards and manifest; the manifest comes last.

    Args:
        root: folder to write, made if absent.
        name: the data set's name.
        source: where the images came from, for the record.
        side: pixels per side of a tile.
        splits: for each split its images uint8 (H, W, 3), in any order.

    Raises:
        ConfigurationError: a split without images.
        StorageError: the disk is full or refuses.
    """
    for split, images in splits.items():
        if not images:
            raise ConfigurationError(f"{name}: no {split} images")
    written: dict[Split, SplitManifest] = {}
    try:
        root.mkdir(parents=True, exist_ok=True)
        (root / MANIFEST).unlink(missing_ok=True)
        for split, images in splits.items():
            ordered = sorted(images, key=image_key)
            tiles_NTTC = np.concatenate([cut(image, side) for image in ordered])
            labels_N = np.zeros(len(tiles_NTTC), "<u2")
            (root / split).mkdir(exist_ok=True)
            save_array(root / split / "images.npy", tiles_NTTC)
            save_array(root / split / "labels.npy", labels_N)
            sizes = sizes_of(ordered)
            written[split] = SplitManifest(
                images=len(tiles_NTTC),
                sha256=split_digest(tiles_NTTC, labels_N, sizes),
                tiled=[(each.images, each.height, each.width) for each in sizes],
            )
        manifest = DatasetManifest(
            format=4, name=name, image_size=side, classes=[], source=source, splits=written
        )
        write_atomically(root / MANIFEST, manifest.as_json())
    except OSError as error:
        reason = error.strerror or error  # a short write has no number
        raise StorageError(f"cannot write data set {root}: {reason}") from error
    return manifest


def image_key(image_HWC: ImageArray) -> bytes:
    """Return the sort key of the canonical order."""
    height, width, _ = image_HWC.shape
    shape = height.to_bytes(4, "little") + width.to_bytes(4, "little")
    return hashlib.sha256(shape + image_HWC.tobytes()).digest()
