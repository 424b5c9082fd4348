"""Refuses settings of a training that would have no effect.

What contradicts another setting is refused wherever it is written. A stage or a part that a
command does not run may still stand in a file, because one file serves several commands; named
with `--set`, for this command alone, it is refused too.
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

# Keys that options of the command decide.
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
OF_THE_PENALTY = ("penalty_weight", "penalty_temperature", "penalized", "selection")
Reasons = Iterator[tuple[str, str]]  # a key, alone or of a group, and why it has no effect


def check_options(overrides: dict[str, Any]) -> None:
    """See that no setting says what an option of the command says.

    Raises:
        ConfigurationError: one does.
    """
    for key in keys_of(overrides):
        if key in OPTIONS:
            raise ConfigurationError(f"settings: {key} is told by {OPTIONS[key]}; leave it out")


def check_effects(
    settings: TrainingSettings,
    *,
    written: Sequence[str],
    commanded: Sequence[str],
    until: StageName | None,
) -> None:
    """See that what was asked for has an effect.

    Args:
        settings: what all of it comes to.
        written: keys that were written anywhere, as `stages.stage1.epochs`.
        commanded: those of them that were written for this command.
        until: the stage that the command ends after.

    Raises:
        ConfigurationError: a key has none; the text says why.
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
    """Yield momentum and decay of the squares' mean of optimisers that have none."""
    for name, stage in stages.items():
        if stage.optimizer in ("adam", "adamw"):
            yield f"stages.{name}.momentum", f"optimizer {stage.optimizer} has none of its own"
        else:
            yield f"stages.{name}.beta2", f"optimizer {stage.optimizer} has none"


def keys_of(overrides: dict[str, Any], group: str = "") -> list[str]:
    """Return the keys of nested settings, joined by points."""
    keys: list[str] = []
    for key, value in overrides.items():
        path = f"{group}{key}"
        keys += keys_of(value, f"{path}.") if isinstance(value, dict) and value else [path]
    return keys


def _contradicted(settings: TrainingSettings) -> Reasons:
    """What has no effect beside the other settings, whatever the command runs."""
    yield from idle_moments(settings.stages)
    if "rician" not in settings.distillation.channels:
        yield "distillation.rician_k", "distillation.channels has no rician"
    teacher = settings.teacher
    if not isinstance(teacher.encoder, TimmEncoderArchitecture):
        kind = f"the teacher's encoder is of kind {teacher.encoder.kind}"
        yield "teacher.pretrained", f"{kind}, not timm"
        if not isinstance(teacher.encoder, ConvEncoderArchitecture):
            yield "teacher.identity_init", f"{kind}, not conv"
    else:
        yield "teacher.identity_init", "the teacher's encoder is of kind timm, not conv"
        if teacher.weights is not None and not teacher.pretrained:
            yield "teacher.pretrained", "the teacher starts from teacher.weights"
    if settings.architecture.channel.increments is not None:
        yield "architecture.channel.compression_ratio", "architecture.channel.increments decide"
    if settings.depths != "preset":
        yield "architecture.encoder.depths", f"depths is {settings.depths}; set depths=preset"


def _idle(settings: TrainingSettings, until: StageName | None) -> Reasons:
    """What the command does not run."""
    runs = set(SYSTEM_STAGES[settings.system])
    if settings.depths != "search" and until != "search":
        runs.discard("search")
        yield "search", "the command does not search; semcom search does, or depths=search"
    if settings.teacher.codec is not None:
        runs.discard("teacher")
        for key in ("fine_tune", "label_smoothing", "cutout", "identity_init", "pretrained"):
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
        yield "jscc_teacher", f"of jscc-teacher, not of {settings.system}"
    yield from _of_baselines(settings)


def _of_baselines(settings: TrainingSettings) -> Reasons:
    """What a baseline has not."""
    if settings.system == "rkd-sc":
        return
    reason = f"{settings.system} sends the feature itself"
    for key in ("compression_ratio", "ffn_dim", "tx_csi"):
        yield f"architecture.channel.{key}", reason
    for key in ("kd_weight", "re_weight", "task_weight", "whitening"):
        yield f"distillation.{key}", f"{settings.system} follows no teacher's feature"
    yield "augmentation.views", f"{settings.system} follows no teacher's feature"
    if settings.system == "jscc-student":
        yield "teacher", "jscc-student has no teacher"
