"""The transmitter's images: a shard by memory map, cut into frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from semcom.errors import ConfigurationError
from semcom.shards import Shard


class FrameSource:
    """Frame f of a data set holds images f * frame_images ... in canonical order."""

    def __init__(self, folder: Path, *, digest: str) -> None:
        self._shard = Shard(folder, "test")
        if self._shard.digest != digest:
            raise ConfigurationError(
                f"data set {folder} has digest {self._shard.digest[:12]}, the run was planned "
                f"with {digest[:12]}: prepare the same data set on both hosts"
            )

    def images(self, first: int, count: int) -> npt.NDArray[np.uint8]:
        """uint8 (count, H, W, 3)."""
        return self._shard.images_NHWC[first : first + count]

    def count_correct(self, first: int, predictions_N: npt.NDArray[np.uint16]) -> int:
        """How many predictions agree with the labels, which never leave this process."""
        labels_N = self._shard.labels_N[first : first + len(predictions_N)]
        return int((labels_N == predictions_N).sum())
