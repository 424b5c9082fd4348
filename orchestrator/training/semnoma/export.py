"""From a trained slot or link to a codec on disk, with its training data and its results."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save as format_safetensors
from torch import nn

from orchestrator.training.measured_codec import write_measured
from orchestrator.training.semnoma.evaluation import (
    CHANNELS,
    SNRS_DB,
    Condition,
    evaluate,
    load_link,
    load_refiner,
)
from orchestrator.training.semnoma.link import SlotLink
from orchestrator.training.semnoma.pipeline import SemnomaTrained
from orchestrator.training.semnoma.settings import SYSTEM_STAGES
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import End
from semcom.codec_manifest import FamilyManifest
from semcom.nn.weights import to_arrays
from semcom.settings import validate
from semcom.shards import Shard
from semcom.tasks.reconstruction import Reconstruction

TEST_IMAGES = 1000  # for a manifest's results; an evaluation uses all


def export_codec(
    trained: SemnomaTrained,
    folder: Path,
    *,
    command: str,
    ranks: int,
    bf16: bool,
    report: Callable[[int, int], None],
) -> Checkpoint:
    """Write both ends as fp16 safetensors, evaluate what was written, and record it.

    `command` and the number of `ranks` repeat the training. `report` is called with (done, total)
    before each of the evaluations and at the end.
    """
    settings, architecture = trained.settings, trained.link.architecture
    contents = halves(trained.link.cpu())
    manifest = validate(
        FamilyManifest,
        {
            "name": settings.name,
            "family": "semnoma",
            "system": settings.system,
            "dataset": settings.dataset,
            "task": Reconstruction(shape=architecture.item),
            "symbols": architecture.symbols,
            "needs_snr": True,
            "links": architecture.users,
            "architecture": architecture.model_dump(mode="json"),
            "weights": weight_files(contents),
            "training": _provenance(trained, command=command, bf16=bf16) | {"ranks": ranks},
        },
        where=f"codec {settings.name}",
    )
    images = np.array(Shard(settings.dataset_dir, "test").images_NHWC[:TEST_IMAGES])
    return write_measured(
        folder,
        settings,
        write=lambda at, found: write_codec(
            at, manifest.model_copy(update={"results": found}), contents
        ),
        measure=lambda written: measure(written, images, settings.architecture.users, report),
    )


def halves(link: SlotLink, refiner: nn.Module | None = None) -> dict[End, bytes]:
    """Return the files of both ends; a plain link keeps the plane of its first user."""
    encoder = nn.Module()
    encoder.planes = nn.Parameter(link.encoder.planes[: link.architecture.users])
    sent = to_arrays({"encoder": link.encoder}) | to_arrays({"encoder": encoder})
    received: dict[str, nn.Module] = {"decoders": link.decoders}
    if refiner is not None:
        received["refiner"] = refiner
    return {
        "transmitter": format_safetensors(sent),
        "receiver": format_safetensors(to_arrays(received)),
    }


def measure(
    checkpoint: Checkpoint,
    images_MSS3: npt.NDArray[np.uint8],
    users: int,
    report: Callable[[int, int], None],
) -> dict[str, Any]:
    """Return the mean PSNR in dB by channel and SNR."""
    link, refiner = load_link(checkpoint, users=users), load_refiner(checkpoint)
    at = Condition(channel="awgn", snr_db=0.0, users=users)
    points = [replace(at, channel=each, snr_db=snr) for each in CHANNELS for snr in SNRS_DB]
    found: dict[str, dict[str, float]] = {channel: {} for channel in CHANNELS}
    for done, point in enumerate(points):
        report(done, len(points))
        psnr_db = evaluate(link, images_MSS3, point, refiner).psnr_db_UM.mean()
        found[point.channel][f"{point.snr_db:g}"] = round(float(psnr_db), 3)
    report(len(points), len(points))
    return {
        "test_images": len(images_MSS3),
        "users": at.users,
        "psnr_db_by_channel_and_snr_db": found,
    }


def _provenance(trained: SemnomaTrained, *, command: str, bf16: bool) -> dict[str, Any]:
    settings = trained.settings
    link = trained.link
    return {
        "command": command,
        "dataset_sha256": trained.images.digest,
        "dataset_source": trained.images.manifest.source,
        "training_images": len(trained.images),
        "seed": settings.seed,
        "precision": "bf16" if bf16 else "fp32",
        "augmentation": settings.augmentation.model_dump(mode="json"),
        "channels": list(settings.channels),
        "losses": settings.losses.model_dump(mode="json"),
        "teacher_power": settings.teacher_power,
        "users": settings.architecture.users,
        "parameters": {
            "encoder": sum(p.numel() for p in link.encoder.parameters())
            - link.encoder.planes.numel(),
            "decoder": sum(p.numel() for p in link.decoders[0].parameters()),
        },
        "stages": {
            name: settings.stages[name].model_dump(mode="json")
            | {
                "artefact": trained.stages[name].digest[:12],
                "validation_psnr_db": round(trained.validated_db[name], 3),
            }
            for name in SYSTEM_STAGES[settings.system]
        },
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
