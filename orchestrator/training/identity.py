"""What decides a stage's result: settings, data and earlier stages, as its digest stands for."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from orchestrator.training.artefacts import Artefact
from orchestrator.training.data import ImageSet
from orchestrator.training.settings import StageName, TrainingSettings
from semcom.checkpoints import Checkpoint
from semcom.errors import CheckpointError
from semcom.files import open_regular

# Whose results a stage starts from. The search hands on depths, which are the student's own.
INPUTS: dict[StageName, tuple[StageName, ...]] = {
    "teacher": (),
    "search": ("teacher",),
    "stage1": ("teacher",),
    "head": ("stage1",),
    "stage2": ("teacher", "head"),
    "jscc": ("teacher",),
}


def identity(
    name: StageName,
    settings: TrainingSettings,
    *,
    images: ImageSet,
    before: Mapping[StageName, Artefact],
    given: Mapping[StageName, Checkpoint],
    bf16: bool,
) -> dict[str, Any]:
    """All that decides what a stage leaves behind: its settings and the stages `before` it.

    Of a stage that is taken from a `given` codec, the codec decides.
    """
    student = settings.architecture.encoder.model_dump(mode="json")
    if name == "search":
        student.pop("depths")
    augmentation = settings.augmentation.model_dump(mode="json")
    if name in {"teacher", "head", "jscc"}:
        augmentation.pop("views")
    common = {
        "data": images.digest,
        "images": len(images),
        "classes": settings.architecture.classes,
        "seed": settings.seed,
        "precision": "bf16" if bf16 else "fp32",
        "augmentation": augmentation,
    }
    if name in given:
        return {**common, "codec": given[name].digest}
    schedule = settings.stages[name]
    # Artefacts from before there was a limit keep their digests.
    left_out = {"max_gradient_norm"} if schedule.max_gradient_norm is None else set()
    own: dict[str, Any] = {"schedule": schedule.model_dump(mode="json", exclude=left_out)}
    if schedule.optimizer == "muon" and not bf16:
        own["orthogonalized"] = "fp32"
    if name == "teacher":
        own["teacher"] = settings.teacher.model_dump(mode="json", exclude={"weights", "codec"})
        own["weights"] = weights_digest(settings)
    else:
        own["encoder"] = student
    if name == "search":
        search = settings.search
        left_out = {key for key in ("warmup_epochs", "images") if getattr(search, key) is None}
        left_out |= {"penalized"} if search.penalized == "alpha" else set()
        own["search"] = search.model_dump(mode="json", exclude=left_out)
        own["start"] = "shortcuts"  # how the supernet's blocks begin
    distillation = settings.distillation
    if name in {"head", "stage2", "jscc"}:  # a link's parts are drawn in order, the head last
        own["channel"] = settings.architecture.channel.model_dump(mode="json")
    if name in {"stage2", "jscc"}:
        left_out = {"whitening"} | (
            {"rician_k"} if "rician" not in distillation.channels else set()
        )
        own["distillation"] = distillation.model_dump(mode="json", exclude=left_out)
    follows = name in {"stage1", "stage2"} or (name == "search" and taught(settings))
    if follows and distillation.whitening is not None:
        own["whitening"] = distillation.whitening
    taken = () if name == "search" and not taught(settings) else INPUTS[name]
    inputs = {stage: before[stage].digest for stage in taken if stage in before}
    return {**common, "inputs": inputs, **own}


def settings_of_search(made_of: dict[str, Any], teacher: Checkpoint | None) -> str:
    """Digest of what searches that differ in their seed have in common, `teacher` a codec's."""
    search = {key: value for key, value in made_of["search"].items() if key != "seed"}
    rest = {key: value for key, value in made_of.items() if key not in {"seed", "inputs"}}
    followed = None if teacher is None else teacher.digest
    text = json.dumps({**rest, "search": search, "teacher": followed}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def taught(settings: TrainingSettings) -> bool:
    """Whether the search follows a teacher; plain DARTS has none."""
    return settings.search.method == "kdl-darts"


def weights_digest(settings: TrainingSettings) -> str | None:
    """SHA-256 of a local file of the teacher's weights; None without one.

    Raises:
        CheckpointError: it cannot be read.
    """
    path = settings.teacher.weights
    if path is None:
        return None
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"teacher.weights: {path}: {error.strerror}") from error
