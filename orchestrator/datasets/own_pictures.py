"""Reads images of a user's own: any size and mode; what cannot be used is counted by its reason.

What is no 8-bit RGB is converted as `orchestrator.datasets.pictures` does. Without a size that was
asked for, all images must be square and of one size; with one, they are cropped and resized to it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

from orchestrator.datasets.pictures import (
    MAX_FILE_BYTES,
    Notes,
    PictureError,
    decode,
    is_turned,
    note_lines,
)
from semcom.class_names import shown
from semcom.errors import ConfigurationError
from semcom.shards import MAX_IMAGE_SIZE, MIN_IMAGE_SIZE, ImageArray, LabelArray

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # by Pillow's names
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp"})
MAX_PIXELS = 1 << 26  # of an image before it is resized
MAX_SIZES_TOLD = 4
Size = tuple[int, int]  # width and height in pixels


@dataclass(frozen=True)
class Item:
    """An image that is not read yet; `name` is its place in the source."""

    name: str
    label: int
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Items:
    """Images of one split in the order of their source, at most `most` of them."""

    most: int
    images: Iterable[Item]


@dataclass(frozen=True)
class Pictures:
    """images_NHWC uint8, labels_N uint16, and the SHA-256 of each file's bytes."""

    images_NHWC: ImageArray
    labels_N: LabelArray
    digests: list[bytes]


@dataclass
class LeftOut:
    """Unused files by reason, with the first of each kind."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Count one."""
        self.counts[kind] += 1
        self.first.setdefault(kind, name)

    def lines(self) -> tuple[str, ...]:
        """Return a line for each kind, such as "2 left out: empty; the first is a/1.png"."""
        return tuple(
            f"{count} left out: {kind}; "
            f"{'it' if count == 1 else 'the first'} is {shown(self.first[kind])}"
            for kind, count in sorted(self.counts.items())
        )


class _OnlyItsSizeError(ConfigurationError):
    """The sizes differ already: no pixels are needed to say so."""


class PictureReader:
    """Reads the splits of one data set; all their images get one size.

    Args:
        size: pixels a side that images are resized to; None leaves them as they are.
    """

    def __init__(self, size: int | None) -> None:
        if size is not None and not MIN_IMAGE_SIZE <= size <= MAX_IMAGE_SIZE:
            raise ConfigurationError(
                f"--size {size}: images have {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE:,} pixels a side"
            )
        self.size = size
        self._side = size
        self.sizes: Counter[Size] = Counter()
        self.notes: Notes = Counter()
        self.left_out = LeftOut()

    def read(self, items: Items) -> Pictures:
        """Read the images of a split that can be used.

        Raises:
            ConfigurationError: so many of this size do not fit into memory.
        """
        images_NHWC: ImageArray | None = None
        labels: list[int] = []
        digests: list[bytes] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow: what is wrong is left out, or noted
            for item in items.images:
                try:
                    content = item.read()
                    image_HWC = self._decoded(content, item.name)
                except _OnlyItsSizeError:
                    continue
                except PictureError as error:
                    self.left_out.add(error.kind, item.name)
                    continue
                if images_NHWC is None:
                    images_NHWC = _room(items.most, len(image_HWC))
                images_NHWC[len(labels)] = image_HWC
                labels.append(item.label)
                digests.append(hashlib.sha256(content).digest())
        if images_NHWC is None:
            images_NHWC = np.empty((0, MIN_IMAGE_SIZE, MIN_IMAGE_SIZE, 3), dtype=np.uint8)
        return Pictures(images_NHWC[: len(labels)], np.array(labels, dtype=np.uint16), digests)

    def check_sizes(self, where: object) -> None:
        """Check that all images have one size that can be stored.

        Raises:
            ConfigurationError: they do not, and no size was asked for; it tells the sizes found.
        """
        if self.size is not None or not self.sizes:
            return
        found = self.sizes.most_common(MAX_SIZES_TOLD)
        (width, height), _ = found[0]
        told = ", ".join(f"{w}x{h} ({count})" for (w, h), count in found)
        more = len(self.sizes) - len(found)
        if len(self.sizes) > 1:
            wrong = f"has images of {len(self.sizes)} sizes, {told}"
            wrong += f" and {more} more" if more else ""
        elif width != height:
            wrong = f"has images of {width}x{height} pixels, which are not square"
        elif width > MAX_IMAGE_SIZE:
            wrong = f"has images of {width}x{height} pixels, {MAX_IMAGE_SIZE:,} a side are the most"
        else:
            return
        usual = min(max(min(width, height), MIN_IMAGE_SIZE), MAX_IMAGE_SIZE)
        raise ConfigurationError(
            f"{where} {wrong}; crop and resize them all with '--size N', such as --size {usual}"
        )

    def lines(self) -> tuple[str, ...]:
        """Return what was converted and what was left out, a line each."""
        return (*note_lines(self.notes), *self.left_out.lines())

    def _decoded(self, content: bytes, name: str) -> ImageArray:
        notes: Notes = Counter()  # of this image, which may turn out to be damaged
        image_HWC = decode(content, name, notes, check=self._check, formats=FORMATS)
        if self.size is not None:
            image_HWC = _resized(image_HWC, self.size, notes)
        self.notes.update(notes)
        return image_HWC

    def _check(self, image: Image.Image) -> None:
        """Object to what cannot be used, before any pixel is decoded."""
        width, height = image.size
        if getattr(image, "n_frames", 1) > 1:
            raise PictureError("", "several frames or images in one file")
        if min(width, height) < MIN_IMAGE_SIZE:
            raise PictureError("", f"smaller than {MIN_IMAGE_SIZE}x{MIN_IMAGE_SIZE} pixels")
        if width * height > MAX_PIXELS:
            raise PictureError("", f"larger than {MAX_PIXELS:,} pixels")
        if self.size is not None:
            return
        self.sizes[(height, width) if _lies_down(image) else (width, height)] += 1
        if len(self.sizes) > 1 or width != height or width > MAX_IMAGE_SIZE:
            raise _OnlyItsSizeError


def check_bytes(size: int) -> None:
    """Refuse a file by its size before it is read.

    Raises:
        PictureError: it is too large.
    """
    if size > MAX_FILE_BYTES:
        raise PictureError("", f"larger than {MAX_FILE_BYTES >> 20} MiB")


def _lies_down(image: Image.Image) -> bool:
    """Return whether EXIF swaps width and height."""
    return is_turned(image) and image.getexif().get(0x0112) in range(5, 9)


def _resized(image_HWC: ImageArray, size: int, notes: Notes) -> ImageArray:
    """The centre of an image, `size` pixels a side."""
    height, width = image_HWC.shape[:2]
    if width != height:
        notes["image{} cropped to the square in the centre"] += 1
    if min(width, height) == size == max(width, height):
        return image_HWC
    if min(width, height) != size:
        larger = min(width, height) < size
        notes[f"image{{}} {'enlarged' if larger else 'reduced'} to {size}x{size}"] += 1
    picture = Image.fromarray(image_HWC)
    return np.asarray(ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC))


def _room(images: int, side: int) -> ImageArray:
    try:
        return np.empty((images, side, side, 3), dtype=np.uint8)
    except (MemoryError, ValueError) as error:
        raise ConfigurationError(
            f"{images:,} images of {side}x{side} pixels do not fit into memory; choose a smaller "
            "'--size N', or fewer images"
        ) from error
