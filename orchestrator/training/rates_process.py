"""`python -m orchestrator.training.rates_process ASKED`: right answers with each codeword length.

ASKED is JSON: folders of codec and data set, which images, channels and SNRs. What is printed is
JSON, too: how many answers are right, [channel][SNR][increments - 1].
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from orchestrator.training.reference import SentFrame, decode_frames, encode_frames
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.entry import run_process
from semcom.errors import SemcomError
from semcom.increments import Rate
from semcom.points import AnyChannel, PointSpec
from semcom.shards import Shard, Span
from semcom.tasks.classification import CORRECT
from semcom.tasks.ordered_classification import OrderedClassification

FRAME_IMAGES = 100
CHANNELS: TypeAdapter[list[AnyChannel]] = TypeAdapter(list[AnyChannel])


def right_answers(
    checkpoint: Checkpoint,
    shard: Shard,
    *,
    images: range,
    channels: Sequence[AnyChannel],
    snrs_db: Sequence[float],
) -> list[list[list[int]]]:
    """Return how many answers are right: over each channel, at each SNR, with 1 to I increments.

    All lengths meet the same fading and noise, as in a sweep.
    """
    manifest = checkpoint.manifest
    task = manifest.task
    assert isinstance(task, OrderedClassification)
    transmitter, receiver = checkpoint.load_transmitter(), checkpoint.load_receiver()
    references = shard.references(task, Span(images.start, len(images), of=len(shard)))
    frames: list[SentFrame] = []
    found: list[list[list[int]]] = [[] for _ in channels]
    for snr_db in snrs_db:
        if not frames or manifest.needs_snr:
            encoded = encode_frames(
                transmitter,
                manifest,
                shard,
                images=images,
                frame_images=FRAME_IMAGES,
                snr_db=snr_db,
            )
            frames = list(encoded)
        for channel, of_channel in zip(channels, found, strict=True):
            counted = []
            for increments in range(1, len(task.lengths) + 1):
                rate = Rate(increments=increments)
                point = PointSpec(channel=channel, snr_db=snr_db, rate=rate)
                answers = decode_frames(receiver, task, frames, point, link=manifest.dataset)
                counted.append(_right(task, answers, references))
            of_channel.append(counted)
    return found


def _right(task: OrderedClassification, answers: Sequence[Any], references: Any) -> int:
    right, first = 0, 0
    for frame in answers:
        stop = first + len(frame)
        right += task.judge(frame, references[first:stop])[CORRECT]
        first = stop
    return right


def main(asked: str) -> int:
    """Measure what is asked for; the exit code."""
    wanted = json.loads(asked)
    torch.set_num_threads(1)
    try:
        found = right_answers(
            open_checkpoint(Path(wanted["codec"])),
            Shard(Path(wanted["dataset"]), wanted["split"]),
            images=range(wanted["first"], wanted["stop"]),
            channels=CHANNELS.validate_python(wanted["channels"]),
            snrs_db=wanted["snrs_db"],
        )
    except SemcomError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(run_process(lambda: main(sys.argv[1])))
