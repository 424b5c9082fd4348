"""From sentences to a trained link: the stages of a system in order, each an artefact.

teacher        teacher
student-1..4   teacher -> student       Student 4 is Student 3 with its matrices in int8;
                                         `teacher_codec` names a codec that is the teacher
baseline-1..3  baseline                 deepsc alike
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from orchestrator.training.artefacts import Artefact, artefact
from orchestrator.training.kd_semcom.data import SentenceSet
from orchestrator.training.kd_semcom.given import STORED, opened, take_weights
from orchestrator.training.kd_semcom.link import TextLink
from orchestrator.training.kd_semcom.settings import SentenceStage, SentenceTrainingSettings
from orchestrator.training.kd_semcom.stages import PlainStage, StudentStage
from orchestrator.training.loop import Run, Training
from orchestrator.training.settings import AugmentationSettings
from orchestrator.training.stage_runs import have_result, seeded
from semcom.checkpoints import Checkpoint
from semcom.errors import ConfigurationError
from semcom.families.kd_semcom import KdSemcomArchitecture
from semcom.identity import content, fields

# Frozen, as in stage_identity: a setting added later renames no existing artefact.
NETWORK = fields("layers", "channel", "vocabulary", "tokens", "width", "heads", "inner")
SCHEDULE = fields(
    "epochs", "batch", "optimizer", "lr", "lr_end", "warmup", "weight_decay", "momentum", "beta2",
    "max_gradient_norm",
)  # fmt: skip
CHANNEL = fields(
    "fading", "snr_db_low", "snr_db_high", "interferers", "sir_db_low", "sir_db_high",
    "occurrence", "delay",
)  # fmt: skip
DISTILLATION = fields(
    "p", "x", "p_hat", "t_hat", "s_hat", "cross_entropy", "temperature", "direction"
)
Told = Callable[[SentenceStage, bool], None]  # (stage, was it run)


@dataclass(frozen=True)
class TrainedText:
    """The result of a pipeline.

    `given` are the codecs from which stages were taken, `initial` the one with the first weights.
    """

    settings: SentenceTrainingSettings
    sentences: SentenceSet
    link: TextLink
    stages: dict[SentenceStage, Artefact]
    given: dict[SentenceStage, Checkpoint]
    initial: Checkpoint | None


class SentencePipeline:
    """The stages of one job."""

    def __init__(self, settings: SentenceTrainingSettings, run: Run) -> None:
        self.settings = settings
        self.run = run
        self.stages: dict[SentenceStage, Artefact] = {}
        self.given: dict[SentenceStage, Checkpoint] = {}
        if settings.teacher_codec is not None:
            self.given["teacher"] = opened(settings.teacher_codec)
        self._initial = None if settings.init_from is None else opened(settings.init_from)
        self._sets = {
            stage: SentenceSet.read(settings.dataset_dir, self._limit(stage))
            for stage in settings.trained_stages
        }
        for stage, sentences in self._sets.items():
            if len(sentences) < settings.stages[stage].batch:
                raise ConfigurationError(
                    f"stages.{stage}.batch: a step takes {settings.stages[stage].batch} sentences, "
                    f"but there are only {len(sentences)}"
                )

    @property
    def images(self) -> SentenceSet:
        """Return the sentences on which the last stage trains."""
        return self._sets[self.settings.trained_stages[-1]]

    def train(self, told: Told, until: str | None = None) -> TrainedText | None:
        """Run the remaining stages; with `until`, end after that stage and return nothing.

        Raises:
            ConfigurationError: no such stage.
            StoppedError: it was asked to stop, and has saved.
        """
        names = self.settings.trained_stages
        if until is not None and until not in names:
            raise ConfigurationError(f"no stage '{until}' here; available: {', '.join(names)}")
        links: dict[SentenceStage, TextLink] = {}
        for name, codec in self.given.items():
            links[name] = self._make_link(name)
            take_weights(links[name], codec)
            told(name, False)
        for name in names:
            links[name] = self._make_link(name)
            told(name, self._ensure(name, links))
            if name == until:
                return None
        link = links[names[-1]]
        return TrainedText(self.settings, self.images, link, self.stages, self.given, self._initial)

    def _ensure(self, name: SentenceStage, links: dict[SentenceStage, TextLink]) -> bool:
        """Fill a link with a stage's result; return whether the stage was run for that."""
        made = self.stages[name] = self._artefact(name)
        stage = self._make_stage(name, links)

        def train() -> None:
            Training(
                stage,
                self._sets[name],
                settings=self.settings.stages[name],
                augmentation=AugmentationSettings(),
                artefact=made,
                run=self.run,
            ).run()

        ran = have_result(stage, made, self.run, train=train)
        stage.eval()
        return ran

    def _make_stage(
        self, name: SentenceStage, links: dict[SentenceStage, TextLink]
    ) -> PlainStage | StudentStage:
        settings = self.settings
        channel = settings.channels[name]
        if name != "student":
            return PlainStage(name, links[name], channel)
        return StudentStage(links[name], links["teacher"], channel, settings.distillation)

    def _make_link(self, name: SentenceStage) -> TextLink:
        with seeded(f"{self.settings.seed}/text/{name}"):
            link = TextLink(self._architecture(name), self.settings.dropout)
        if self._initial is not None and name == self.settings.trained_stages[-1]:
            take_weights(link, self._initial)
        return link.to(self.run.device)

    def _architecture(self, name: SentenceStage) -> KdSemcomArchitecture:
        is_teacher = name == "teacher"
        return self.settings.teacher if is_teacher else self.settings.architecture

    def _limit(self, name: SentenceStage) -> int | None:
        return self.settings.sentences if name == "teacher" else self.settings.transfer

    def _artefact(self, name: SentenceStage) -> Artefact:
        settings = self.settings
        root = settings.work_dir / "artefacts" / settings.dataset
        network = content(self._architecture(name), NETWORK)
        made_of: dict[str, Any] = {
            "family": "kd_semcom",
            "data": self._sets[name].digest,
            "sentences": len(self._sets[name]),
            "seed": settings.seed,
            "precision": "bf16" if self.run.bf16 else "fp32",
            # Student 4 is trained like Student 3: the storage of matrices does not matter here.
            "network": {key: value for key, value in network.items() if key not in STORED},
            "dropout": settings.dropout,
            "schedule": content(settings.stages[name], SCHEDULE),
            "batches": "by length",  # before, they were in random order
            "channel": content(settings.channels[name], CHANNEL),
        }
        if name == "student":
            teacher = self.given.get("teacher") or self.stages["teacher"]
            made_of["distillation"] = content(settings.distillation, DISTILLATION)
            made_of["inputs"] = {"teacher": teacher.digest}
        if self._initial is not None and name == settings.trained_stages[-1]:
            made_of["init_from"] = self._initial.digest
        return artefact(root, f"text-{name}", made_of)
