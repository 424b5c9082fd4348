"""Evaluation in one process with the deployed modules: the reference for every sweep.

Frames, channel draws and forward passes are those of the processes in exact mode, so that the
answers are equal, item by item.

Shape legend: N images of a frame, K complex symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from channel_sim.channels import Codewords
from channel_sim.passing import Passed, pass_frame
from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import AnyManifest
from semcom.errors import CheckpointError
from semcom.families import ReceiverHalf, TransmitterHalf, used_of
from semcom.increments import Counts, Rate, as_kept, cut, first_counts, further_counts
from semcom.item_keys import ItemKey, draws, keys_of_frame
from semcom.points import PointSpec
from semcom.probe import is_finite
from semcom.shards import Span
from semcom.tasks.ordered_classification import OrderedClassification
from semcom.tasks.score import Score
from semcom.tasks.task import Task
from semcom.text_shards import AnyShard
from semcom.used_symbols import parse_used

NOISE_FREE_SNR_DB = 30.0  # the upper end of the decoder's SNR code

Symbols = npt.NDArray[np.complex64]
Outputs = npt.NDArray[np.float32]  # (N, ...), outputs of the codec's receiving half
Answers = npt.NDArray[Any]  # (N, ...), in the form of the codec's task


class SentFrame(NamedTuple):
    """Codewords of a frame; `used`: number of sent symbols of each one; empty: all."""

    symbols_NK: Symbols
    used: bytes = b""


class DecodedFrame(NamedTuple):
    """A frame as sent and as received, and its answers.

    For ordered codewords, which are sent in rounds, it is the last round.
    """

    sent: SentFrame
    passed: Passed
    outputs: Outputs
    answers: Answers


@dataclass(frozen=True)
class Evaluation:
    """The answers to all items, and their score."""

    task: Task
    answers: Answers
    score: Score

    @property
    def value(self) -> float:
        """Return the task's main metric, such as the accuracy, 0..1."""
        return self.task.METRICS[0].value(self.score)


def evaluate(
    checkpoint: Checkpoint,
    shard: AnyShard,
    point: PointSpec | None,
    *,
    link: str,
    images: int | None = None,
    frame_images: int = 100,
) -> Evaluation:
    """Evaluate the first `images` items of a shard at one point; `None` is a channel without noise.

    One frame is one forward pass, as in the processes' exact mode.
    """
    points = evaluate_points(
        checkpoint, shard, [point], link=link, images=images, frame_images=frame_images
    )
    return next(points)


def evaluate_points(
    checkpoint: Checkpoint,
    shard: AnyShard,
    points: Sequence[PointSpec | None],
    *,
    link: str,
    images: int | None = None,
    frame_images: int = 100,
) -> Iterator[Evaluation]:
    """Evaluate several points, each when it is requested; items are encoded only once.

    With `tx_csi`, they are encoded for every point.
    """
    total = len(shard) if images is None else min(images, len(shard))
    codec, receiver = checkpoint.load_transmitter(), checkpoint.load_receiver()
    task = checkpoint.manifest.task
    frames: list[SentFrame] = []
    for point in points:
        if not frames or checkpoint.manifest.needs_snr:
            snr_db = NOISE_FREE_SNR_DB if point is None else point.snr_db
            encoded = encode_frames(
                codec,
                checkpoint.manifest,
                shard,
                images=range(total),
                frame_images=frame_images,
                snr_db=snr_db,
            )
            frames = list(encoded)
        joined = np.concatenate(decode_frames(receiver, task, frames, point, link=link))
        references = shard.references(task, Span(0, total, of=total))
        yield Evaluation(task, joined, task.judge(joined, references))


def encode_frames(
    codec: TransmitterHalf,
    manifest: AnyManifest,
    shard: AnyShard,
    *,
    images: range,
    frame_images: int,
    snr_db: float,
) -> Iterator[SentFrame]:
    """Yield codewords of each frame of `images`, encoded when requested.

    They depend on `snr_db` only if the codec has `tx_csi`; otherwise one encoding serves all
    points.
    """
    for first in images[::frame_images]:
        end = min(first + frame_images, images.stop)
        items = shard.items[first:end]
        yield SentFrame(codec.encode(items, snr_db=snr_db), used_of(codec, manifest, items))


def decode_frames(
    codec: ReceiverHalf,
    task: Task,
    frames: Sequence[SentFrame],
    point: PointSpec | None,
    *,
    link: str,
    first_image: int = 0,
) -> list[Answers]:
    """Return the answers (N, ...) to each frame of `receive_frames`.

    Raises:
        CheckpointError: the outputs for a frame contain NaN or Inf.
    """
    received = receive_frames(codec, task, frames, point, link=link, first_image=first_image)
    return [frame.answers for frame in received]


def receive_frames(
    codec: ReceiverHalf,
    task: Task,
    frames: Sequence[SentFrame],
    point: PointSpec | None,
    *,
    link: str,
    first_image: int = 0,
) -> Iterator[DecodedFrame]:
    """Send each frame through its own channel draw and decode it in one forward pass.

    Frames are consecutive, from item `first_image` of the link on.

    Raises:
        CheckpointError: the outputs for a frame contain NaN or Inf.
    """
    for frame in frames:
        received = partial(_received, codec, task, point=point, link=link, first_image=first_image)
        if isinstance(task, OrderedClassification):
            rate = None if point is None else point.rate
            yield _ordered(task, frame.symbols_NK, rate, received)
        else:
            yield received(frame)
        first_image += len(frame.symbols_NK)


def _received(
    codec: ReceiverHalf,
    task: Task,
    frame: SentFrame,
    *,
    point: PointSpec | None,
    link: str,
    first_image: int,
) -> DecodedFrame:
    symbols_NK, used = frame
    if point is None:
        clean = PointSpec(snr_db=NOISE_FREE_SNR_DB)
        codewords = Codewords(clean, link, first_image, len(symbols_NK), used)
        passed = Passed(symbols_NK, None, "zero_forcing", None)
    else:
        codewords = Codewords(point, link, first_image, len(symbols_NK), used)
        passed = pass_frame(codewords, symbols_NK)
    outputs = decode_passed(codec, passed, codewords)
    return DecodedFrame(frame, passed, outputs, task.answers(outputs))


def _ordered(
    task: OrderedClassification,
    codewords_NK: Symbols,
    rate: Rate | None,
    received: Callable[[SentFrame], DecodedFrame],
) -> DecodedFrame:
    """Send ordered codewords in the rounds of the rate, as transmitters do."""
    increments = len(task.lengths)
    more_N: Counts | None = first_counts(rate, len(codewords_NK), increments=increments)
    while more_N is not None:
        counts_N = more_N
        last = received(SentFrame(*cut(codewords_NK, counts_N, task.lengths)))
        more_N = further_counts(rate, counts_N, last.answers[:, 1], increments=increments)
    return last._replace(answers=as_kept(last.answers, counts_N))


def decode_passed(codec: ReceiverHalf, passed: Passed, codewords: Codewords) -> Outputs:
    """Decode a received frame in one forward pass: float32 (N, ...).

    `codewords` are the sent ones.

    Raises:
        CheckpointError: the codec's outputs contain NaN or Inf.
    """
    images, symbols = passed.received_BK.shape
    told: dict[str, Any] = {}
    if codewords.used:
        told["used_N"] = parse_used(codewords.used, rows=images, symbols=symbols)
    if draws(codec):
        told["keys_N"] = keys_of_codewords(codewords)
    outputs = codec.decode(
        passed.received_BK,
        passed.csi_BM,
        snr_db_N=np.full(images, codewords.point.snr_db, dtype=np.float32),
        equalizer=passed.equalizer,
        **told,
    )
    if not is_finite(outputs):  # as the receiver's process
        raise CheckpointError("the codec decodes a frame to NaN or Inf")
    return outputs


def keys_of_codewords(codewords: Codewords) -> list[ItemKey]:
    """Return the keys of a frame's items, as in the receiver."""
    point, link, first, count, _ = codewords
    return keys_of_frame(point.seed, link, first=first, count=count)
