"""Existing codecs in a training of sentences: a student's teacher, or initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.training.kd_semcom.link import TextLink
from orchestrator.training.kd_semcom.settings import SYSTEM_STAGES, SentenceTrainingSettings
from semcom.checkpoints import Checkpoint, codec_folder, open_checkpoint
from semcom.codec_arrays import End
from semcom.codec_manifest import FamilyManifest
from semcom.errors import ConfigurationError
from semcom.families.kd_semcom import KD_SEMCOM, KdSemcomArchitecture, read_arrays
from semcom.nn.weights import load_arrays
from semcom.shards import DatasetManifest
from semcom.tasks.text import Text

# Fields of an architecture in which codecs with the same networks may differ.
STORED = {"precision", "parameters"}


def lay_given_teacher(merged: dict[str, Any], asked: dict[str, Any]) -> None:
    """Complete `merged` settings with the architecture of the codec that is the teacher.

    Raises:
        CheckpointError: the codec is missing or its manifest is not valid.
        ConfigurationError: no stage follows a teacher, the codec is not of this family, or the
            settings that override the preset (`asked`) name another architecture.
    """
    folder, system = merged["teacher_codec"], merged["system"]
    if isinstance(folder, str | Path):  # else missing or not valid
        if "student" not in SYSTEM_STAGES.get(system, ()):
            raise ConfigurationError(f"teacher_codec: system '{system}' has no teacher")
        if "teacher" in asked:
            raise ConfigurationError("teacher: teacher_codec has its own architecture")
        architecture = architecture_of(opened(Path(folder)), "teacher_codec")
        merged["teacher"] = architecture.model_dump()


def check_given(settings: SentenceTrainingSettings, dataset: DatasetManifest) -> None:
    """Check that the named codecs fit the job.

    Raises:
        CheckpointError: a codec is missing or its manifest is not valid.
        ConfigurationError: a codec is of another family, vocabulary or architecture.
    """
    if settings.teacher_codec is not None:
        _check_words(opened(settings.teacher_codec), "teacher_codec", dataset)
    if settings.init_from is not None:
        codec = opened(settings.init_from)
        _check_words(codec, "init_from", dataset)
        theirs = architecture_of(codec, "init_from").model_dump(exclude=STORED)
        ours = settings.architecture.model_dump(exclude=STORED)
        for key in ours:
            if ours[key] != theirs[key]:
                raise ConfigurationError(
                    f"init_from: {settings.init_from} has {key} {theirs[key]}, system "
                    f"'{settings.system}' has {ours[key]} here"
                )


def opened(codec: Path) -> Checkpoint:
    """Open a codec by its name or folder.

    Raises:
        CheckpointError: it is missing or its manifest is not valid.
    """
    return open_checkpoint(codec_folder(codec))


def take_weights(link: TextLink, codec: Checkpoint) -> None:
    """Load both halves of a codec into a link.

    Raises:
        CheckpointError: the weights are missing, damaged, or do not fit.
    """
    architecture = architecture_of(codec, codec.manifest.name)
    ends: tuple[tuple[End, Any], ...] = (
        ("transmitter", link.transmitter),
        ("receiver", link.receiver),
    )
    for end, half in ends:
        load_arrays(half.modules, read_arrays(architecture, end, codec.read_half(end)))


def architecture_of(codec: Checkpoint, key: str) -> KdSemcomArchitecture:
    """Return a codec's architecture.

    Raises:
        ConfigurationError: the codec, named by the setting `key`, is of another family.
    """
    manifest = codec.manifest
    if not isinstance(manifest, FamilyManifest) or manifest.family is not KD_SEMCOM:
        raise ConfigurationError(f"{key}: codec {codec.folder} is not of the family kd_semcom")
    return KdSemcomArchitecture.model_validate(manifest.architecture)


def _check_words(codec: Checkpoint, key: str, dataset: DatasetManifest) -> None:
    """Refuse a codec for another vocabulary."""
    task = codec.manifest.task
    assert isinstance(task, Text)
    assert dataset.sentences is not None
    if task.vocabulary_sha256 != dataset.sentences.vocabulary_sha256:
        raise ConfigurationError(
            f"{key}: {codec.folder} has the vocabulary of {codec.manifest.dataset}, which is not "
            f"that of {dataset.name}"
        )
