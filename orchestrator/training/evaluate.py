"""Evaluation in one process over the deployed modules: the reference of every sweep.

Frames, channel draws and forward passes are those of the processes in exact mode, so that the
predictions are the same, image by image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from channel_sim.channels import draw_channel, pass_through
from receiver.codec import ReceiverCodec
from semcom.checkpoints import Checkpoint
from semcom.points import PointSpec
from semcom.shards import Shard
from transmitters.codec import TransmitterCodec

NOISE_FREE_SNR_DB = 30.0  # the upper end of the decoder's SNR code


@dataclass(frozen=True)
class Evaluation:
    """predictions_N uint16 and how many of them are right."""

    predictions_N: npt.NDArray[np.uint16]
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
    transmitter = TransmitterCodec.load(checkpoint)
    receiver = ReceiverCodec.load(checkpoint)
    total = len(shard) if images is None else min(images, len(shard))
    predictions: list[npt.NDArray[np.uint16]] = []
    for first in range(0, total, frame_images):
        count = min(frame_images, total - first)
        snr_db = NOISE_FREE_SNR_DB if point is None else point.snr_db
        symbols_NK = transmitter.encode(shard.images_NHWC[first : first + count], snr_db=snr_db)
        received_NK, csi_N1 = symbols_NK, None
        if point is not None:
            draw = draw_channel(
                point, link=link, first_image=first, images=count, symbols=symbols_NK.shape[1]
            )
            received_NK, csi_N1 = pass_through(symbols_NK, draw), draw.csi_B1
        logits = receiver.decode(
            received_NK,
            csi_N1,
            snr_db_N=np.full(count, snr_db, dtype=np.float32),
            equalizer="zero_forcing" if point is None else point.channel.equalizer,
        )
        predictions.append(logits.argmax(axis=1).astype(np.uint16))
    joined = np.concatenate(predictions)
    return Evaluation(joined, int((joined == shard.labels_N[:total]).sum()))
