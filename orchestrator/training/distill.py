"""Robust knowledge distillation, Algorithm 2: teacher, stage 1, head warm-up, stage 2, export.

Stages chain by artefacts in the job's folder: `<stage>.safetensors` holds the modules a stage
leaves behind, tagged with a digest of all settings that led to it. A stage whose artefact is
there and carries the right digest is not run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save as format_safetensors
from torch import Tensor, nn

from orchestrator.training import losses
from orchestrator.training.data import Batch, ImageSet
from orchestrator.training.link import TrainingLink
from orchestrator.training.loop import Run, train
from orchestrator.training.losses import Losses
from orchestrator.training.settings import STAGES, StageName, TrainingSettings
from orchestrator.training.teacher import Teacher
from semcom.files import write_atomically
from semcom.nn.images import prepare_images


@dataclass
class Job:
    """The modules and the data of one codec's training."""

    settings: TrainingSettings
    images: ImageSet
    teacher: Teacher
    link: TrainingLink
    bf16: bool

    def prepare(self, images_BSS3: Tensor) -> Tensor:
        """Stored pixels -> the networks' input."""
        return prepare_images(images_BSS3, self.settings.architecture.encoder.input)

    @torch.no_grad()
    def teacher_features(self, images_B3SS: Tensor) -> Tensor:
        """h_T (B, D) of the frozen teacher."""
        features_BD: Tensor = self.teacher(images_B3SS)[0]
        return features_BD


class TeacherTask:
    """Cross entropy on the teacher's own head."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.trained: nn.Module = job.teacher

    def start_epoch(self) -> None:
        """Train all of it."""
        self.trained.train()

    def losses(self, batch: Batch) -> Losses:
        """CE with label smoothing."""
        _, logits_BT = self.job.teacher(self.job.prepare(batch.images_BSS3))
        smoothing = self.job.settings.teacher.label_smoothing
        return losses.task(logits_BT, batch.labels_B, label_smoothing=smoothing)


class EncoderTask:
    """Stage 1: the student's feature follows the teacher's, eq. (25)."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.trained: nn.Module = job.link.transmitter.encoder

    def start_epoch(self) -> None:
        """Only the encoder trains; the teacher is frozen."""
        self.job.teacher.eval()
        self.trained.train()

    def losses(self, batch: Batch) -> Losses:
        """MSE(h_T, h)."""
        images = self.job.prepare(batch.images_BSS3)
        return losses.feature_distillation(self.job.teacher_features(images), self.trained(images))


class HeadTask:
    """Stage 1.5: the task head learns on the frozen student."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.trained: nn.Module = job.link.receiver.head

    def start_epoch(self) -> None:
        """The student's batch norms keep still."""
        self.job.link.transmitter.encoder.eval()
        self.trained.train()

    def losses(self, batch: Batch) -> Losses:
        """CE on the clean feature."""
        with torch.no_grad():
            features_BD = self.job.link.transmitter.encoder(self.job.prepare(batch.images_BSS3))
        return losses.task(self.trained(features_BD), batch.labels_B)


class LinkTask:
    """Stage 2: encoder, channel codec and head through the channel, eq. (26)-(27)."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.trained: nn.Module = job.link

    def start_epoch(self) -> None:
        """Everything but the teacher trains."""
        self.job.teacher.eval()
        self.trained.train()

    def losses(self, batch: Batch) -> Losses:
        """The three terms at one SNR per sample and one channel model per batch."""
        settings = self.job.settings.distillation
        images = self.job.prepare(batch.images_BSS3)
        low, high = settings.snr_db_low, settings.snr_db_high
        drawn = torch.rand(len(batch.labels_B), generator=batch.generator)
        models = settings.channels
        choice = int(torch.randint(len(models), (), generator=batch.generator))
        output = self.job.link(
            images, snr_db_B=low + (high - low) * drawn, model=models[choice], key=batch.key
        )
        teacher_BD = self.job.teacher_features(images)
        return losses.joint(output, teacher_BD, batch.labels_B, settings)


# What trains a stage, and which modules it leaves behind.
TASKS: dict[StageName, Callable[[Job], TeacherTask | EncoderTask | HeadTask | LinkTask]] = {
    "teacher": TeacherTask,
    "stage1": EncoderTask,
    "head": HeadTask,
    "stage2": LinkTask,
}


def make_job(settings: TrainingSettings, *, bf16: bool) -> Job:
    """Load the data and build all modules from the seed."""
    images = ImageSet(settings.dataset_dir, "train")
    torch.manual_seed(settings.seed)
    architecture = settings.architecture
    teacher = Teacher(
        settings.teacher,
        image_size=architecture.encoder.input.size,
        feature_dim=architecture.encoder.feature_dim,
        classes=architecture.classes,
    )
    link = TrainingLink(architecture)
    for module in (teacher, link):
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Job(settings=settings, images=images, teacher=teacher, link=link, bf16=bf16)


def run_stages(job: Job, report: Callable[[StageName, bool], None]) -> None:
    """Run every stage that has no valid artefact; tell `report` (stage, was it run)."""
    folder = job.settings.job_dir
    folder.mkdir(parents=True, exist_ok=True)
    for stage in STAGES:
        module = TASKS[stage](job).trained
        path = folder / f"{stage}.safetensors"
        digest = stage_digest(job, stage)
        ready = _load_artefact(path, digest, module)
        if not ready:
            run = Run(
                name=f"{stage}-{digest[:8]}", folder=folder, seed=job.settings.seed, bf16=job.bf16
            )
            train(
                TASKS[stage](job),
                job.images,
                settings=job.settings.stages[stage],
                augmentation=job.settings.augmentation,
                run=run,
            )
            _save_artefact(path, digest, module)
        report(stage, not ready)


def stage_digest(job: Job, stage: StageName) -> str:
    """Digest of everything that determines the artefact of a stage."""
    settings = job.settings
    before = STAGES[: STAGES.index(stage) + 1]
    architecture = settings.architecture.model_dump(mode="json")
    identity = {
        "data": job.images.digest,
        "seed": settings.seed,
        "bf16": job.bf16,
        "teacher": settings.teacher.model_dump(mode="json"),
        "input": architecture["encoder"]["input"],
        "feature_dim": architecture["encoder"]["feature_dim"],
        "architecture": None if stage == "teacher" else architecture,
        "augmentation": settings.augmentation.model_dump(mode="json"),
        "distillation": settings.distillation.model_dump() if stage == "stage2" else None,
        "stages": {name: settings.stages[name].model_dump(mode="json") for name in before},
    }
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _save_artefact(path: Path, digest: str, module: nn.Module) -> None:
    state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    write_atomically(path, format_safetensors(state, metadata={"settings": digest}))


def _load_artefact(path: Path, digest: str, module: nn.Module) -> bool:
    if not path.exists():
        return False
    with safe_open(path, framework="pt") as file:
        if (file.metadata() or {}).get("settings") != digest:
            return False
        module.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return True
