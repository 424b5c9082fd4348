"""Folders of images of two classes, and the data set that is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from orchestrator.datasets.own_sets import prepare_own

CLASSES = ["cat 2", "cat 10"]  # in label order


def image(seed: int, size: tuple[int, int] = (16, 16)) -> Image.Image:
    """A picture whose pixels nobody else has."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def fill(folder: Path, images: int = 5, first: int = 0, size: tuple[int, int] = (16, 16)) -> Path:
    """Put PNG images of two classes into class folders."""
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(images):
            seed = first + 1000 * label + number
            image(seed, size).save(folder / name / f"{seed}.png")
    return folder


def made(tmp_path: Path, source: Path, **options):
    return prepare_own("mine", root=tmp_path / "data" / "mine", source=source, **options)


def sizes(manifest) -> dict[str, int]:
    return {split: part.images for split, part in manifest.splits.items()}
