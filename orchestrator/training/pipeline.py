"""From images to a trained link: the stages of a system in order, each an artefact.

A stage with an existing artefact is reused; changing a setting changes only the digests of the
stages that depend on it. A stage that is taken from a codec is copied from it.

    rkd-sc        teacher -> [search] -> stage1 -> head -> stage2     Algorithm 2
    cat-student   jscc
    jscc-student  jscc
    jscc-teacher  teacher -> jscc
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from orchestrator.training.artefacts import Artefact, artefact
from orchestrator.training.data import ImageSet
from orchestrator.training.given_codecs import given_codecs, given_student
from orchestrator.training.loop import Run, Training
from orchestrator.training.search import SearchContext, SearchStage, halves, search_record
from orchestrator.training.settings import SYSTEM_STAGES, StageName, TrainingSettings
from orchestrator.training.stage import Stage
from orchestrator.training.stage_identity import settings_of_search, stage_identity, taught
from orchestrator.training.stage_runs import have_result, placed, seeded
from orchestrator.training.stages import (
    EncoderStage,
    HeadStage,
    JsccStage,
    LinkStage,
)
from orchestrator.training.teacher import Teacher
from orchestrator.training.teacher_part import TeacherPart
from orchestrator.training.training_link import TrainingLink
from semcom.architecture import EncoderArchitecture
from semcom.checkpoints import Checkpoint
from semcom.errors import ConfigurationError
from semcom.nn.image_input import prepare_images

Told = Callable[[StageName, bool], None]  # (stage, was it run)


@dataclass(frozen=True)
class Trained:
    """The result of a pipeline; `settings` hold the depths that a search found.

    `given` are the codecs from which stages were taken.
    """

    settings: TrainingSettings
    images: ImageSet
    link: TrainingLink
    teacher: Teacher | None
    stages: dict[StageName, Artefact]
    given: dict[StageName, Checkpoint]


class Pipeline:
    """The stages of one job."""

    def __init__(self, settings: TrainingSettings, run: Run) -> None:
        self.settings = settings
        self.run = run
        self.images = ImageSet(settings.dataset_dir, "train", settings.images)
        self.given = given_codecs(settings)
        self._teaching = TeacherPart(
            settings, run, images=self.images, given=self.given.get("teacher")
        )
        self.stages: dict[StageName, Artefact] = {}

    def train(self, told: Told, until: StageName | None = None) -> Trained | None:
        """Run the remaining stages; with `until`, end after that stage and return nothing.

        Raises:
            ConfigurationError: no such stage, or too few images for a step of one.
            StoppedError: it was asked to stop, and has saved.
        """
        names = self.stage_names(until)
        if until is not None and until not in names:
            raise ConfigurationError(f"no stage '{until}' here; available: {', '.join(names)}")
        if until is not None:
            names = names[: names.index(until) + 1]
        for name in (name for name in names if name not in self.given):
            _check_images(name, self.settings, self.images)
        link: TrainingLink | None = None
        for name in names:
            if name not in {"teacher", "search"} and link is None:
                link = self._make_link()
            told(name, self._ensure(name, link))
            if name == until:
                return None
        assert link is not None
        teacher = self._teaching.teacher
        return Trained(self.settings, self.images, link, teacher, self.stages, self.given)

    def stage_names(self, until: StageName | None = None) -> list[StageName]:
        """Return the stages of the job's system, with the search if requested."""
        searched = until == "search" or self.settings.depths == "search"
        names = [n for n in SYSTEM_STAGES[self.settings.system] if n != "search" or searched]
        if until == "search" and not taught(self.settings):
            names.remove("teacher")  # plain DARTS has none
        return names

    def _ensure(self, name: StageName, link: TrainingLink | None) -> bool:
        """Fill modules with a stage's result; return whether the stage was run for that."""
        made = self._artefact(name)
        self.stages[name] = made
        stage = self._make_stage(name, link)

        def train() -> None:
            if name not in self.given:
                self._train_stage(name, stage, made)
            if isinstance(stage, SearchStage) and self.run.rank.index == 0:
                made.write("search.json", _search_record(stage, self.settings, made, self.given))

        ran = have_result(stage, made, self.run, train=train)
        self._take_over(name, stage, made)
        return ran

    def _train_stage(self, name: StageName, stage: Stage, made: Artefact) -> None:
        images = self.images
        if name == "search":
            images, _ = halves(images, self.settings.search, self.settings.search_seed)
        if stage.uses_views and "teacher" in self.stages:
            self._teaching.prepare(self.stages["teacher"])
        Training(
            stage,
            images,
            settings=self.settings.stages[name],
            augmentation=self.settings.augmentation,
            artefact=made,
            run=self.run,
        ).run()

    def _take_over(self, name: StageName, stage: Stage, made: Artefact) -> None:
        """Keep what later stages need from this one."""
        if name == "teacher":
            self._teaching.make_features()
        elif name == "search":
            found = made.read_json("search.json")["depths"]
            encoder = self._student().model_copy(update={"depths": tuple(found)})
            architecture = self.settings.architecture.model_copy(update={"encoder": encoder})
            self.settings = self.settings.model_copy(update={"architecture": architecture})
        stage.eval()

    def _make_stage(self, name: StageName, link: TrainingLink | None) -> Stage:
        settings = self.settings
        if name == "teacher":
            return self._teaching.make_stage()
        if name == "search":
            return self._make_search()
        assert link is not None
        if name == "head":
            return HeadStage(self._prepare, link)
        if name == "jscc":
            frozen = settings.jscc_teacher.frozen
            return JsccStage(self._prepare, link, settings.distillation, frozen=frozen)
        features = self._teaching.features
        assert features is not None
        if name == "stage1":
            return EncoderStage(self._prepare, link, features)
        return LinkStage(self._prepare, link, settings.distillation, features)

    def _make_link(self) -> TrainingLink:
        with seeded(f"{self.settings.seed}/link/start"):
            link = TrainingLink(self.settings.architecture)
        if "stage1" in self.given:
            encoder, head = given_student(self.given["stage1"])
            link.transmitter.encoder.load_state_dict(encoder.state_dict())
            link.receiver.head.load_state_dict(head.state_dict())
        teacher = self._teaching.teacher
        if teacher is not None and self.settings.system == "jscc-teacher":
            link.transmitter.encoder.load_state_dict(teacher.encoder.state_dict())
        return placed(link, self.run.device)

    def _make_search(self) -> SearchStage:
        settings = self.settings
        _, held_out = halves(self.images, settings.search, settings.search_seed)
        with seeded(f"{settings.search_seed}/search/start"):
            stage = SearchStage(
                self._prepare,
                self._student(),
                settings.search,
                classes=settings.architecture.classes,
                context=SearchContext(
                    held_out=held_out,
                    augmentation=settings.augmentation,
                    schedule=settings.stages["search"],
                    rank=self.run.rank,
                    bf16=self.run.bf16,
                    features=self._teaching.features if taught(settings) else None,
                    seed=settings.search_seed,
                ),
            )
        return placed(stage, self.run.device)

    def _student(self) -> EncoderArchitecture:
        encoder = self.settings.architecture.encoder
        assert isinstance(encoder, EncoderArchitecture)
        return encoder

    def _prepare(self, images_BSS3: Tensor) -> Tensor:
        """Stored pixels -> the student's input, on the device."""
        images = images_BSS3.to(self.run.device, non_blocking=True)
        return prepare_images(images, self.settings.architecture.encoder.input)

    def _artefact(self, name: StageName) -> Artefact:
        root = self.settings.work_dir / "artefacts" / self.settings.dataset
        made_of = stage_identity(
            name,
            self.settings,
            images=self.images,
            before=self.stages,
            given=self.given,
            bf16=self.run.bf16,
        )
        return artefact(root, name, made_of)


def _check_images(name: StageName, settings: TrainingSettings, images: ImageSet) -> None:
    """Check that a stage has enough images for a step, the search in both of its halves."""
    parts = [*halves(images, settings.search, 0)] if name == "search" else [images]
    fewest, batch = min(map(len, parts)), settings.stages[name].batch
    if fewest < batch:
        raise ConfigurationError(
            f"stages.{name}.batch: a step takes {batch} images, but there are only {fewest}"
        )


def _search_record(
    stage: SearchStage,
    settings: TrainingSettings,
    made: Artefact,
    given: dict[StageName, Checkpoint],
) -> bytes:
    teacher = given.get("teacher") if taught(settings) else None
    return search_record(
        stage,
        dataset=settings.dataset,
        method=settings.search.method,
        seed=settings.search_seed,
        settings=settings_of_search(made.identity, teacher),
    )
