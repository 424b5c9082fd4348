"""Whole images of a link whose items are tiles, put together from what it sent and received.

Links of a group begin with other tiles; a link that sends only the first tiles of a split may lack
some of an image, which is then left out.

Shape legend: N tiles that a link sends, T pixels per side of a tile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from orchestrator.plan.plan import PlannedLink
from semcom.tiles import TiledImage

Images = npt.NDArray[np.uint8]


class WholeImages:
    """The images of which a link sends every tile, in the order of the data set."""

    def __init__(self, tiled: Sequence[TiledImage], link: PlannedLink) -> None:
        """Find them.

        Args:
            tiled: images of the split; none where its items are no tiles.
            link: how many tiles it sends, and with which it begins.
        """
        self.images = [each for each in tiled if each.end <= link.images]
        self._items, self._offset = link.images, link.offset

    def ends(self) -> list[int]:
        """Return for each image the place of its last tile, in the order in which they are sent."""
        return [int(self.places(each).max()) for each in self.images]

    def places(self, image: TiledImage) -> npt.NDArray[np.int64]:
        """Return the places of an image's tiles in the order in which they are sent."""
        return (np.arange(image.first, image.end) - self._offset) % self._items

    def joined(self, tiles_NTTC: Images, image: TiledImage) -> Images:
        """Return an image (H, W, C) of tiles in the order in which they are sent."""
        return image.joined(tiles_NTTC[self.places(image)])

    def by_size(self) -> Iterator[list[int]]:
        """Yield the numbers of images that have one size, size by size."""

        def size(number: int) -> tuple[int, int]:
            return self.images[number].height, self.images[number].width

        for _, numbers in groupby(sorted(range(len(self.images)), key=size), key=size):
            yield list(numbers)
