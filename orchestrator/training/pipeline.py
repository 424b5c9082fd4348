"""From images to a trained link: the stages of a system in order, each an artefact.

A stage whose artefact is there is taken over; changing a setting changes the digests of the
stages that depend on it and of no others. A stage that a codec gives is copied from it.

    rkd-sc        teacher -> [search] -> stage1 -> head -> stage2     Algorithm 2
    jscc-student  jscc
    jscc-teacher  teacher -> jscc
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from orchestrator.training.artefacts import Artefact, artefact
from orchestrator.training.data import ImageSet
from orchestrator.training.exclusion import alone_in
from orchestrator.training.features import TeacherFeatures
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
    TeacherStage,
)
from orchestrator.training.teacher import Teacher
from orchestrator.training.training_link import TrainingLink
from semcom.architecture import EncoderArchitecture, InputSpec
from semcom.checkpoints import Checkpoint
from semcom.errors import ConfigurationError
from semcom.nn.image_input import prepare_images
from transmitters.conv_encoder import ConvEncoder

WHITENING_IMAGES = 5000
Told = Callable[[StageName, bool], None]  # (stage, was it run)


@dataclass(frozen=True)
class Trained:
    """What a pipeline ends with; `settings` hold the depths that a search found.

    `given` are the codecs that stages were taken from.
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
        self._teacher: Teacher | None = None
        self._features: TeacherFeatures | None = None
        self.stages: dict[StageName, Artefact] = {}

    def train(self, told: Told, until: StageName | None = None) -> Trained | None:
        """Run what has not run; with `until`, end after that stage and give nothing.

        Raises:
            ConfigurationError: no such stage, or too few images for a step of one.
            StoppedError: it was asked to stop, and has saved.
        """
        names = self.stage_names(until)
        if until is not None and until not in names:
            raise ConfigurationError(f"no stage '{until}' here; there are: {', '.join(names)}")
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
        return Trained(self.settings, self.images, link, self._teacher, self.stages, self.given)

    def stage_names(self, until: StageName | None = None) -> list[StageName]:
        """The stages of the job's system; the search where it is asked for."""
        searched = until == "search" or self.settings.depths == "search"
        names = [n for n in SYSTEM_STAGES[self.settings.system] if n != "search" or searched]
        if until == "search" and not taught(self.settings):
            names.remove("teacher")  # plain DARTS has none
        return names

    def _ensure(self, name: StageName, link: TrainingLink | None) -> bool:
        """Have a stage's result in its modules; whether it was run for that."""
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
        if stage.uses_views and self._features is not None:
            teacher = self.stages["teacher"]
            with alone_in(teacher, self.run):  # once, whatever students follow it
                self._features.prepare(
                    teacher.folder / "features", self.run.rank, self._computing_features
                )
        Training(
            stage,
            images,
            settings=self.settings.stages[name],
            augmentation=self.settings.augmentation,
            artefact=made,
            run=self.run,
        ).run()

    def _computing_features(self, done: int, total: int) -> None:
        self.run.reporter.note("features", done, total)
        self.run.stop_if_asked()

    def _take_over(self, name: StageName, stage: Stage, made: Artefact) -> None:
        """What later stages take from this one."""
        if name == "teacher":
            assert self._teacher is not None
            self._features = TeacherFeatures(
                self._teacher.encoder,
                self._prepare_for_teacher,
                images=self.images,
                augmentation=self.settings.augmentation,
                seed=self.settings.seed,
                bf16=self.run.bf16,
                whitening=self.settings.distillation.whitening,
            )
        elif name == "search":
            found = made.read_json("search.json")["depths"]
            encoder = self._student().model_copy(update={"depths": tuple(found)})
            architecture = self.settings.architecture.model_copy(update={"encoder": encoder})
            self.settings = self.settings.model_copy(update={"architecture": architecture})
        stage.eval()

    def _make_stage(self, name: StageName, link: TrainingLink | None) -> Stage:
        settings = self.settings
        if name == "teacher":
            return TeacherStage(self._prepare_for_teacher, self._make_teacher(), settings.teacher)
        if name == "search":
            return self._make_search()
        assert link is not None
        if name == "head":
            return HeadStage(self._prepare, link)
        if name == "jscc":
            frozen = settings.jscc_teacher.frozen
            return JsccStage(self._prepare, link, settings.distillation, frozen=frozen)
        assert self._features is not None
        if name == "stage1":
            return EncoderStage(self._prepare, link, self._features)
        return LinkStage(self._prepare, link, settings.distillation, self._features)

    def _make_teacher(self) -> Teacher:
        settings = self.settings
        with seeded(settings.seed):
            classes = settings.architecture.classes
            teacher = Teacher(settings.teacher, classes=classes, codec=self.given.get("teacher"))
        if isinstance(teacher.encoder, ConvEncoder):
            sample = self.images.images_NSS3[:WHITENING_IMAGES]
            teacher.encoder.fit_whitening(self._prepare_for_teacher(sample).cpu())
        self._teacher = placed(teacher, self.run.device)
        return self._teacher

    def _make_link(self) -> TrainingLink:
        with seeded(f"{self.settings.seed}/link/start"):
            link = TrainingLink(self.settings.architecture)
        if "stage1" in self.given:
            encoder, head = given_student(self.given["stage1"])
            link.transmitter.encoder.load_state_dict(encoder.state_dict())
            link.receiver.head.load_state_dict(head.state_dict())
        if self._teacher is not None and self.settings.system == "jscc-teacher":
            state = self._teacher.encoder.state_dict()
            link.transmitter.encoder.load_state_dict(state)
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
                    features=self._features if taught(settings) else None,
                    seed=settings.search_seed,
                ),
            )
        return placed(stage, self.run.device)

    def _student(self) -> EncoderArchitecture:
        encoder = self.settings.architecture.encoder
        assert isinstance(encoder, EncoderArchitecture)
        return encoder

    def _prepare(self, images_BSS3: Tensor) -> Tensor:
        return self._prepared(images_BSS3, self.settings.architecture.encoder.input)

    def _prepare_for_teacher(self, images_BSS3: Tensor) -> Tensor:
        return self._prepared(images_BSS3, self.settings.teacher.encoder.input)

    def _prepared(self, images_BSS3: Tensor, spec: InputSpec) -> Tensor:
        """Stored pixels -> a network's input, on the device."""
        return prepare_images(images_BSS3.to(self.run.device, non_blocking=True), spec)

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
    """Whether a stage has the images of one step; the search in both of its parts."""
    parts = [*halves(images, settings.search, 0)] if name == "search" else [images]
    fewest, batch = min(map(len, parts)), settings.stages[name].batch
    if fewest < batch:
        raise ConfigurationError(
            f"stages.{name}.batch: a step takes {batch} images, and there are {fewest}"
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
