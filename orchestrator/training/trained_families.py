"""The families that can be trained: one entry each; other modules do not know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, get_args

from orchestrator.training import effects, export, pipeline, presets, settings
from orchestrator.training.artefacts import Artefact
from orchestrator.training.asked import Asked
from orchestrator.training.given_codecs import given_codecs
from orchestrator.training.kd_semcom import effects as text_effects
from orchestrator.training.kd_semcom import export as text_export
from orchestrator.training.kd_semcom import footprint as text_footprint
from orchestrator.training.kd_semcom import pipeline as text_pipeline
from orchestrator.training.kd_semcom import presets as text_presets
from orchestrator.training.kd_semcom import settings as text
from orchestrator.training.loop import Run
from orchestrator.training.semnoma import export as slots_export
from orchestrator.training.semnoma import pipeline as slots_pipeline
from orchestrator.training.semnoma import presets as slots_presets
from orchestrator.training.semnoma import settings as slots
from orchestrator.training.semnoma.refinement import export as refinement_export
from orchestrator.training.semnoma.refinement import pipeline as refinement_pipeline
from orchestrator.training.semnoma.refinement import presets as refinement_presets
from orchestrator.training.semnoma.refinement import settings as refinement
from orchestrator.training.vit import export as vit_export
from orchestrator.training.vit import pipeline as vit_pipeline
from orchestrator.training.vit import presets as vit_presets
from orchestrator.training.vit import settings as vit
from semcom.architecture import System
from semcom.checkpoints import Checkpoint, codec_folder
from semcom.errors import ConfigurationError
from semcom.records import SentenceFootprint

Results = Mapping[str, Any]  # of a codec's manifest


class AnyPipeline(Protocol):
    """The stages of a job of any family; `given` are the codecs from which stages are taken."""

    run: Run

    @property
    def images(self) -> Sized:
        """Return the items on which the last stage trains."""
        ...

    @property
    def stages(self) -> Mapping[Any, Artefact]:
        """Return the stages that were reached."""
        ...

    @property
    def given(self) -> Mapping[Any, Checkpoint]:
        """Return the codecs from which stages are taken, by stage."""
        ...

    def train(self, told: Callable[[Any, bool], None], until: Any = None) -> Any:
        """Run the remaining stages; return the input of the export, or nothing with `until`."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainedFamily:
    """The training of the codecs of a family.

    Attributes:
        presets: names for `--preset`.
        systems: names for `--system`; the first is the default.
        stages: names for `--until`.
        settings_of: function for the settings of a command, all of which have an effect.
        pipeline: class of the stages of a job with such settings.
        export: writes the codec from the result of a pipeline.
        reached: describes the results in a codec's manifest.
        footprint: measures a codec of sentences in some runs, Table III; None for others.
    """

    presets: tuple[str, ...]
    systems: tuple[str, ...]
    stages: tuple[str, ...]
    settings_of: Callable[[Asked], settings.JobSettings]
    pipeline: Callable[[Any, Run], AnyPipeline]
    export: Callable[..., Checkpoint]
    reached: Callable[[Results], str]
    footprint: Callable[[Checkpoint, int], SentenceFootprint] | None = None


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


def _of_semnoma(asked: Asked) -> settings.JobSettings:
    if asked.system in refinement.STAGE_OF:
        return _of_refinement(asked)
    made = asked.over_preset(slots_presets.settings_from_preset)
    slots_presets.check_effects(made, written=asked.written, commanded=asked.commanded)
    asked.check_steps(made.stages, users=made.architecture.users)
    return made


def _of_refinement(asked: Asked) -> refinement.RefinementSettings:
    made = asked.over_preset(refinement_presets.settings_from_preset)
    refinement_presets.check_effects(made, written=asked.written, commanded=asked.commanded)
    codec = refinement_presets.open_refined(made.init_from)
    users = refinement_presets.architecture_of(codec).users if made.stage == "cgan" else 1
    asked.check_steps({made.stage: made.stages[made.stage]}, users=users)
    if codec.folder.resolve() == asked.out.resolve():
        raise ConfigurationError(f"--name, --out: {asked.out} is the codec that is refined")
    return made


def _semnoma_pipeline(made: settings.JobSettings, run: Run) -> AnyPipeline:
    if isinstance(made, refinement.RefinementSettings):
        return refinement_pipeline.RefinementPipeline(made, run)
    assert isinstance(made, slots.SemnomaSettings)
    return slots_pipeline.SemnomaPipeline(made, run)


def _semnoma_export(trained: Any, folder: Path, **record: Any) -> Checkpoint:
    if isinstance(trained, refinement_pipeline.RefinementTrained):
        return refinement_export.export_refined(trained, folder, **record)
    return slots_export.export_codec(trained, folder, **record)


def _of_sentences(asked: Asked) -> text.SentenceTrainingSettings:
    made = asked.over_preset(text_presets.settings_from_preset)
    text_effects.check_effects(
        made, written=asked.written, commanded=asked.commanded, until=asked.until
    )
    asked.check_steps(made.stages)
    for key, codec in (("teacher_codec", made.teacher_codec), ("init_from", made.init_from)):
        if codec is not None and codec_folder(codec).resolve() == asked.out.resolve():
            raise ConfigurationError(f"--name, --out: {asked.out} is the codec of {key}")
    return made


def _of_vit(asked: Asked) -> vit.VitSettings:
    made = asked.over_preset(vit_presets.settings_from_preset)
    vit_presets.check_effects(made, written=asked.written, commanded=asked.commanded)
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
        systems=(*get_args(slots.SystemName), *get_args(refinement.RefinedSystem)),
        stages=(*get_args(slots.StageName), *get_args(refinement.RefinementStageName)),
        settings_of=_of_semnoma,
        pipeline=_semnoma_pipeline,
        export=_semnoma_export,
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
        footprint=text_footprint.codec_footprint,
    ),
    "vit": TrainedFamily(
        presets=vit_presets.PRESETS,
        systems=vit_presets.SYSTEMS,
        stages=get_args(vit.VitStageName),
        settings_of=_of_vit,
        pipeline=vit_pipeline.VitPipeline,
        export=vit_export.export_codec,
        reached=_accuracy,
    ),
}
