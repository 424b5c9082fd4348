"""The items that a transmitter sends: a memory-mapped shard of images or sentences, in frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from semcom.errors import ConfigurationError
from semcom.shards import Span
from semcom.tasks.task import Task
from semcom.text_shards import open_shard


class FrameSource:
    """Frame f of a data set holds items f * frame_images ... in canonical order."""

    def __init__(self, folder: Path, *, digest: str) -> None:
        self._shard = open_shard(folder, "test")
        if self._shard.digest != digest:
            raise ConfigurationError(
                f"data set {folder} has digest {self._shard.digest[:12]}, the run was planned "
                f"with {digest[:12]}: prepare the same data set on both hosts"
            )

    def images(self, items: Span) -> npt.NDArray[Any]:
        """Images uint8 (N, H, W, 3), or sentences uint16 (N, L)."""
        return items.cut(self._shard.items)

    def references(self, task: Task, items: Span) -> Any:
        """Return the references for judging answers: labels or items, which never leave here."""
        return self._shard.references(task, items)
