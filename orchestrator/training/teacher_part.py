"""The teacher of a pipeline: its stage, and the features that students follow."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from orchestrator.training.artefacts import Artefact, artefact
from orchestrator.training.backbone import Backbone, BackboneTeacherStage, ProjectedFeatures
from orchestrator.training.data import ImageSet
from orchestrator.training.exclusion import alone_in
from orchestrator.training.features import TeacherFeatures
from orchestrator.training.loop import Run
from orchestrator.training.published_weights import published_file
from orchestrator.training.settings import TrainingSettings
from orchestrator.training.stage import Stage
from orchestrator.training.stage_identity import backbone_identity
from orchestrator.training.stage_runs import placed, seeded
from orchestrator.training.stages import TeacherStage
from orchestrator.training.teacher import Teacher
from semcom.checkpoints import Checkpoint
from semcom.nn.image_input import prepare_images
from transmitters.conv_encoder import ConvEncoder

WHITENING_IMAGES = 5000


class TeacherPart:
    """A teacher that is trained here, or that is a codec's student (`given`)."""

    def __init__(
        self,
        settings: TrainingSettings,
        run: Run,
        *,
        images: ImageSet,
        given: Checkpoint | None,
    ) -> None:
        self._settings = settings
        self._run = run
        self._images = images
        self._given = given
        self._pooled: TeacherFeatures | None = None  # of a frozen backbone
        self.teacher: Teacher | None = None
        self.features: TeacherFeatures | None = None

    def make_stage(self) -> Stage:
        """Build the teacher and the stage that trains it."""
        teacher, settings = self._make_teacher(), self._settings.teacher
        if settings.backbone == "tuned":
            return TeacherStage(self._prepare, teacher, settings)
        backbone = placed(Backbone(teacher.encoder), self._run.device)
        self._pooled = TeacherFeatures(backbone, **self._common())
        return BackboneTeacherStage(self._prepare, teacher, self._pooled, settings)

    def make_features(self) -> None:
        """The teacher is trained: students follow it from now on."""
        assert self.teacher is not None
        common = self._common() | {"whitening": self._settings.distillation.whitening}
        if self._pooled is None:
            self.features = TeacherFeatures(self.teacher.encoder, **common)
        else:
            self.features = ProjectedFeatures(self.teacher, self._pooled, **common)

    def prepare(self, made: Artefact) -> None:
        """Have the features that a stage looks up: once, whatever students follow the teacher.

        `made` is the teacher's artefact. What a frozen backbone gives of the images has a folder of
        its own, whatever is trained on it.
        """
        if self._pooled is not None:
            made_of = backbone_identity(self._settings, images=self._images, bf16=self._run.bf16)
            self._keep(self._pooled, artefact(made.folder.parent, "backbone", made_of))
        if self.features is not None:
            self._keep(self.features, made, "features")

    def _keep(self, features: TeacherFeatures, made: Artefact, *below: str) -> None:
        with alone_in(made, self._run):
            features.prepare(made.folder.joinpath(*below), self._run.rank, self._computing)

    def _computing(self, done: int, total: int) -> None:
        self._run.reporter.note("features", done, total)
        self._run.stop_if_asked()

    def _make_teacher(self) -> Teacher:
        settings, given = self._settings, self._given
        named, published = settings.teacher.pretrained, None
        if isinstance(named, str) and given is None:
            published = published_file(named, settings.data_dir)
        with seeded(settings.seed):
            classes = settings.architecture.classes
            teacher = Teacher(settings.teacher, classes=classes, codec=given, published=published)
        if isinstance(teacher.encoder, ConvEncoder):
            sample = self._images.images_NSS3[:WHITENING_IMAGES]
            teacher.encoder.fit_whitening(self._prepare(sample).cpu())
        self.teacher = placed(teacher, self._run.device)
        return self.teacher

    def _common(self) -> dict[str, Any]:
        return {
            "prepare": self._prepare,
            "images": self._images,
            "augmentation": self._settings.augmentation,
            "seed": self._settings.seed,
            "bf16": self._run.bf16,
        }

    def _prepare(self, images_BSS3: Tensor) -> Tensor:
        """Stored pixels -> the teacher's input, on the device."""
        images = images_BSS3.to(self._run.device, non_blocking=True)
        return prepare_images(images, self._settings.teacher.encoder.input)
