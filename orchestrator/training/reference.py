"""Evaluation in one process over the deployed modules: the reference of every sweep.

Frames, channel draws and forward passes are those of the processes in exact mode, so that the
predictions are the same, image by image.

Shape legend: N images of a frame, K complex symbols.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from channel_sim.channels import Codewords
from channel_sim.passing import pass_frame
from receiver.codec import ReceiverCodec
from semcom.checkpoints import Checkpoint
from semcom.errors import CheckpointError
from semcom.points import EqualizerMethod, PointSpec
from semcom.probe import is_finite
from semcom.shards import Shard
from transmitters.codec import TransmitterCodec
from transmitters.engine import FrameCodec

NOISE_FREE_SNR_DB = 30.0  # the upper end of the decoder's SNR code

Symbols = npt.NDArray[np.complex64]
Predictions = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Evaluation:
    """predictions_N uint16 and how many of them are right."""

    predictions_N: Predictions
    correct: int

    @property
    def accuracy(self) -> float:
        """Share of images classified rightly, 0..1."""
        return self.correct / len(self.predictions_N)


def evaluate(
    checkpoint: Checkpoint,
    shard: Shard,
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
    shard: Shard,
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
    codec, receiver = TransmitterCodec.load(checkpoint), ReceiverCodec.load(checkpoint)
    frames: list[Symbols] = []
    for point in points:
        if not frames or codec.architecture.channel.tx_csi:
            snr_db = NOISE_FREE_SNR_DB if point is None else point.snr_db
            encoded = encode_frames(
                codec, shard, images=total, frame_images=frame_images, snr_db=snr_db
            )
            frames = list(encoded)
        joined = np.concatenate(decode_frames(receiver, frames, point, link=link))
        yield Evaluation(joined, int((joined == shard.labels_N[:total]).sum()))


def encode_frames(
    codec: FrameCodec, shard: Shard, *, images: int, frame_images: int, snr_db: float
) -> Iterator[Symbols]:
    """Symbols_NK of each frame, encoded when it is asked for.

    They depend on `snr_db` only where the codec has `tx_csi`: elsewhere one encoding serves all
    points.
    """
    for first in range(0, images, frame_images):
        end = min(first + frame_images, images)
        yield codec.encode(shard.images_NHWC[first:end], snr_db=snr_db)


def decode_frames(
    codec: ReceiverCodec, frames: Sequence[Symbols], point: PointSpec | None, *, link: str
) -> list[Predictions]:
    """Each frame through its own draw of the channel and one forward pass: predictions_N.

    Raises:
        CheckpointError: the codec makes NaN or Inf of a frame.
    """
    answers: list[Predictions] = []
    first_image = 0
    for symbols_NK in frames:
        logits = _receive(codec, symbols_NK, point, link=link, first_image=first_image)
        if not is_finite(logits):  # as the receiver's process
            raise CheckpointError("the codec decodes a frame to NaN or Inf")
        answers.append(logits.argmax(axis=1).astype("<u2"))
        first_image += len(symbols_NK)
    return answers


def _receive(
    codec: ReceiverCodec,
    symbols_NK: Symbols,
    point: PointSpec | None,
    *,
    link: str,
    first_image: int,
) -> npt.NDArray[np.float32]:
    received_NK, csi_NM, snr_db = symbols_NK, None, NOISE_FREE_SNR_DB
    equalizer: EqualizerMethod = "zero_forcing"
    if point is not None:
        passed = pass_frame(Codewords(point, link, first_image, len(symbols_NK)), symbols_NK)
        received_NK, csi_NM = passed.received_BK, passed.csi_BM
        equalizer, snr_db = passed.equalizer, point.snr_db
    return codec.decode(
        received_NK,
        csi_NM,
        snr_db_N=np.full(len(symbols_NK), snr_db, dtype=np.float32),
        equalizer=equalizer,
    )
