"""Evaluation in one process over the deployed modules: the reference of every sweep.

Frames, channel draws and forward passes are those of the processes in exact mode, so that the
predictions are the same, image by image.

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
Outputs = npt.NDArray[np.float32]  # (N, ...), as the codec's receiving half gives them
Answers = npt.NDArray[Any]  # (N, ...), as the codec's task has them


class SentFrame(NamedTuple):
    """Codewords of a frame; `used`: symbols of each that are sent, empty: all."""

    symbols_NK: Symbols
    used: bytes = b""


class DecodedFrame(NamedTuple):
    """A frame as it was sent, as it left the channel, and what is computed of it.

    Of ordered codewords that are sent in rounds it is the last round.
    """

    sent: SentFrame
    passed: Passed
    outputs: Outputs
    answers: Answers


@dataclass(frozen=True)
class Evaluation:
    """The answers to all images, and their score."""

    task: Task
    answers: Answers
    score: Score

    @property
    def value(self) -> float:
        """The task's main metric, as accuracy, 0..1."""
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
    """Send the first `images` images of a shard through one point; `None` is a clean channel.

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
    """The same for several points, each when it is asked for; images are encoded once for all.

    With `tx_csi` they are encoded for every point.
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
    """Codewords of each frame of `images`, encoded when it is asked for.

    They depend on `snr_db` only where the codec has `tx_csi`: elsewhere one encoding serves all
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
        CheckpointError: the codec makes NaN or Inf of a frame.
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
    """Take each frame through its own draw of the channel and one forward pass.

    The frames follow one another from `first_image` of the link on.

    Raises:
        CheckpointError: the codec makes NaN or Inf of a frame.
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
        snr_db, passed = NOISE_FREE_SNR_DB, Passed(symbols_NK, None, "zero_forcing", None)
    else:
        codewords = Codewords(point, link, first_image, len(symbols_NK), used)
        snr_db, passed = point.snr_db, pass_frame(codewords, symbols_NK)
    outputs = decode_passed(codec, passed, used, snr_db=snr_db)
    return DecodedFrame(frame, passed, outputs, task.answers(outputs))


def _ordered(
    task: OrderedClassification,
    codewords_NK: Symbols,
    rate: Rate | None,
    received: Callable[[SentFrame], DecodedFrame],
) -> DecodedFrame:
    """Send ordered codewords in as many rounds as the rate takes, as transmitters do."""
    increments = len(task.lengths)
    more_N: Counts | None = first_counts(rate, len(codewords_NK), increments=increments)
    while more_N is not None:
        counts_N = more_N
        last = received(SentFrame(*cut(codewords_NK, counts_N, task.lengths)))
        more_N = further_counts(rate, counts_N, last.answers[:, 1], increments=increments)
    return last._replace(answers=as_kept(last.answers, counts_N))


def decode_passed(codec: ReceiverHalf, passed: Passed, used: bytes, *, snr_db: float) -> Outputs:
    """Decode a frame as it leaves the channel, in one forward pass: float32 (N, ...).

    Raises:
        CheckpointError: the codec makes NaN or Inf of it.
    """
    images, symbols = passed.received_BK.shape
    told = {"used_N": parse_used(used, rows=images, symbols=symbols)} if used else {}
    outputs = codec.decode(
        passed.received_BK,
        passed.csi_BM,
        snr_db_N=np.full(images, snr_db, dtype=np.float32),
        equalizer=passed.equalizer,
        **told,
    )
    if not is_finite(outputs):  # as the receiver's process
        raise CheckpointError("the codec decodes a frame to NaN or Inf")
    return outputs
