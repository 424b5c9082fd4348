"""Answers of a run beside what was sent, as measuring processes take them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.measures.kinds import Measure
from orchestrator.measures.whole_images import WholeImages
from orchestrator.results.answers import KeptAnswers
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.run_folder import StoredRun
from semcom.errors import ConfigurationError
from semcom.shards import Shard
from semcom.tasks.task import Task
from semcom.tasks.text import Sentences, word_lists
from semcom.text_shards import AnyShard, TextShard, open_shard


class RunAnswers:
    """Items of a run's links as they were sent and answered."""

    def __init__(
        self, run: StoredRun, kept: KeptAnswers, rows: Sequence[FrameRow], data: Path
    ) -> None:
        self.run = run
        self.data, self._kept = data, kept
        self._rows: dict[tuple[str, int], list[FrameRow]] = defaultdict(list)
        for row in rows:
            self._rows[row.link, row.point].append(row)
        self._shards: dict[str, AnyShard] = {}

    def sent(self, link: str, task: Task) -> npt.NDArray[Any]:
        """Return what a link sent, in the order of its items: images, or tokens of sentences."""
        plan, shard = self.run.summary.plan, self._shard(link)
        frames: list[Any] = [
            shard.references(task, plan.items(link, frame)) for frame in range(plan.frames(link))
        ]
        is_text = isinstance(shard, TextShard)
        return np.concatenate([_tokens(frame) if is_text else frame for frame in frames])

    def received(self, link: str, point: int) -> npt.NDArray[Any]:
        """Return what was answered, in the same order."""
        rows = sorted(self._rows[link, point], key=lambda row: row.frame)
        return np.concatenate([self._kept.parse(row) for row in rows])

    def write(self, stem: Path, items: npt.NDArray[Any], link: str) -> Path:
        """Write items of a link as a measuring process takes them; returns the file."""
        shard = self._shard(link)
        if isinstance(shard, TextShard):
            return _write_texts(stem.with_suffix(".json"), items, shard)
        return _write_images(stem.with_suffix(".npy"), items)

    def is_tiled(self, link: str) -> bool:
        """Return whether the items of a link are tiles of larger images."""
        shard = self._shard(link)
        return isinstance(shard, Shard) and bool(shard.tiled)

    def whole(self, link: str) -> WholeImages:
        """Return the images of which a link sends every tile."""
        shard = self._shard(link)
        tiled = shard.tiled if isinstance(shard, Shard) else []
        return WholeImages(tiled, self.run.summary.plan.links[link])

    def _shard(self, link: str) -> AnyShard:
        planned = self.run.summary.plan.links[link]
        if link not in self._shards:
            root = self.data / planned.dataset
            shard = open_shard(root, "test")
            if shard.digest != planned.dataset_digest:
                raise ConfigurationError(f"data set {root} is not the one of the run")
            self._shards[link] = shard
        return self._shards[link]


class Part(NamedTuple):
    """Items that one job takes, and which values of the point are theirs."""

    numbers: slice | list[int]
    of: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


def parts_of(measure: Measure, answers: RunAnswers, link: str) -> list[Part]:
    """Return the jobs of a point: one, or of whole images one for each of their sizes."""
    if measure.per != "image":
        return [Part(slice(None), lambda items: items)]
    whole = answers.whole(link)

    def joined(numbers: list[int], items: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.stack([whole.joined(items, whole.images[number]) for number in numbers])

    return [Part(numbers, partial(joined, numbers)) for numbers in whole.by_size()]


def _tokens(sentences: Any) -> npt.NDArray[Any]:
    assert isinstance(sentences, Sentences)
    return sentences.tokens_NL


def _write_texts(path: Path, tokens_NL: npt.NDArray[Any], shard: TextShard) -> Path:
    path.write_text(json.dumps([shard.vocabulary.text(row) for row in word_lists(tokens_NL)]))
    return path


def _write_images(path: Path, images_NHWC: npt.NDArray[Any]) -> Path:
    np.save(path, images_NHWC)
    return path
