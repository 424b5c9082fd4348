"""A link in one process, without sockets: the reference for benchmarks of the processes.

    python -m orchestrator.training.offline --codec DIR --dataset DIR --images N --frame-images B

Each line of standard input requests a measurement and is answered by a number:

    link        seconds for N images through encoder, channel, decoder and head, frame by frame
    decode B    images per second of decoder and head alone, with B images per pass
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from channel_sim.channels import draw_channel, pass_through
from orchestrator.training.reference import decode_frames, encode_frames
from receiver.codec import ReceiverCodec
from semcom.checkpoints import open_checkpoint
from semcom.errors import SemcomError
from semcom.plain_text import tell_error
from semcom.points import PointSpec
from semcom.shards import Shard
from transmitters.codec import TransmitterCodec

POINT = PointSpec(snr_db=5.0)
LINK = "offline"
DECODE_S = 1.0  # of one measurement


class OfflineLink:
    """Both halves of a codec, and images to send."""

    def __init__(self, codec: Path, dataset: Path, *, images: int, frame_images: int) -> None:
        checkpoint = open_checkpoint(codec)
        self._transmitter = TransmitterCodec.load(checkpoint)
        self._receiver = ReceiverCodec.load(checkpoint)
        self._manifest = checkpoint.manifest
        self._shard = Shard(dataset, "test")
        self._images = min(images, len(self._shard))
        self._frame_images = frame_images

    def link_seconds(self) -> float:
        """Return the seconds for all images, frame by frame."""
        started_s = time.perf_counter()
        frames = encode_frames(
            self._transmitter,
            self._manifest,
            self._shard,
            images=range(self._images),
            frame_images=self._frame_images,
            snr_db=POINT.snr_db,
        )
        decode_frames(self._receiver, self._manifest.task, list(frames), POINT, link=LINK)
        return time.perf_counter() - started_s

    def decoded_per_second(self, batch: int) -> float:
        """Return images per second through decoder and head."""
        symbols = self._transmitter.architecture.channel.symbols
        draw = draw_channel(POINT, link=LINK, first_image=0, images=batch, symbols=symbols)
        received_BK = pass_through(np.ones((batch, symbols), dtype=np.complex64), draw)
        snr_db_B = np.full(batch, POINT.snr_db, dtype=np.float32)
        images, started_s = 0, time.perf_counter()
        while time.perf_counter() - started_s < DECODE_S:
            self._receiver.decode(received_BK, None, snr_db_N=snr_db_B, equalizer="zero_forcing")
            images += batch
        return images / (time.perf_counter() - started_s)


def main() -> int:
    """Answer requests until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.training.offline")
    parser.add_argument("--codec", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--frame-images", type=int, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        link = OfflineLink(
            arguments.codec,
            arguments.dataset,
            images=arguments.images,
            frame_images=arguments.frame_images,
        )
    except SemcomError as error:
        tell_error(str(error))
        return error.exit_code
    for line in sys.stdin:
        _, *sizes = line.split()
        measured = link.decoded_per_second(int(sizes[0])) if sizes else link.link_seconds()
        print(measured, flush=True)  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
