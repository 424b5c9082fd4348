"""Refuses settings of a training that would have no effect.

A setting that contradicts another one is always refused. Settings of a stage or a part that a
command does not run are allowed in a file, because one file serves several commands; set with
`--set`, for this command alone, they are refused, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.training.settings import (
    SYSTEM_STAGES,
    StageName,
    StageSettings,
    TrainingSettings,
)
from semcom.architecture import ConvEncoderArchitecture, TimmEncoderArchitecture
from semcom.errors import ConfigurationError

# Keys that are set by options of the command.
OPTIONS = {
    "name": "--name",
    "dataset": "the data set's name",
    "data_dir": "--data",
    "work_dir": "--work",
    "system": "--system",
    "architecture.channel.system": "--system",
    "architecture.item": "the data set",
    "architecture.classes": "the data set",
}
OF_A_TRAINED_TEACHER = (
    "fine_tune", "label_smoothing", "cutout", "identity_init", "pretrained", "backbone",
)  # fmt: skip
OF_THE_PENALTY = ("penalty_weight", "penalty_temperature", "penalized", "selection")
Reasons = Iterator[tuple[str, str]]  # a key or a group of keys, and why it has no effect


def check_options(overrides: dict[str, Any]) -> None:
    """Check that no setting duplicates an option of the command.

    Raises:
        ConfigurationError: one does so.
    """
    for key in keys_of(overrides):
        if key in OPTIONS:
            raise ConfigurationError(f"settings: {key} is set by {OPTIONS[key]}; omit it")


def check_effects(
    settings: TrainingSettings,
    *,
    written: Sequence[str],
    commanded: Sequence[str],
    until: StageName | None,
) -> None:
    """Check that all requested settings have an effect.

    Args:
        settings: the resulting settings.
        written: keys that were written anywhere, as `stages.stage1.epochs`.
        commanded: those of them that were written for this command.
        until: the stage that the command ends after.

    Raises:
        ConfigurationError: a key has no effect; the text says why.
    """
    refuse_idle(written, _contradicted(settings))
    refuse_idle(commanded, _idle(settings, until))


def refuse_idle(keys: Sequence[str], reasons: Reasons) -> None:
    """Refuse keys that have no effect.

    Raises:
        ConfigurationError: one has none; the text says why.
    """
    for idle, reason in reasons:
        for key in keys:
            if key == idle or key.startswith(f"{idle}."):
                raise ConfigurationError(f"settings: {key}: has no effect: {reason}")


def idle_moments(stages: Mapping[Any, StageSettings]) -> Reasons:
    """Yield momentum and weight averaging settings of optimisers that have none."""
    for name, stage in stages.items():
        if stage.optimizer in ("adam", "adamw"):
            yield f"stages.{name}.momentum", f"optimizer {stage.optimizer} has none of its own"
        else:
            for key in ("beta1", "beta2"):
                yield f"stages.{name}.{key}", f"optimizer {stage.optimizer} has none"


def keys_of(overrides: dict[str, Any], group: str = "") -> list[str]:
    """Return the keys of nested settings, joined by dots."""
    keys: list[str] = []
    for key, value in overrides.items():
        path = f"{group}{key}"
        keys += keys_of(value, f"{path}.") if isinstance(value, dict) and value else [path]
    return keys


def _contradicted(settings: TrainingSettings) -> Reasons:
    """Return settings without effect because of other settings, whatever the command runs."""
    yield from idle_moments(settings.stages)
    if not settings.distillation.logit_weight:
        yield "distillation.logit_temperature", "distillation.logit_weight is 0"
    if "rician" not in settings.distillation.channels:
        yield "distillation.rician_k", "distillation.channels has no rician"
    teacher = settings.teacher
    if not isinstance(teacher.encoder, TimmEncoderArchitecture):
        kind = f"the teacher's encoder is of kind {teacher.encoder.kind}"
        yield "teacher.pretrained", f"{kind}, not timm"
        yield "teacher.backbone", f"{kind}, not timm"
        if not isinstance(teacher.encoder, ConvEncoderArchitecture):
            yield "teacher.identity_init", f"{kind}, not conv"
    else:
        yield "teacher.identity_init", "the teacher's encoder is of kind timm, not conv"
        if teacher.backbone == "frozen":
            yield "teacher.cutout", "teacher.backbone is frozen: its outputs are kept"
        if teacher.weights is not None and not teacher.pretrained:
            yield "teacher.pretrained", "the teacher starts from teacher.weights"
    if settings.architecture.channel.increments is not None:
        yield "architecture.channel.compression_ratio", "architecture.channel.increments decide"
    if settings.depths != "preset":
        yield "architecture.encoder.depths", f"depths is {settings.depths}; set depths=preset"


def _idle(settings: TrainingSettings, until: StageName | None) -> Reasons:
    """Return the settings of stages that the command does not run."""
    runs = set(SYSTEM_STAGES[settings.system])
    if settings.depths != "search" and until != "search":
        runs.discard("search")
        yield "search", "the command does not search; semcom search does, or depths=search"
    if settings.teacher.codec is not None:
        runs.discard("teacher")
        for key in OF_A_TRAINED_TEACHER:
            yield f"teacher.{key}", "the teacher is a codec's student (teacher.codec, init_from)"
    if settings.init_from is not None:
        runs -= {"stage1", "head"}
    for name in settings.stages:
        if name not in runs:
            yield f"stages.{name}", f"the command does not run stage {name}"
    if settings.search.method == "darts":
        for key in ("kd_weight", "task_weight", *OF_THE_PENALTY):
            yield f"search.{key}", "plain DARTS has no teacher and no penalty"
    if settings.system != "jscc-teacher":
        yield "jscc_teacher", f"only for jscc-teacher, not for {settings.system}"
    yield from _of_baselines(settings)


def _of_baselines(settings: TrainingSettings) -> Reasons:
    """Return the settings that a baseline does not have."""
    if settings.system == "rkd-sc":
        return
    if settings.architecture.channel.is_direct:
        reason = f"{settings.system} sends the feature itself"
        for key in ("compression_ratio", "ffn_dim", "tx_csi"):
            yield f"architecture.channel.{key}", reason
    of_a_feature = ("kd_weight", "re_weight", "task_weight", "logit_weight", "whitening")
    for key in of_a_feature:
        yield f"distillation.{key}", f"{settings.system} follows no teacher's feature"
    yield "augmentation.views", f"{settings.system} follows no teacher's feature"
    if settings.system != "jscc-teacher":
        yield "teacher", f"{settings.system} has no teacher"
