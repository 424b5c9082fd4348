"""Sentences for training: batches in an order given by keyed generators.

The sentences of a batch have about the same length, which saves a third of the padding's work: an
epoch's random order is sorted by length within pools, whose batches come in random order.

Shape legend: N sentences of the set, B batch, T tokens of the longest sentence, with END.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from orchestrator.training.data import EpochKey, Rank, keyed_generator
from orchestrator.training.settings import AugmentationSettings
from semcom.text_shards import TextShard
from semcom.vocabulary import END
from transmitters.kd_semcom.encoder import with_end

POOL = 64  # batches whose sentences are sorted by length together
WIDTHS = 5  # numbers of tokens in a batch are multiples of it, up to that of the longest sentence


@dataclass(frozen=True)
class SentenceBatch:
    """One rank's part of a step's sentences, and the key of all random values of the step.

    tokens_BT int64 with END, padded with PAD; lengths_B counts the tokens; the part is
    sentences first..first+B of the step's `total`.
    """

    tokens_BT: Tensor
    lengths_B: Tensor
    first: int
    total: int
    key: str

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """Return numbers in 0..1, (B, *shape), independent of the ranks' parts."""
        generator = keyed_generator(f"{self.key}/{purpose}")
        drawn = torch.rand(self.total, *shape, generator=generator)
        return drawn[self.first : self.first + len(self.lengths_B)]


class SentenceSet:
    """Sentences of one split in memory."""

    def __init__(self, shard: TextShard, limit: int | None = None) -> None:
        self.manifest = shard.manifest
        self.digest = shard.digest
        words_NL = torch.from_numpy(np.array(shard.tokens_NL[:limit]).astype(np.int64))
        words_N = torch.from_numpy(np.array(shard.lengths_N[:limit]))
        self.tokens_NT = with_end(words_NL, words_N, END)
        self.lengths_N = words_N + 1

    @classmethod
    def read(cls, dataset_dir: Path, limit: int | None) -> SentenceSet:
        """Return the training sentences of a data set.

        Raises:
            ConfigurationError: they are missing or damaged.
        """
        return cls(TextShard(dataset_dir, "train"), limit)

    def __len__(self) -> int:
        return len(self.lengths_N)

    def epoch(
        self,
        augmentation: AugmentationSettings,
        *,
        key: EpochKey,
        batch: int,
        views: bool,
        rank: Rank,
    ) -> SentenceEpoch:
        """Return the batches of an epoch; sentences are not augmented."""
        del augmentation, views
        return SentenceEpoch(self, key=key, batch=batch, rank=rank)


class SentenceEpoch:
    """The batches of one epoch by step, in an order determined by (seed, stage, epoch) alone."""

    def __init__(self, sentences: SentenceSet, *, key: EpochKey, batch: int, rank: Rank) -> None:
        self._sentences = sentences
        self._key = str(key)
        self._batch = batch
        self._rank = rank
        self._order_N = order(sentences.lengths_N, batch=batch, key=str(key))

    def __getitem__(self, step: int) -> SentenceBatch:
        """Return this rank's part of the batch of a step."""
        part = self._batch // self._rank.count
        first = self._rank.index * part
        start = step * self._batch + first
        chosen = self._order_N[start : start + part]
        lengths_B = self._sentences.lengths_N[chosen]
        return SentenceBatch(
            tokens_BT=self._sentences.tokens_NT[chosen, : _width(int(lengths_B.max()))],
            lengths_B=lengths_B,
            first=first,
            total=self._batch,
            key=f"{self._key}/{step}",
        )


def _width(longest: int) -> int:
    """Return one of few numbers of tokens: oneDNN keeps compiled products for each shape."""
    return -(-longest // WIDTHS) * WIDTHS


def order(lengths_N: Tensor, *, batch: int, key: str) -> Tensor:
    """Return the order of an epoch's sentences: each once, those of a batch alike in length."""
    order_N = torch.randperm(len(lengths_N), generator=keyed_generator(f"{key}/order"))
    pools = [
        pool[lengths_N[pool].argsort(stable=True)] for pool in torch.split(order_N, POOL * batch)
    ]
    batches = torch.split(torch.cat(pools), batch)
    full = len(lengths_N) // batch
    shuffled = torch.randperm(full, generator=keyed_generator(f"{key}/batches")).tolist()
    return torch.cat([batches[index] for index in shuffled] + list(batches[full:]))
