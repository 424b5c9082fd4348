"""Image formats within a budget of bytes; Pillow is imported when the first image is written.

    webp   WebP, the unchanged file
    vp8    WebP without what both ends know: its container, the start code and the size
    jpeg   JPEG with its own Huffman tables
    avif   AVIF

Quality is searched between 0 and 100: the highest one found whose file fits. JPEG and AVIF are
written with and without colour subsampling, and the better file is taken. A block is padded with
zero bytes, which do not affect the file.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from semcom.errors import ConfigurationError
from semcom.extras import needed_by

ImageFormat = Literal["webp", "vp8", "jpeg", "avif"]
Pixels = npt.NDArray[np.uint8]  # (H, W, 3)
QUALITIES = 101
CONTAINER = 20  # bytes of WebP before the frame: RIFF, size, WEBP, VP8, size
TAG = 3  # bytes of a frame before the start code and the size
SUBSAMPLINGS = ("4:2:0", "4:4:4")
START = b"\x9d\x01\x2a"


class _Writer(NamedTuple):
    """Pillow's name of a format, its feature, and further options besides the quality.

    Of several variants, the one closest to the image is taken.
    """

    name: str
    feature: str
    variants: tuple[dict[str, Any], ...]


WRITERS: dict[ImageFormat, _Writer] = {
    "webp": _Writer("WEBP", "webp", ({"method": 6},)),
    "vp8": _Writer("WEBP", "webp", ({"method": 6},)),
    "jpeg": _Writer(
        "JPEG", "jpg", tuple({"optimize": True, "subsampling": each} for each in SUBSAMPLINGS)
    ),
    "avif": _Writer(
        "AVIF", "avif", tuple({"max_threads": 1, "subsampling": each} for each in SUBSAMPLINGS)
    ),
}


def check_format(kind: ImageFormat) -> str:
    """Return the versions of Pillow and the format's library, such as `Pillow 13.0.0, webp 1.6.0`.

    Raises:
        ConfigurationError: Pillow is not installed, or has no such format.
    """
    with needed_by("an image format", "digital"):
        import PIL  # noqa: PLC0415 - Pillow, only where images are written
        from PIL import features  # noqa: PLC0415
    feature = WRITERS[kind].feature
    if not features.check(feature):
        raise ConfigurationError(
            f"Pillow {PIL.__version__} is built without {feature}: pip install 'rkd-sc[digital]'"
        )
    return f"Pillow {PIL.__version__}, {feature} {features.version(feature)}"


def compress(image: Pixels, kind: ImageFormat, quality: int, variant: int = 0) -> bytes:
    """Return the file of an image at a quality between 0 and 100, in a variant of its format."""
    from PIL import Image  # noqa: PLC0415

    writer, written = WRITERS[kind], io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.save(written, writer.name, quality=quality, **writer.variants[variant])
    content = written.getvalue()
    if kind != "vp8":
        return content
    frame = content[CONTAINER:]
    return frame[:TAG] + frame[TAG + len(START) + 4 :]


def compress_to_fit(image: Pixels, kind: ImageFormat, size: int) -> bytes | None:
    """Return the best file of at most `size` bytes; None if none fits.

    Higher quality is assumed to give larger files, so this is a binary search.
    """
    variants = range(len(WRITERS[kind].variants))
    found = [_best_quality(image, kind, size, variant) for variant in variants]
    fitting = [content for content in found if content is not None]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    return min(fitting, key=lambda content: _error(content, kind, image))


def _best_quality(image: Pixels, kind: ImageFormat, size: int, variant: int) -> bytes | None:
    found: bytes | None = None
    low, high = 0, QUALITIES - 1
    while low <= high:
        quality = (low + high) // 2
        content = compress(image, kind, quality, variant)
        if len(content) <= size:
            found, low = content, quality + 1
        else:
            high = quality - 1
    return found


def _error(content: bytes, kind: ImageFormat, image: Pixels) -> float:
    height, width = image.shape[:2]
    read = decompress(content, kind, (height, width))
    assert read is not None  # it has just been written
    return float(np.square(read.astype(np.int64) - image).sum())


def decompress(block: bytes, kind: ImageFormat, shape: tuple[int, int]) -> Pixels | None:
    """Return the image of a file that may be padded with zero bytes; None if there is none.

    Args:
        block: what arrived.
        kind: of the file.
        shape: height and width that the image must have.
    """
    from PIL import Image  # noqa: PLC0415

    content = ENDS[kind](block, shape)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # from Pillow: a block with errors may contain anything
            with Image.open(io.BytesIO(content), formats=[WRITERS[kind].name]) as picture:
                if picture.size != shape[::-1]:
                    return None
                image: Pixels = np.asarray(picture.convert("RGB"))
                return image
    except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        return None


def _of_vp8(block: bytes, shape: tuple[int, int]) -> bytes:
    height, width = shape
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    frame = block[:TAG] + START + size + block[TAG:]
    frame += bytes(len(frame) % 2)
    length = len(frame).to_bytes(4, "little")
    return b"RIFF" + (len(frame) + 12).to_bytes(4, "little") + b"WEBPVP8 " + length + frame


def _of_webp(block: bytes, shape: tuple[int, int]) -> bytes:
    del shape
    return block[: 8 + int.from_bytes(block[4:8], "little")]


def _of_avif(block: bytes, shape: tuple[int, int]) -> bytes:
    """Return the length of the file from its boxes, each of which states its size."""
    del shape
    end = 0
    while size := int.from_bytes(block[end : end + 4], "big"):
        end += size
    return block[:end]


ENDS: dict[ImageFormat, Callable[[bytes, tuple[int, int]], bytes]] = {
    "webp": _of_webp,
    "vp8": _of_vp8,
    "jpeg": lambda block, _: block,
    "avif": _of_avif,
}
