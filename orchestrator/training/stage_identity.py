"""The identity of a stage: settings, data and earlier stages, combined in its digest.

The lists of fields are frozen (semcom/identity.py): artefacts of earlier versions keep their names.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from orchestrator.training.artefacts import Artefact
from orchestrator.training.data import ImageSet
from orchestrator.training.published_weights import published_file
from orchestrator.training.settings import StageName, TrainingSettings
from semcom.checkpoints import Checkpoint
from semcom.errors import CheckpointError
from semcom.files import open_regular
from semcom.identity import CHANNEL_CODEC, ENCODER, content, fields

# Stages whose results a stage starts from. The search provides depths, which belong to the student.
INPUTS: dict[StageName, tuple[StageName, ...]] = {
    "teacher": (),
    "search": ("teacher",),
    "stage1": ("teacher",),
    "head": ("stage1",),
    "stage2": ("teacher", "head"),
    "jscc": ("teacher",),
}

AUGMENTATION = fields("crop_padding", "flip", "views")
SCHEDULE = fields(
    "epochs", "batch", "optimizer", "lr", "lr_end", "warmup", "weight_decay", "momentum"
)
TEACHER = fields(
    "pretrained", "fine_tune", "identity_init", "label_smoothing", "cutout", encoder=ENCODER
)
SEARCH = fields(
    "method", "seed", "kd_weight", "task_weight", "penalty_weight", "temperature",
    "penalty_temperature", "selection", "optimizer", "lr", "lr_end", "weight_decay", "held_out",
)  # fmt: skip
DISTILLATION = fields(
    "snr_db_low", "snr_db_high", "channels", "kd_weight", "re_weight", "task_weight"
)


def stage_identity(
    name: StageName,
    settings: TrainingSettings,
    *,
    images: ImageSet,
    before: Mapping[StageName, Artefact],
    given: Mapping[StageName, Checkpoint],
    bf16: bool,
) -> dict[str, Any]:
    """Return everything that determines a stage's result: its settings and the stages `before` it.

    For a stage that is taken from a `given` codec, it is the codec.
    """
    distillation = settings.distillation
    student = content(settings.architecture.encoder, ENCODER)
    augmentation = content(settings.augmentation, AUGMENTATION)
    keeps_views = name == "teacher" and settings.teacher.backbone == "frozen"
    if name in {"teacher", "head", "jscc"} and not keeps_views:
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
    own: dict[str, Any] = {"schedule": content(schedule, SCHEDULE)}
    if schedule.optimizer == "muon" and not bf16:
        own["orthogonalized"] = "fp32"
    if name == "teacher":
        own["teacher"] = _without(content(settings.teacher, TEACHER), "weights", "codec")
        own["weights"] = weights_digest(settings)
    elif name == "search":
        own["encoder"] = _without(student, "depths")
        own["search"] = content(settings.search, SEARCH)
        own["start"] = "shortcuts"  # initialisation of the supernet's blocks
    else:
        own["encoder"] = student
    if name in {"head", "stage2", "jscc"}:  # a link's parts are initialised in order, the head last
        own["channel"] = content(settings.architecture.channel, CHANNEL_CODEC)
    if name in {"stage2", "jscc"}:
        own["distillation"] = _without(content(distillation, DISTILLATION), "whitening", "rician_k")
        if "rician" in distillation.channels:
            own["distillation"]["rician_k"] = distillation.rician_k
    if name == "jscc" and settings.jscc_teacher.frozen:
        own["frozen"] = True
    follows = name in {"stage1", "stage2"} or (name == "search" and taught(settings))
    if follows and distillation.whitening is not None:
        own["whitening"] = distillation.whitening
    taken = () if name == "search" and not taught(settings) else INPUTS[name]
    inputs = {stage: before[stage].digest for stage in taken if stage in before}
    return {**common, "inputs": inputs, **own}


def _without(covered: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in covered.items() if name not in names}


def backbone_identity(
    settings: TrainingSettings, *, images: ImageSet, bf16: bool
) -> dict[str, Any]:
    """All that decides what a frozen backbone gives of the images."""
    teacher = content(settings.teacher, TEACHER)
    return {
        "data": images.digest,
        "images": len(images),
        "seed": settings.seed,
        "precision": "bf16" if bf16 else "fp32",
        "augmentation": _without(content(settings.augmentation, AUGMENTATION), "views"),
        "encoder": _without(teacher["encoder"], "feature_dim"),
        "pretrained": teacher["pretrained"],
        "weights": weights_digest(settings),
    }


def settings_of_search(made_of: dict[str, Any], teacher: Checkpoint | None) -> str:
    """Return the digest of all settings of a search but its seed; `teacher` is that of a codec."""
    search = {key: value for key, value in made_of["search"].items() if key != "seed"}
    rest = {key: value for key, value in made_of.items() if key not in {"seed", "inputs"}}
    followed = None if teacher is None else teacher.digest
    text = json.dumps({**rest, "search": search, "teacher": followed}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def taught(settings: TrainingSettings) -> bool:
    """Return whether the search follows a teacher; plain DARTS has none."""
    return settings.search.method == "kdl-darts"


def weights_digest(settings: TrainingSettings) -> str | None:
    """Return the SHA-256 of a local file of the teacher's weights; None without one.

    Raises:
        CheckpointError: it cannot be read.
        ConfigurationError: published weights are not there.
    """
    teacher = settings.teacher
    path = teacher.weights
    if isinstance(teacher.pretrained, str) and teacher.codec is None:
        path = published_file(teacher.pretrained, settings.data_dir)
    if path is None:
        return None
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"teacher.weights: {path}: {error.strerror}") from error
