"""From a trained link to a codec on disk, with what it was trained on and what it reaches."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrator.training.distill import Job
from orchestrator.training.evaluate import evaluate
from semcom.checkpoints import Checkpoint, write_checkpoint
from semcom.nn.weights import to_arrays
from semcom.points import PointSpec
from semcom.shards import Shard

CHECK_SNR_DB = (-10.0, 0.0, 10.0, 25.0)


def export_codec(job: Job, folder: Path, *, command: str) -> Checkpoint:
    """Write both ends as fp16 safetensors, evaluate what was written, and record it."""
    settings = job.settings
    weights = {
        "transmitter": to_arrays(job.link.transmitter.modules),
        "receiver": to_arrays(job.link.receiver.modules),
    }
    fields: dict[str, Any] = {
        "name": settings.name,
        "dataset": settings.dataset,
        "architecture": settings.architecture,
        "weights": weights,
        "training": _provenance(job, command),
    }
    draft = write_checkpoint(folder, results={}, **fields)
    return write_checkpoint(folder, results=measure(draft, settings.dataset_dir), **fields)


def measure(checkpoint: Checkpoint, dataset_dir: Path) -> dict[str, Any]:
    """Accuracy on the whole test split: without noise, and at a few SNRs over AWGN."""
    shard = Shard(dataset_dir, "test")
    link = checkpoint.manifest.dataset
    clean = evaluate(checkpoint, shard, None, link=link)
    awgn = {
        f"{snr_db:g}": evaluate(checkpoint, shard, PointSpec(snr_db=snr_db), link=link).accuracy
        for snr_db in CHECK_SNR_DB
    }
    return {
        "test_images": len(shard),
        "noise_free_accuracy": clean.accuracy,
        "awgn_accuracy_by_snr_db": awgn,
    }


@torch.inference_mode()
def teacher_accuracy(job: Job, batch: int = 500) -> float:
    """Noise-free accuracy of the teacher on the test split."""
    shard = Shard(job.settings.dataset_dir, "test")
    job.teacher.eval()
    correct = 0
    for first in range(0, len(shard), batch):
        images = torch.from_numpy(np.array(shard.images_NHWC[first : first + batch]))
        predicted = job.teacher(job.prepare(images))[1].argmax(dim=1).numpy()
        correct += int((predicted == shard.labels_N[first : first + batch]).sum())
    return correct / len(shard)


def _provenance(job: Job, command: str) -> dict[str, Any]:
    settings = job.settings
    return {
        "command": command,
        "dataset_sha256": job.images.digest,
        "dataset_source": job.images.manifest.source,
        "training_images": len(job.images),
        "seed": settings.seed,
        "precision": "bf16" if job.bf16 else "fp32",
        "teacher": settings.teacher.model_dump(mode="json"),
        "teacher_parameters": sum(p.numel() for p in job.teacher.parameters()),
        "teacher_accuracy": teacher_accuracy(job),
        "augmentation": settings.augmentation.model_dump(mode="json"),
        "distillation": settings.distillation.model_dump(mode="json"),
        "stages": {name: s.model_dump(mode="json") for name, s in settings.stages.items()},
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
