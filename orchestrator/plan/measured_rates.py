"""Makes a codec's table of increments by SNR; a process of its own computes, for torch is there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from semcom.checkpoints import Checkpoint, state_rates
from semcom.children import run_module
from semcom.errors import ConfigurationError, ProcessFailedError
from semcom.points import AnyChannel
from semcom.shards import Split, read_manifest
from semcom.snr_rates import choose_rates
from semcom.tasks.ordered_classification import OrderedClassification

MODULE = "orchestrator.training.rates_process"
SNRS_DB = tuple(float(snr_db) for snr_db in np.arange(-15.0, 25.1, 2.5))


@dataclass(frozen=True)
class ImagesToChooseOn:
    """Images of a data set on which lengths are compared, and whether training left them out."""

    split: Split
    first: int
    stop: int
    held_out: bool


def make_rates(
    checkpoint: Checkpoint,
    dataset_dir: Path,
    *,
    channels: Sequence[AnyChannel],
    images: int,
    tolerance: float,
) -> tuple[Checkpoint, ImagesToChooseOn]:
    """Measure an ordered codec's lengths, and write its table of increments by SNR.

    Args:
        checkpoint: of the codec; its folder is written to.
        dataset_dir: the data set that it was trained on.
        channels: the table serves all of them.
        images: at most so many are sent.
        tolerance: share of right answers that may be lost against all increments.

    Returns:
        The codec with its table, and the images that the table was made on.

    Raises:
        ConfigurationError: the codec has one length, or the data set is not there or another one.
        ProcessFailedError: the process could not measure; it says why.
        StorageError: the disk cannot be written.
    """
    if not isinstance(checkpoint.manifest.task, OrderedClassification):
        raise ConfigurationError(
            f"codec {checkpoint.folder.name} has codewords of one length, so there is nothing to "
            "choose"
        )
    chosen = _images_to_choose_on(checkpoint, dataset_dir, images)
    asked = {
        "codec": str(checkpoint.folder),
        "dataset": str(dataset_dir),
        "split": chosen.split,
        "first": chosen.first,
        "stop": chosen.stop,
        "channels": [channel.model_dump(mode="json") for channel in channels],
        "snrs_db": SNRS_DB,
    }
    done = run_module(
        MODULE, json.dumps(asked), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ProcessFailedError(last.removeprefix("error: "), done.returncode)
    correct_CSI = np.array(json.loads(done.stdout), dtype=np.float64)
    shares_CSI = correct_CSI / (chosen.stop - chosen.first)
    table = choose_rates(SNRS_DB, shares_CSI, tolerance=tolerance)
    labels = [channel.label for channel in channels]
    made = asdict(chosen) | {"channels": labels, "tolerance": tolerance}
    return state_rates(checkpoint, table, made), chosen


def _images_to_choose_on(
    checkpoint: Checkpoint, dataset_dir: Path, images: int
) -> ImagesToChooseOn:
    """Prefer validation images, then training images that were left out, then the last ones."""
    manifest = checkpoint.manifest
    splits = read_manifest(dataset_dir).splits
    train, validation = splits.get("train"), splits.get("validation")
    if train is None or manifest.training.get("dataset_sha256") not in (None, train.sha256):
        raise ConfigurationError(
            f"{dataset_dir} does not hold the images that codec {manifest.name} was trained on"
        )
    if validation is not None:
        return ImagesToChooseOn("validation", 0, min(images, validation.images), held_out=True)
    seen = manifest.training.get("training_images", train.images)
    left_out = train.images - seen
    if left_out >= images:
        return ImagesToChooseOn("train", seen, seen + images, held_out=True)
    return ImagesToChooseOn("train", max(0, train.images - images), train.images, held_out=False)
