"""From a trained link to a codec on disk, with its training data and its results."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrator.training.measured_codec import write_measured
from orchestrator.training.pipeline import Trained
from orchestrator.training.reference import evaluate_points
from orchestrator.training.settings import StageName
from orchestrator.training.stage_identity import weights_digest
from orchestrator.training.teacher import Teacher
from semcom.checkpoints import Checkpoint, write_checkpoint
from semcom.construction import construction_of
from semcom.nn.image_input import prepare_images
from semcom.nn.weights import to_arrays
from semcom.points import PointSpec
from semcom.shards import Shard

CHECK_SNR_DB = (-10.0, 0.0, 10.0, 25.0)


def export_codec(
    trained: Trained,
    folder: Path,
    *,
    command: str,
    ranks: int,
    bf16: bool,
    report: Callable[[int, int], None],
) -> Checkpoint:
    """Write both ends as fp16 safetensors, evaluate what was written, and record it.

    `command` and the number of `ranks` repeat the training.

    `report` is called with (done, total) before each of the evaluations and at the end.
    """
    settings = trained.settings
    link = trained.link.cpu()
    weights = {
        "transmitter": to_arrays(link.transmitter.modules),
        "receiver": to_arrays(link.receiver.modules),
    }
    fields: dict[str, Any] = {
        "name": settings.name,
        "dataset": settings.dataset,
        "classes": trained.images.manifest.classes,
        "architecture": settings.architecture,
        "weights": weights,
        "training": _provenance(trained, command=command, bf16=bf16) | {"ranks": ranks},
    }
    return write_measured(
        folder,
        settings,
        write=lambda at, found: write_checkpoint(at, results=found, **fields),
        measure=lambda written: measure(written, settings.dataset_dir, report),
    )


def measure(
    checkpoint: Checkpoint, dataset_dir: Path, report: Callable[[int, int], None]
) -> dict[str, Any]:
    """Return accuracies on the whole test split, without noise and at a few SNRs over AWGN."""
    shard = Shard(dataset_dir, "test")
    points = [None, *(PointSpec(snr_db=snr_db) for snr_db in CHECK_SNR_DB)]
    evaluations = evaluate_points(checkpoint, shard, points, link=checkpoint.manifest.dataset)
    accuracies: list[float] = []
    for done in range(len(points)):
        report(done, len(points))
        accuracies.append(next(evaluations).value)
    report(len(points), len(points))
    awgn = {f"{snr_db:g}": a for snr_db, a in zip(CHECK_SNR_DB, accuracies[1:], strict=True)}
    return {
        "test_images": len(shard),
        "noise_free_accuracy": accuracies[0],
        "awgn_accuracy_by_snr_db": awgn,
    }


@torch.inference_mode()
def teacher_accuracy(teacher: Teacher, trained: Trained, batch: int = 500) -> float:
    """Return the noise-free accuracy of the teacher on the test split."""
    shard = Shard(trained.settings.dataset_dir, "test")
    teacher.eval()
    device = teacher.head.weight.device
    correct = 0
    for first in range(0, len(shard), batch):
        images = torch.from_numpy(np.array(shard.images_NHWC[first : first + batch])).to(device)
        prepared = prepare_images(images, trained.settings.teacher.encoder.input)
        predicted = teacher(prepared)[1].argmax(dim=1).cpu().numpy()
        correct += int((predicted == shard.labels_N[first : first + batch]).sum())
    return correct / len(shard)


def _provenance(trained: Trained, *, command: str, bf16: bool) -> dict[str, Any]:
    settings = trained.settings
    provenance = {
        "command": command,
        "dataset_sha256": trained.images.digest,
        "dataset_source": trained.images.manifest.source,
        "training_images": len(trained.images),
        "seed": settings.seed,
        "precision": "bf16" if bf16 else "fp32",
        "depths": settings.depths,
        "augmentation": settings.augmentation.model_dump(mode="json"),
        "distillation": settings.distillation.model_dump(mode="json"),
        "stages": {
            name: _stage(name, trained) | {"artefact": made.digest[:12]}
            for name, made in trained.stages.items()
        },
        "construction": construction_of(settings.architecture),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    if settings.depths == "search":
        provenance["search"] = {
            **settings.search.model_dump(mode="json"),
            "seed": settings.search_seed,
        }
    if trained.teacher is not None:
        provenance |= _teacher(trained.teacher, trained)
        codec = trained.given.get("teacher")
        if codec is None or codec.manifest.dataset == settings.dataset:
            provenance["teacher_accuracy"] = teacher_accuracy(trained.teacher, trained)
    if settings.jscc_teacher.frozen:
        provenance["jscc_teacher"] = settings.jscc_teacher.model_dump(mode="json")
    return provenance


def _teacher(teacher: Teacher, trained: Trained) -> dict[str, Any]:
    """Return the teacher for comparison; not a codec's student, which says nothing about size."""
    codec = trained.given.get("teacher")
    if codec is not None:
        return {"teacher": {"codec": codec.digest, "name": codec.manifest.name}}
    settings = trained.settings
    return {
        "teacher": settings.teacher.model_dump(mode="json", exclude={"weights", "codec"}),
        "teacher_weights_sha256": weights_digest(settings),
        "teacher_parameters": sum(p.numel() for p in teacher.parameters()),
    }


def _stage(name: StageName, trained: Trained) -> dict[str, Any]:
    """Return how a stage was trained, or the digest of the codec from which it was taken."""
    if name in trained.given:
        return {"codec": trained.given[name].digest}
    return trained.settings.stages[name].model_dump(mode="json")
