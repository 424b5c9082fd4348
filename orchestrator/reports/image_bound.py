"""The PSNR of image formats at capacity, which no channel code of any length exceeds.

    bits of an image = (symbols / users) log2(1 + SNR)

Users share the symbols in time, each with the SNR of the channel. Images are compressed one by one,
or as a mosaic of 64 whose file has the bits of all of them: this spends less on headers, and has
larger neighbourhoods, than is possible for single images.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from math import floor, log2
from typing import Literal

import numpy as np
import numpy.typing as npt

from semcom.errors import ConfigurationError
from semcom.families.image_formats import ImageFormat, check_format, compress_to_fit, decompress
from semcom.tasks.reconstruction import mean_squared_errors, psnr_db

Arrangement = Literal["single", "mosaic"]
Images = npt.NDArray[np.uint8]
SIDE = 8  # images of a side of a mosaic
TILES = SIDE * SIDE
WHOLE = 0.9995  # share of fitting images that is printed as 100 %


@dataclass(frozen=True)
class BoundRow:
    """One row of the table, and of its CSV file.

    `bytes` are those of an image; `fitting` is the share of images, or mosaics, that fit at any
    quality; the others count as the mean colour. `psnr_db` is the mean of the images' PSNRs,
    `psnr_of_mean_db` that of their mean MSE.
    """

    snr_db: float
    symbols: int
    users: int
    bytes: int
    arrangement: Arrangement
    format: ImageFormat
    images: int
    fitting: float
    psnr_db: float
    psnr_of_mean_db: float
    library: str


def capacity_bytes(snr_db: float, *, symbols: int, users: int, images: int = 1) -> int:
    """Return the complete bytes that the symbols of some images carry at capacity."""
    return floor(images * symbols / users * log2(1.0 + 10.0 ** (snr_db / 10.0)) / 8.0)


def bound_rows(
    images: Images,
    formats: Sequence[tuple[Arrangement, ImageFormat]],
    *,
    snrs_db: Sequence[float],
    symbols: int,
    users: int,
) -> Iterator[BoundRow]:
    """Yield a row for each SNR, arrangement and format.

    Raises:
        ConfigurationError: Pillow has no such format, or there are too few images for a mosaic.
    """
    libraries = {kind: check_format(kind) for _, kind in formats}
    if len(images) < TILES and any(arrangement == "mosaic" for arrangement, _ in formats):
        raise ConfigurationError(f"a mosaic has {TILES} images, there are {len(images)}")
    mean = np.rint(images.mean(axis=(0, 1, 2))).astype(np.uint8)
    for snr_db in snrs_db:
        for arrangement, kind in formats:
            tiles = 1 if arrangement == "single" else TILES
            pictures = images if tiles == 1 else mosaics(images)
            size = capacity_bytes(snr_db, symbols=symbols, users=users, images=tiles)
            answers = np.empty_like(pictures)
            fitting = 0
            for answer, picture in zip(answers, pictures, strict=True):
                read = _read(picture, kind, size)
                answer[:] = mean if read is None else read
                fitting += read is not None
            found, sent = (each if tiles == 1 else tiles_of(each) for each in (answers, pictures))
            errors = mean_squared_errors(found, sent)
            yield BoundRow(
                snr_db=snr_db,
                symbols=symbols,
                users=users,
                bytes=capacity_bytes(snr_db, symbols=symbols, users=users),
                arrangement=arrangement,
                format=kind,
                images=len(sent),
                fitting=fitting / len(pictures),
                psnr_db=float(psnr_db(errors).mean()),
                psnr_of_mean_db=float(psnr_db(errors.mean(keepdims=True))[0]),
                library=libraries[kind],
            )


def mosaics(images: Images) -> Images:
    """Return as many mosaics as possible: (N, H, W, C) -> (N / 64, 8 H, 8 W, C)."""
    _, height, width, channels = images.shape
    count = len(images) // TILES
    grid = images[: count * TILES].reshape(count, SIDE, SIDE, height, width, channels)
    return grid.swapaxes(2, 3).reshape(count, SIDE * height, SIDE * width, channels)


def tiles_of(pictures: Images) -> Images:
    """Return the images of mosaics: the inverse of `mosaics`."""
    count, height, width, channels = pictures.shape
    height, width = height // SIDE, width // SIDE
    grid = pictures.reshape(count, SIDE, height, SIDE, width, channels).swapaxes(2, 3)
    return grid.reshape(count * TILES, height, width, channels)


def as_csv(rows: Iterable[BoundRow]) -> str:
    """Return the content of a CSV file."""
    written = io.StringIO()
    writer = csv.DictWriter(
        written, [field.name for field in fields(BoundRow)], lineterminator="\n"
    )
    writer.writeheader()
    for row in rows:
        content = asdict(row)
        rounded = {
            name: round(value, 4) for name, value in content.items() if isinstance(value, float)
        }
        writer.writerow({**content, **rounded})
    return written.getvalue()


def table_rows(rows: Iterable[dict[str, str]]) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of a table of PSNR: a row for each format, a column for each SNR.

    Args:
        rows: rows of a CSV file written by `as_csv`.
    """
    cells: dict[tuple[str, str], dict[str, str]] = {}
    sizes: dict[str, str] = {}
    for row in rows:
        snr = f"{float(row['snr_db']):g}"
        sizes[snr] = row["bytes"]
        cells.setdefault((row["arrangement"], row["format"]), {})[snr] = _cell(row)
    head = ["arrangement", "format", *(f"{snr} dB, {size} B" for snr, size in sizes.items())]
    return head, [
        [*names, *(found.get(snr, "") for snr in sizes)] for names, found in cells.items()
    ]


def _cell(row: dict[str, str]) -> str:
    fitting = float(row["fitting"])
    if fitting == 0.0:
        return "does not fit"
    share = "" if fitting >= WHOLE else f" ({100 * fitting:.0f} % fit)"
    return f"{float(row['psnr_db']):.1f}{share}"


def _read(picture: Images, kind: ImageFormat, size: int) -> Images | None:
    content = compress_to_fit(picture, kind, size)
    height, width = picture.shape[:2]
    return None if content is None else decompress(content, kind, (height, width))
