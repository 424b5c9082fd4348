"""Image files to arrays: PNG and JPEG, square, all of one size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from semcom.errors import ConfigurationError
from semcom.shards import ImageArray, LabelArray, Split

SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})


@dataclass(frozen=True)
class SourceImages:
    """A data set as found: class names in label order, and images_NHWC, labels_N per split."""

    layout: str
    classes: list[str]
    splits: dict[Split, tuple[ImageArray, LabelArray]]


def read_pictures(labelled: list[tuple[Path, int]]) -> tuple[ImageArray, LabelArray]:
    """Decode image files, given with their labels; greyscale and palettes become RGB.

    Returns:
        images_NHWC uint8 (N, H, H, 3) and labels_N uint16 (N,), in the order given.

    Raises:
        ConfigurationError: an unreadable, oblong or differently sized image; it names the file.
    """
    assert labelled, "callers report an empty split by its name"
    side = _picture(labelled[0][0], None).shape[0]
    images_NHWC = np.empty((len(labelled), side, side, 3), dtype=np.uint8)
    for row, (path, _) in enumerate(labelled):
        images_NHWC[row] = _picture(path, side)
    return images_NHWC, np.array([label for _, label in labelled], dtype=np.uint16)


def _picture(path: Path, side: int | None) -> ImageArray:
    """One image as (H, H, 3); its header is checked before any pixel is decoded."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            width, height = image.size
            if width != height:
                raise ConfigurationError(f"{path} is {width}x{height}; images must be square")
            if side is not None and width != side:
                raise ConfigurationError(
                    f"{path} is {width}x{height}, but the first image of its split is "
                    f"{side}x{side}; make all images one size"
                )
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise ConfigurationError(f"{path} is not a PNG or JPEG image") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConfigurationError(f"cannot read image {path}: {error}") from error
