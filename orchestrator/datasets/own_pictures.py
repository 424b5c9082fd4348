"""Read a user's own images of any size and mode; count unusable ones by reason.

Images that are not 8-bit RGB are converted as in `orchestrator.datasets.pictures`. Without a
requested size, all images must be square and of one size, unless they are cut into tiles; with one,
they are cropped and resized to it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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
from semcom.shards import (
    MAX_IMAGE_SIZE,
    MIN_IMAGE_SIZE,
    MIN_TILED_SIDE,
    ImageArray,
    LabelArray,
)

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")  # by Pillow's names
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp"})
MAX_PIXELS = 1 << 26  # pixels of an image before it is resized
MAX_SIZES_TOLD = 4
Size = tuple[int, int]  # width and height in pixels


@dataclass(frozen=True)
class Item:
    """An unread image; `name` is its path in the source."""

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
    """The sizes already differ, so no pixels are needed."""


class PictureReader:
    """Reads the splits of one data set, with all images of one size.

    Args:
        size: pixels per side to which images are resized; None leaves them unchanged.
        any_size: images need not be square or of one size.
    """

    def __init__(self, size: int | None, *, any_size: bool = False) -> None:
        check_side("--size", size)
        self.size = size
        self._any_size = any_size
        self.sizes: Counter[Size] = Counter()
        self.notes: Notes = Counter()
        self.left_out = LeftOut()

    def read(self, items: Items) -> Pictures:
        """Read the usable images of a split.

        Raises:
            ConfigurationError: the images do not fit into memory.
        """
        images_NHWC: ImageArray | None = None
        labels: list[int] = []
        digests: list[bytes] = []
        for item, content, image_HWC in self.decoded(items):
            if images_NHWC is None:
                images_NHWC = _room(items.most, len(image_HWC))
            images_NHWC[len(labels)] = image_HWC
            labels.append(item.label)
            digests.append(hashlib.sha256(content).digest())
        if images_NHWC is None:
            images_NHWC = np.empty((0, MIN_IMAGE_SIZE, MIN_IMAGE_SIZE, 3), dtype=np.uint8)
        return Pictures(images_NHWC[: len(labels)], np.array(labels, dtype=np.uint16), digests)

    def decoded(self, items: Items) -> Iterator[tuple[Item, bytes, ImageArray]]:
        """Yield the images of a split that can be used, with the bytes of their files."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from Pillow: problems are counted or noted
            for item in items.images:
                try:
                    content = item.read()
                    image_HWC = self._decoded(content, item.name)
                except _OnlyItsSizeError:
                    continue
                except PictureError as error:
                    self.left_out.add(error.kind, item.name)
                    continue
                yield item, content, image_HWC

    def check_sizes(self, where: object) -> None:
        """Check that all images have one size that can be stored.

        Raises:
            ConfigurationError: they do not, and no size was requested; lists the sizes found.
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
            wrong = f"has images of {width}x{height} pixels, more than {MAX_IMAGE_SIZE:,} per side"
        else:
            return
        usual = min(max(min(width, height), MIN_IMAGE_SIZE), MAX_IMAGE_SIZE)
        raise ConfigurationError(
            f"{where} {wrong}; crop and resize them all with '--size N', such as --size {usual}, "
            "or cut them into tiles with '--tiles N'"
        )

    def lines(self) -> tuple[str, ...]:
        """Return a line for each kind of conversion or omission."""
        return (*note_lines(self.notes), *self.left_out.lines())

    def _decoded(self, content: bytes, name: str) -> ImageArray:
        notes: Notes = Counter()  # notes of this image, which may turn out to be damaged
        image_HWC = decode(content, name, notes, check=self._check, formats=FORMATS)
        if self.size is not None:
            image_HWC = _resized(image_HWC, self.size, notes)
        self.notes.update(notes)
        return image_HWC

    def _check(self, image: Image.Image) -> None:
        """Refuse unusable images before any pixel is decoded."""
        width, height = image.size
        if getattr(image, "n_frames", 1) > 1:
            raise PictureError("", "several frames or images in one file")
        least = MIN_TILED_SIDE if self._any_size else MIN_IMAGE_SIZE
        if min(width, height) < least:
            raise PictureError("", f"smaller than {least}x{least} pixels")
        if width * height > MAX_PIXELS:
            raise PictureError("", f"larger than {MAX_PIXELS:,} pixels")
        if self.size is not None or self._any_size:
            return
        self.sizes[(height, width) if _lies_down(image) else (width, height)] += 1
        if len(self.sizes) > 1 or width != height or width > MAX_IMAGE_SIZE:
            raise _OnlyItsSizeError


def check_side(option: str, side: int | None) -> None:
    """Refuse a number of pixels per side that no data set has.

    Raises:
        ConfigurationError: it names the option.
    """
    if side is not None and not MIN_IMAGE_SIZE <= side <= MAX_IMAGE_SIZE:
        raise ConfigurationError(
            f"{option} {side}: images have {MIN_IMAGE_SIZE} to {MAX_IMAGE_SIZE:,} pixels per side"
        )


def check_bytes(size: int) -> None:
    """Refuse a file that is too large before it is read.

    Raises:
        PictureError: it is too large.
    """
    if size > MAX_FILE_BYTES:
        raise PictureError("", f"larger than {MAX_FILE_BYTES >> 20} MiB")


def _lies_down(image: Image.Image) -> bool:
    """Return whether EXIF swaps width and height."""
    return is_turned(image) and image.getexif().get(0x0112) in range(5, 9)


def _resized(image_HWC: ImageArray, size: int, notes: Notes) -> ImageArray:
    """Return the centre of an image, `size` pixels per side."""
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
