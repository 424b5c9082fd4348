"""From a trained slot or link to a codec on disk, with what it was trained on and reaches."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save as format_safetensors
from torch import nn

from orchestrator.training.semnoma.evaluation import (
    CHANNELS,
    SNRS_DB,
    Condition,
    evaluate,
    load_link,
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

TEST_IMAGES = 1000  # that a manifest's results are of; the evaluation takes all


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

    `command` and the number of `ranks` repeat the training. `report` is called before each of the
    evaluations and at the end, as (done, total).
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
            "architecture": architecture.model_dump(mode="json"),
            "weights": weight_files(contents),
            "training": _provenance(trained, command=command, bf16=bf16) | {"ranks": ranks},
        },
        where=f"codec {settings.name}",
    )
    draft = settings.work_dir / settings.name / "draft"
    try:  # a codec that is in the folder stays until the new one is measured
        written = write_codec(draft, manifest, contents)
        results = measure(written, trained, report)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return write_codec(folder, manifest.model_copy(update={"results": results}), contents)


def halves(link: SlotLink) -> dict[End, bytes]:
    """Return the files of both ends; a plain link keeps the plane of its first user."""
    encoder = nn.Module()
    encoder.planes = nn.Parameter(link.encoder.planes[: link.architecture.users])
    sent = to_arrays({"encoder": link.encoder}) | to_arrays({"encoder": encoder})
    return {
        "transmitter": format_safetensors(sent),
        "receiver": format_safetensors(to_arrays({"decoders": link.decoders})),
    }


def measure(
    checkpoint: Checkpoint, trained: SemnomaTrained, report: Callable[[int, int], None]
) -> dict[str, Any]:
    """Mean PSNR in dB on the first images of the test split, by channel and SNR."""
    settings = trained.settings
    link = load_link(checkpoint, users=settings.architecture.users)
    shard = Shard(settings.dataset_dir, "test")
    images = np.array(shard.images_NHWC[:TEST_IMAGES])
    at = Condition(channel="awgn", snr_db=0.0, users=settings.architecture.users)
    points = [replace(at, channel=each, snr_db=snr) for each in CHANNELS for snr in SNRS_DB]
    found: dict[str, dict[str, float]] = {channel: {} for channel in CHANNELS}
    for done, point in enumerate(points):
        report(done, len(points))
        psnr_db = evaluate(link, images, point).psnr_db_UM.mean()
        found[point.channel][f"{point.snr_db:g}"] = round(float(psnr_db), 3)
    report(len(points), len(points))
    return {"test_images": len(images), "users": at.users, "psnr_db_by_channel_and_snr_db": found}


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
