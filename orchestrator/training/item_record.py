"""The record of single items for an inspection: a file of arrays for each task and point.

    items          numbers, from the first image that the link sends; every array has a row for each
    scores         sums of each item's score, in the order of the task's SUMS
    answers        as the codec's task has them
    outputs        what the codec computes before they become answers, as logits
    sent           codewords, complex64 (N, K);  used: symbols of each that are sent
    received       as they leave the channel;  csi: channel state, (N, M)
    equalized      what the decoder sees, where a codeword is received by itself
    feature_sent, feature_recovered    where the codec's family has features

Shape legend: N items, K complex symbols, M columns of channel state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from orchestrator.training.last_codec import LoadedCodec
from orchestrator.training.reference import Answers, DecodedFrame
from receiver.equalizer import equalize_arrays
from semcom.errors import StorageError
from semcom.evaluation_messages import EvaluationPoint, Inspection
from semcom.shards import Span
from semcom.text_shards import AnyShard
from semcom.used_symbols import Used, parse_used

Arrays = dict[str, npt.NDArray[Any]]


class ItemRecord:
    """Takes the frames of a point in order, and records the wanted items."""

    def __init__(
        self,
        wanted: Inspection,
        codec: LoadedCodec,
        point: EvaluationPoint,
        *,
        shard: AnyShard,
        first: int,
        cut: tuple[int, int],
    ) -> None:
        """Record items of a link.

        Args:
            wanted: the items and the target folder.
            codec: codec that computes them.
            point: channel condition.
            shard: their data set.
            first: number of the first item.
            cut: index in the shard of item 0, and the number of items until it repeats.
        """
        self.link = wanted.link
        self._wanted, self._codec, self._point = wanted, codec, point
        self._numbers = set(wanted.items)
        self._shard, self._next, self._cut = shard, first, cut
        self._path = wanted.folder / f"{first}-{point.point}.npz"
        self._rows: list[Arrays] = []

    def take(self, frame: DecodedFrame, answers: Answers) -> None:
        """Keep the wanted items of the next frame."""
        first, self._next = self._next, self._next + len(answers)
        rows = [row for row in range(len(answers)) if first + row in self._numbers]
        if not rows:
            return
        offset, of = self._cut
        span = Span((first + offset) % of, len(answers), of=of)
        task = self._codec.manifest.task
        references = self._shard.references(task, span)
        scores = [task.judge(answers[r : r + 1], references[r : r + 1]) for r in rows]
        kept: Arrays = {
            "items": np.array([first + row for row in rows], dtype=np.int64),
            "scores": np.array([[each[name] for name in task.SUMS] for each in scores], np.int64),
        }
        if self._wanted.detail != "scores":
            kept |= {"answers": answers[rows], "outputs": frame.outputs[rows]}
            kept |= self._symbols(frame, rows, span.cut(self._shard.items)[rows])
        self._rows.append(kept)

    def write(self) -> None:
        """Write the file of the point.

        Raises:
            StorageError: the disk cannot be written.
        """
        names = self._rows[0] if self._rows else {}
        joined = {name: np.concatenate([each[name] for each in self._rows]) for name in names}
        path = self._path
        try:
            np.savez(path, **joined)  # type: ignore[arg-type]  # its flag is not an array
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error

    def _symbols(self, frame: DecodedFrame, rows: list[int], items: npt.NDArray[Any]) -> Arrays:
        symbols_NK, used = frame.sent
        used_N = parse_used(used, rows=len(symbols_NK), symbols=symbols_NK.shape[1])[rows]
        received_NK, csi_NM, equalizer, _ = frame.passed
        kept: Arrays = {"sent": symbols_NK[rows], "used": used_N, "received": received_NK[rows]}
        if csi_NM is not None:
            kept["csi"] = csi_NM[rows]
        if self._codec.manifest.links > 1:  # a sum of several codewords is not equalised
            return kept
        equalized = equalize_arrays(
            kept["received"],
            kept.get("csi"),
            snr_db_N=torch.full((len(rows),), self._point.spec.snr_db),
            method=equalizer,
        )
        return kept | {"equalized": equalized.numpy(), **self._features(equalized, used_N, items)}

    def _features(self, equalized: torch.Tensor, used_N: Used, items: npt.NDArray[Any]) -> Arrays:
        wanted = self._wanted.detail == "features"
        features, snr_db = self._codec.features if wanted else None, self._point.spec.snr_db
        if features is None:
            return {}
        return {
            "feature_sent": features.sent(items, snr_db=snr_db),
            "feature_recovered": features.recovered(equalized, used_N, snr_db=snr_db),
        }
