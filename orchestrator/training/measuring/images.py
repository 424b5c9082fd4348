"""Images in the form that measuring networks take.

Shape legend: N images, H x W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

Images = npt.NDArray[np.uint8]
BATCH, BATCH_PIXELS = 50, 1 << 21


def in_batches(*images_NHWC: Images, most: int = BATCH) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield the images of several arrays batch by batch as float32 (B, 3, H, W) of 0..255.

    A single channel is repeated three times. `most` is the largest batch.
    """
    count, height, width, _ = images_NHWC[0].shape
    size = min(most, max(1, BATCH_PIXELS // (height * width)))
    for first in range(0, count, size):
        yield tuple(_tensor(each[first : first + size]) for each in images_NHWC)


def _tensor(images_NHWC: Images) -> torch.Tensor:
    images = torch.from_numpy(np.ascontiguousarray(images_NHWC).copy()).permute(0, 3, 1, 2).float()
    return images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
