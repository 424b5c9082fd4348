"""The families that are trained here: one entry each, and no other module knows which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from typing import Any, Protocol, get_args

from orchestrator.training import effects, export, pipeline, presets, settings
from orchestrator.training.artefacts import Artefact
from orchestrator.training.asked import Asked
from orchestrator.training.given_codecs import given_codecs
from orchestrator.training.kd_semcom import effects as text_effects
from orchestrator.training.kd_semcom import export as text_export
from orchestrator.training.kd_semcom import pipeline as text_pipeline
from orchestrator.training.kd_semcom import presets as text_presets
from orchestrator.training.kd_semcom import settings as text
from orchestrator.training.loop import Run
from orchestrator.training.semnoma import export as slots_export
from orchestrator.training.semnoma import pipeline as slots_pipeline
from orchestrator.training.semnoma import presets as slots_presets
from orchestrator.training.semnoma import settings as slots
from semcom.architecture import System
from semcom.checkpoints import Checkpoint
from semcom.errors import ConfigurationError

Results = Mapping[str, Any]  # of a codec's manifest


class AnyPipeline(Protocol):
    """The stages of one job of any family; `given` are the codecs that stages are taken from."""

    run: Run

    @property
    def images(self) -> Sized:
        """What the last stage learns from."""
        ...

    @property
    def stages(self) -> Mapping[Any, Artefact]:
        """The stages that were reached."""
        ...

    @property
    def given(self) -> Mapping[Any, Checkpoint]:
        """By stage."""
        ...

    def train(self, told: Callable[[Any, bool], None], until: Any = None) -> Any:
        """Run what has not run; returns what the export takes, or nothing with `until`."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainedFamily:
    """How codecs of a family are trained.

    Attributes:
        presets: names that `--preset` may say.
        systems: that `--system` may say; the first is what the family is asked for.
        stages: that `--until` may say.
        settings_of: the settings that a command asks for, all of which have an effect.
        pipeline: the stages of a job of such settings.
        export: writes the codec of what a pipeline ends with.
        reached: says what a codec reaches, by the results in its manifest.
    """

    presets: tuple[str, ...]
    systems: tuple[str, ...]
    stages: tuple[str, ...]
    settings_of: Callable[[Asked], settings.JobSettings]
    pipeline: Callable[[Any, Run], AnyPipeline]
    export: Callable[..., Checkpoint]
    reached: Callable[[Results], str]


def _of_classes(asked: Asked) -> settings.TrainingSettings:
    made = asked.over_preset(presets.settings_from_preset)
    effects.check_effects(made, written=asked.written, commanded=asked.commanded, until=asked.until)
    asked.check_steps(made.stages)
    for codec in given_codecs(made).values():
        if codec.folder.resolve() == asked.out.resolve():
            raise ConfigurationError(
                f"--name, --out: {asked.out} is the codec that the training starts from"
            )
    return made


def _of_slots(asked: Asked) -> slots.SemnomaSettings:
    made = asked.over_preset(slots_presets.settings_from_preset)
    slots_presets.check_effects(made, written=asked.written, commanded=asked.commanded)
    asked.check_steps(made.stages, users=made.architecture.users)
    return made


def _of_sentences(asked: Asked) -> text.SentenceTrainingSettings:
    made = asked.over_preset(text_presets.settings_from_preset)
    text_effects.check_effects(
        made, written=asked.written, commanded=asked.commanded, until=asked.until
    )
    asked.check_steps(made.stages)
    return made


def _accuracy(results: Results) -> str:
    return (
        f"noise-free accuracy {results['noise_free_accuracy']:.4f}, "
        f"AWGN by SNR {results['awgn_accuracy_by_snr_db']}"
    )


def _psnr(results: Results) -> str:
    by_channel = results["psnr_db_by_channel_and_snr_db"].items()
    return f"PSNR in dB by SNR: {', '.join(f'{name} {of_snrs}' for name, of_snrs in by_channel)}"


def _bleu(results: Results) -> str:
    return (
        f"noise-free BLEU-1 {results['noise_free_bleu_1']:.4f}, "
        f"Rayleigh by SNR {results['rayleigh_bleu_1_by_snr_db']}"
    )


FAMILIES = {
    "rkd": TrainedFamily(
        presets=tuple(presets.PRESETS),
        systems=get_args(System),
        stages=get_args(settings.StageName),
        settings_of=_of_classes,
        pipeline=pipeline.Pipeline,
        export=export.export_codec,
        reached=_accuracy,
    ),
    "semnoma": TrainedFamily(
        presets=tuple(slots_presets.PRESETS),
        systems=get_args(slots.SystemName),
        stages=get_args(slots.StageName),
        settings_of=_of_slots,
        pipeline=slots_pipeline.SemnomaPipeline,
        export=slots_export.export_codec,
        reached=_psnr,
    ),
    "kd_semcom": TrainedFamily(
        presets=tuple(text_presets.PRESETS),
        systems=get_args(text.SentenceSystem),
        stages=get_args(text.SentenceStage),
        settings_of=_of_sentences,
        pipeline=text_pipeline.SentencePipeline,
        export=text_export.export_codec,
        reached=_bleu,
    ),
}
