"""Stages that a job takes from an existing codec instead of training them.

With `teacher.codec`, the student of that codec is the teacher; with `init_from`, stage 2 starts
from the codec's student and task head. So a codec is tuned to another compression ratio, SNR or
channel without a separate teacher: the received feature follows the student's own noise-free
feature.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from orchestrator.training.settings import StageName, TrainingSettings
from receiver.codec import ReceiverCodec
from receiver.heads import ClassificationHead
from semcom.architecture import CodecArchitecture
from semcom.checkpoints import Checkpoint, codec_folder, open_checkpoint
from semcom.class_names import check_classes
from semcom.errors import ConfigurationError
from semcom.shards import DatasetManifest
from transmitters.codec import TransmitterCodec

Fields = dict[str, Any]


def given_codecs(settings: TrainingSettings) -> dict[StageName, Checkpoint]:
    """Return the codec from which each given stage is taken; trained stages are not included.

    Raises:
        CheckpointError: a codec is missing or its manifest is not valid.
    """
    given: dict[StageName, Checkpoint] = {}
    if settings.teacher.codec is not None:
        given["teacher"] = open_checkpoint(codec_folder(settings.teacher.codec))
    if settings.init_from is not None:
        given["stage1"] = given["head"] = open_checkpoint(codec_folder(settings.init_from))
    return given


def given_student(codec: Checkpoint) -> tuple[nn.Module, ClassificationHead]:
    """Return a codec's semantic encoder and task head.

    Raises:
        CheckpointError: the weights are missing, damaged, or do not fit.
    """
    return TransmitterCodec.load(codec).encoder, ReceiverCodec.load(codec).head


def lay_given_codecs(merged: Fields, asked: Fields, dataset: DatasetManifest) -> None:
    """Complete `merged` settings with those determined by the named codecs.

    Encoders are those of the codecs; the student from which stage 2 starts is the teacher unless
    another one is named; and features of a student are not whitened again unless the settings that
    override the preset (`asked`) say so.

    Raises:
        CheckpointError: a codec is missing or its manifest is not valid.
        ConfigurationError: it has no student, is for another data set or feature width, or the
            settings name another encoder.
    """
    teacher, student = merged["teacher"], merged["architecture"]
    if teacher["codec"] is None and isinstance(merged["init_from"], str | Path):
        teacher["codec"] = merged["init_from"]
    if teacher["codec"] is not None and "whitening" not in asked.get("distillation", {}):
        merged["distillation"]["whitening"] = None
    for name, folder, group, key in (
        ("init_from", merged["init_from"], student, "architecture"),
        ("teacher.codec", teacher["codec"], teacher, "teacher"),
    ):
        if not isinstance(folder, str | Path):
            continue  # missing or not valid
        if "encoder" in asked.get(key, {}):
            raise ConfigurationError(f"{key}.encoder: {name} has its own encoder")
        given = _architecture_of(Path(folder), name, dataset)
        width = student["channel"]["feature_dim"]
        if given.encoder.feature_dim != width:
            raise ConfigurationError(
                f"{name}: {folder} has features of {given.encoder.feature_dim} numbers, not {width}"
                " (architecture.channel.feature_dim)"
            )
        group["encoder"] = given.encoder.model_dump()


def lay_frozen_teacher(merged: Fields, asked: Fields) -> None:
    """Complete the settings of a frozen JSCC-teacher with the codec whose student it is.

    The codec may be for any data set: its task head is not used.

    Raises:
        CheckpointError: the codec is missing or its manifest is not valid.
        ConfigurationError: it has no student or another feature width, or the settings name another
            encoder.
    """
    teacher, folder = merged["teacher"], merged["teacher"]["codec"]
    if not isinstance(folder, str | Path):
        return  # missing or not valid
    if "encoder" in asked.get("teacher", {}):
        raise ConfigurationError("teacher.encoder: teacher.codec has its own encoder")
    given = _student_of(Path(folder), "teacher.codec").architecture
    width = merged["architecture"]["channel"]["feature_dim"]
    if given.encoder.feature_dim != width:
        raise ConfigurationError(
            f"teacher.codec: {folder} has features of {given.encoder.feature_dim} numbers, not "
            f"{width} (architecture.channel.feature_dim)"
        )
    teacher["encoder"] = given.encoder.model_dump()


def _architecture_of(folder: Path, name: str, dataset: DatasetManifest) -> CodecArchitecture:
    checkpoint = _student_of(folder, name)
    manifest, architecture = checkpoint.manifest, checkpoint.architecture
    if manifest.dataset != dataset.name or architecture.classes != len(dataset.classes):
        raise ConfigurationError(
            f"{name}: {folder} distinguishes {architecture.classes} classes of "
            f"{manifest.dataset}, not "
            f"{len(dataset.classes)} of {dataset.name}"
        )
    check_classes(name, folder.name, manifest, dataset)
    return architecture


def _student_of(folder: Path, name: str) -> Checkpoint:
    checkpoint = open_checkpoint(codec_folder(folder))
    architecture = checkpoint.architecture
    if architecture.channel.system != "rkd-sc" or architecture.encoder.kind != "student":
        raise ConfigurationError(
            f"{name}: {folder} is of {architecture.channel.system} with an encoder of kind "
            f"{architecture.encoder.kind}; a student of rkd-sc is needed"
        )
    return checkpoint
