"""Read image files as arrays: PNG and JPEG, square, all of one size.

Images that are not 8-bit RGB are converted, and counted by kind: 16 bits keep their upper 8,
transparent images are composited on white, grey, palettes and CMYK become RGB, and an EXIF
orientation is applied.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from orchestrator.datasets.texts import read_content
from semcom.errors import ConfigurationError
from semcom.shards import MAX_IMAGE_SIZE, MIN_IMAGE_SIZE, ImageArray, LabelArray, Split

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif"})
FORMATS = ("PNG", "JPEG")  # by Pillow's names
MAX_FILE_BYTES = 64 << 20
WHITE = 255
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PNG_DEPTH = 24  # the byte of a PNG file that says how many bits a channel has
_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")

Notes = Counter[str]  # count of each kind of conversion; {} is the s of a plural


@dataclass(frozen=True)
class SourceImages:
    """A data set as found: class names in label order, and images_NHWC, labels_N per split.

    `notes` has a line for each kind of conversion or omission.
    """

    layout: str
    classes: list[str]
    splits: dict[Split, tuple[ImageArray, LabelArray]]
    notes: tuple[str, ...] = ()


class PictureError(ConfigurationError):
    """An unusable image; `kind` gives the reason without its name."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


def note_lines(notes: Notes) -> tuple[str, ...]:
    """Return the notes as text, such as "3 images converted from 16 bit to 8 bit"."""
    return tuple(
        f"{count} {what.format('' if count == 1 else 's')}" for what, count in sorted(notes.items())
    )


def read_pictures(labelled: list[tuple[Path, int]], notes: Notes) -> tuple[ImageArray, LabelArray]:
    """Decode image files with their labels; add conversions to `notes`.

    Returns:
        images_NHWC uint8 (N, H, H, 3) and labels_N uint16 (N,), in the order given.

    Raises:
        ConfigurationError: an image is unreadable, not square or of a different size; names the
            file.
    """
    assert labelled, "callers report an empty split by its name"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Pillow: problems are errors, the rest is noted
        side = _picture(labelled[0][0], None, Counter()).shape[0]
        images_NHWC = np.empty((len(labelled), side, side, 3), dtype=np.uint8)
        for row, (path, _) in enumerate(labelled):
            images_NHWC[row] = _picture(path, side, notes)
    return images_NHWC, np.array([label for _, label in labelled], dtype=np.uint16)


def _picture(path: Path, side: int | None, notes: Notes) -> ImageArray:
    """Return one image as (H, H, 3); its header is checked before any pixel is decoded."""
    content = read_content(path, MAX_FILE_BYTES)
    return decode(content, path, notes, check=lambda image: _check_shape(path, image, side))


def decode(
    content: bytes,
    what: object,
    notes: Notes,
    *,
    check: Callable[[Image.Image], None],
    formats: tuple[str, ...] = FORMATS,
) -> ImageArray:
    """Return an image as RGB (H, W, 3); add conversions to `notes`.

    Args:
        content: the file's bytes.
        what: its name in messages.
        notes: counts conversions by kind.
        check: gets the image before any pixel is decoded, and raises if it is unusable.
        formats: Pillow's names of accepted formats.

    Raises:
        PictureError: it is empty, damaged, or in none of the formats.
    """
    if not content:
        raise PictureError(f"{what} is empty; copy it again or remove it", "empty")
    try:
        with Image.open(io.BytesIO(content), formats=formats) as image:
            check(image)
            deep = content.startswith(_PNG) and content[_PNG_DEPTH] == 16
            return _as_rgb(image, deep=deep, notes=notes)
    except ConfigurationError:
        raise
    except UnidentifiedImageError as error:
        if content.startswith((_PNG, _JPEG)):
            raise _damaged(what, "its header is damaged") from error
        names = either(formats)
        raise PictureError(
            f"{what} is not a {names} image; convert or remove it", f"not {names} images"
        ) from error
    except Exception as error:  # Pillow may raise anything for foreign bytes
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise _damaged(what, reason) from error


def either(names: tuple[str, ...]) -> str:
    """Return names as a choice: `PNG or JPEG`."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _damaged(what: object, reason: str) -> PictureError:
    text = f"cannot read image {what}: {reason}; copy it again or remove it"
    return PictureError(text, "damaged")


def _check_shape(path: Path, image: Image.Image, side: int | None) -> None:
    width, height = image.size
    if width != height:
        raise ConfigurationError(f"{path} is {width}x{height}; images must be square")
    if not MIN_IMAGE_SIZE <= width <= MAX_IMAGE_SIZE:
        raise ConfigurationError(
            f"{path} is {width}x{height}; images have {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE} pixels "
            "per side"
        )
    if side is not None and width != side:
        raise ConfigurationError(
            f"{path} is {width}x{height}, but the first image of its split is "
            f"{side}x{side}; make all images one size"
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise ConfigurationError(f"{path} holds {frames} images; save one of them as PNG or JPEG")


def _as_rgb(image: Image.Image, *, deep: bool, notes: Notes) -> ImageArray:
    image.load()
    kinds = [*_kinds(image, deep=deep)]
    transparent = image.info.get("transparency")
    oriented = ImageOps.exif_transpose(image) if is_turned(image) else image
    if deep and len(image.getbands()) == 1:  # grey: Pillow would clip everything above 255
        values_HW = np.asarray(oriented)
        rgb_HW3 = np.repeat((values_HW >> 8).astype(np.uint8)[..., None], 3, axis=2)
        covered = np.ones(values_HW.shape) if transparent is None else values_HW != transparent
        return _noted(*_on_white(rgb_HW3, covered), kinds=kinds, notes=notes)
    if transparent is None and "A" not in image.mode.upper():
        return _noted(np.asarray(oriented.convert("RGB")), False, kinds=kinds, notes=notes)
    if deep and isinstance(transparent, tuple):
        oriented.info["transparency"] = tuple(value >> 8 for value in transparent)
    rgba_HW4 = np.asarray(oriented.convert("RGBA"))
    rgb, seen = _on_white(rgba_HW4[..., :3], rgba_HW4[..., 3] / 255)
    return _noted(rgb, seen, kinds=kinds, notes=notes)


def _kinds(image: Image.Image, *, deep: bool) -> Iterable[str]:
    """Return the conversions that do not depend on the pixels."""
    if deep:
        yield "image{} converted from 16 bit to 8 bit"
    if image.mode in _GREY_MODES:
        yield "image{} converted from grey to RGB"
    if image.mode in ("P", "PA"):
        yield "image{} converted from a palette to RGB"
    if image.mode == "CMYK":
        yield "image{} converted from CMYK to RGB"
    if is_turned(image):
        yield "image{} rotated by EXIF orientation"


def is_turned(image: Image.Image) -> bool:
    """Return whether an EXIF orientation rotates or mirrors the image."""
    try:
        return image.getexif().get(Base.Orientation, 1) in range(2, 9)
    except Exception:  # damaged EXIF data of a valid image is ignored
        return False


def _on_white(rgb_HW3: ImageArray, cover_HW: npt.NDArray[Any]) -> tuple[ImageArray, bool]:
    """Return the image on white with a coverage of 0 to 1, and whether any white is visible."""
    if (cover_HW == 1).all():
        return rgb_HW3, False
    cover_HW1 = cover_HW[..., None]
    return np.rint(rgb_HW3 * cover_HW1 + WHITE * (1 - cover_HW1)).astype(np.uint8), True


def _noted(rgb_HW3: ImageArray, white: bool, *, kinds: list[str], notes: Notes) -> ImageArray:
    notes.update([*kinds, "image{} with transparency composited on white"] if white else kinds)
    return rgb_HW3
