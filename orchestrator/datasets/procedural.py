"""Three synthetic image classification sets of increasing difficulty, without downloads.

| name      | classes | pixels | a class is a               | stands in for |
|-----------|---------|--------|----------------------------|---------------|
| shapes10  |      10 | 32x32  | shape                      | CIFAR-10      |
| shapes100 |     100 | 32x32  | shape and texture          | CIFAR-100     |
| shapes200 |     200 | 64x64  | shape, texture and colour  | Tiny-ImageNet |

Everything else in an image is random: position, size and rotation of the shape, colours,
background, clutter, light and noise. Image i of a split is a function of (set, split, seed, i) and
of DRAWING_VERSION, and its label is i modulo the number of classes; so every split is balanced, and
a larger set begins with a smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.datasets.dice import Streams
from orchestrator.datasets.palette import FAMILIES
from orchestrator.datasets.scene import Contents, Style, draw_scenes
from orchestrator.datasets.shapes import OUTLINES
from orchestrator.datasets.textures import PATTERNS
from semcom.errors import ConfigurationError
from semcom.shards import DatasetManifest, ImageArray, LabelArray, Split, write_dataset

# Incremented whenever images change: prepared sets of another version are generated again.
DRAWING_VERSION = 1
_DRAWN = "drawn by orchestrator.datasets."
_CHUNK_PIXELS = 1 << 17  # pixels drawn at a time: the working arrays stay in the CPU's caches


@dataclass(frozen=True, kw_only=True)
class DrawnSet:
    """One procedural set: a class per shape, texture and colour; plain or any if none is named."""

    style: Style
    textures: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    train_images: int = 20_000
    test_images: int = 1_000

    @property
    def classes(self) -> list[str]:
        """Class names in label order, such as 'striped-red-star'."""
        tails = [f"{colour}-" for colour in self.colours] or [""]
        heads = [f"{texture}-" for texture in self.textures] or [""]
        return [head + tail + shape for tail in tails for head in heads for shape in OUTLINES]

    def contents(self, labels_N: LabelArray) -> Contents:
        """Return the content for each label; the shape varies fastest."""
        rest_N, shape_N = np.divmod(labels_N.astype(np.int64), len(OUTLINES))
        textures = [list(PATTERNS).index(name) for name in self.textures] or [0]
        rest_N, texture_N = np.divmod(rest_N, len(textures))
        hues = [FAMILIES[name] for name in self.colours] or [np.nan]
        return Contents(shape_N, np.array(textures)[texture_N], np.array(hues)[rest_N])


DRAWN_SETS: dict[str, DrawnSet] = {
    "shapes10": DrawnSet(
        style=Style(
            image_size=32,
            radius=(0.2, 0.4),
            off_centre=0.16,
            tilt=0.25,
            stretch=0.25,
            period=(0.2, 0.2),
            spread=0.22,
            clutter=(2, 1),
            clutter_radius=(0.05, 0.12),
            hue_jitter=0.0,
            light=0.4,
            noise=(0.0, 0.12),
        )
    ),
    "shapes100": DrawnSet(
        style=Style(
            image_size=32,
            radius=(0.28, 0.45),
            off_centre=0.12,
            tilt=0.5,
            stretch=0.25,
            period=(0.14, 0.22),
            spread=0.19,
            clutter=(2, 2),
            clutter_radius=(0.05, 0.12),
            hue_jitter=0.0,
            light=0.6,
            noise=(0.0, 0.14),
        ),
        textures=tuple(PATTERNS),
    ),
    "shapes200": DrawnSet(
        style=Style(
            image_size=64,
            radius=(0.17, 0.32),
            off_centre=0.18,
            tilt=0.5,
            stretch=0.4,
            period=(0.09, 0.15),
            spread=0.17,
            clutter=(5, 4),
            clutter_radius=(0.05, 0.12),
            hue_jitter=0.1,
            light=0.8,
            noise=(0.05, 0.28),
        ),
        textures=("striped", "checked", "dotted", "speckled", "zigzag"),
        colours=tuple(FAMILIES),
    ),
}


def draw(name: str, split: Split, images: int, seed: int = 0) -> tuple[ImageArray, LabelArray]:
    """Draw the first images of a split.

    Returns:
        images_NHWC uint8 and labels_N uint16, with labels 0, 1, 2, ... over and over.

    Raises:
        ConfigurationError: there is no set of that name, or no images were requested.
    """
    drawn = drawn_set(name)
    if images < 1:
        raise ConfigurationError(f"{name}/{split}: at least 1 image is needed, not {images}")
    size = drawn.style.image_size
    labels_N = (np.arange(images) % len(drawn.classes)).astype(np.uint16)
    images_NHWC = np.empty((images, size, size, 3), dtype=np.uint8)
    streams = Streams(DRAWING_VERSION, name, split, seed)
    chunk = _CHUNK_PIXELS // (size * size)
    for start in range(0, images, chunk):
        part = slice(start, start + chunk)
        images_NHWC[part] = draw_scenes(drawn.style, drawn.contents(labels_N[part]), streams)
    return images_NHWC, labels_N


def drawn_set(name: str) -> DrawnSet:
    """Return the procedural set of that name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in DRAWN_SETS:
        raise ConfigurationError(f"no synthetic set '{name}'; available: {', '.join(DRAWN_SETS)}")
    return DRAWN_SETS[name]


def drawing_source(seed: int) -> str:
    """Return the `source` text in the manifest of a set generated from this seed by this code."""
    return f"{_DRAWN}procedural, version {DRAWING_VERSION}, seed {seed}"


def is_drawing(source: str) -> bool:
    """Return whether a manifest's `source` text marks a synthetic set of any version."""
    return source.startswith(_DRAWN)


def prepare_procedural(
    name: str,
    root: Path,
    *,
    train_images: int | None = None,
    test_images: int | None = None,
    seed: int = 0,
) -> DatasetManifest:
    """Generate a set, by default with its own sizes, and write it to `root` as shards.

    Raises:
        ConfigurationError: there is no set of that name.
        StorageError: the disk is full or cannot be written.
    """
    drawn = drawn_set(name)
    train = drawn.train_images if train_images is None else train_images
    test = drawn.test_images if test_images is None else test_images
    return write_dataset(
        root,
        name=name,
        classes=drawn.classes,
        source=drawing_source(seed),
        splits={"train": draw(name, "train", train, seed), "test": draw(name, "test", test, seed)},
    )
