"""Cut images into square tiles of one size, and reassemble them.

An image of H x W pixels becomes ceil(H / T) rows of ceil(W / T) tiles of T x T pixels, row by row.
If a side is not a multiple of T, the last row and column of pixels are repeated to the right and
to the bottom; that padding is sent, and cut off when the tiles are put together.

Shape legend: N tiles, T pixels per side of a tile, H x W pixels of an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]


class Sizes(NamedTuple):
    """So many images of one size that follow each other."""

    images: int
    height: int
    width: int


@dataclass(frozen=True)
class TiledImage:
    """An image within the tiles of a split.

    Attributes:
        first: its first tile.
        height, width: in pixels, without padding.
        side: pixels per side of a tile.
    """

    first: int
    height: int
    width: int
    side: int

    @property
    def rows(self) -> int:
        """Return how many rows of tiles it has."""
        return -(-self.height // self.side)

    @property
    def columns(self) -> int:
        """Return how many tiles a row has."""
        return -(-self.width // self.side)

    @property
    def end(self) -> int:
        """Return the tile after its last one."""
        return self.first + self.rows * self.columns

    def joined(self, tiles_NTTC: Images) -> Images:
        """Return the image (H, W, C) of its tiles, or of what was received for them."""
        _, side, _, channels = tiles_NTTC.shape
        grid = tiles_NTTC.reshape(self.rows, self.columns, side, side, channels)
        padded = grid.swapaxes(1, 2).reshape(self.rows * side, self.columns * side, channels)
        return np.ascontiguousarray(padded[: self.height, : self.width])


def cut(image_HWC: Images, side: int) -> Images:
    """Return the tiles (N, T, T, C) of an image, row by row."""
    height, width, channels = image_HWC.shape
    at = TiledImage(0, height, width, side)
    more = (at.rows * side - height, at.columns * side - width)
    padded = np.pad(image_HWC, ((0, more[0]), (0, more[1]), (0, 0)), mode="edge")
    grid = padded.reshape(at.rows, side, at.columns, side, channels).swapaxes(1, 2)
    return np.ascontiguousarray(grid).reshape(at.end, side, side, channels)


def sizes_of(images: Iterable[Images]) -> list[Sizes]:
    """Return the sizes of images (H, W, C) in their order."""
    shapes = ((int(image.shape[0]), int(image.shape[1])) for image in images)
    return [Sizes(sum(1 for _ in same), *shape) for shape, same in groupby(shapes)]


def tiled_images(sizes: Sequence[Sizes], side: int) -> list[TiledImage]:
    """Return where each image lies among the tiles of its split."""
    found: list[TiledImage] = []
    first = 0
    for images, height, width in sizes:
        for _ in range(images):
            found.append(TiledImage(first, height, width, side))
            first = found[-1].end
    return found


def tiles_in(sizes: Sequence[Sizes], side: int) -> int:
    """Return how many tiles images of these sizes have."""
    return sum(each.images * TiledImage(0, each.height, each.width, side).end for each in sizes)
