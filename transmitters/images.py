"""The transmitter's images: a shard by memory map, cut into frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.errors import ConfigurationError
from semcom.shards import Shard, Span
from semcom.tasks.task import Task, references_of


class FrameSource:
    """Frame f of a data set holds images f * frame_images ... in canonical order."""

    def __init__(self, folder: Path, *, digest: str) -> None:
        self._shard = Shard(folder, "test")
        if self._shard.digest != digest:
            raise ConfigurationError(
                f"data set {folder} has digest {self._shard.digest[:12]}, the run was planned "
                f"with {digest[:12]}: prepare the same data set on both hosts"
            )

    def images(self, items: Span) -> npt.NDArray[np.uint8]:
        """uint8 (N, H, W, 3)."""
        return items.cut(self._shard.images_NHWC)

    def references(self, task: Task, items: Span) -> npt.NDArray[Any]:
        """What a task judges answers by: labels, or the images; neither leaves this process."""
        return references_of(task, self.images(items), items.cut(self._shard.labels_N))
