"""Refuses settings of a training of sentences that would have no effect."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.training.effects import Reasons, idle_moments, refuse_idle
from orchestrator.training.kd_semcom.settings import SentenceTrainingSettings


def check_effects(
    settings: SentenceTrainingSettings,
    *,
    written: Sequence[str],
    commanded: Sequence[str],
    until: str | None,
) -> None:
    """Check that all settings have an effect; the arguments are as for the paper's systems.

    Raises:
        ConfigurationError: a key has no effect; the text says why.
    """
    refuse_idle(written, _contradicted(settings))
    refuse_idle(commanded, _idle(settings, until))


def _contradicted(settings: SentenceTrainingSettings) -> Reasons:
    """Return settings without effect because of other settings, whatever the command runs."""
    yield "images", "`sentences` and `transfer` say how many are learnt from"
    yield from idle_moments(settings.stages)
    for name, channel in settings.channels.items():
        if not channel.interferers:
            for key in ("sir_db_low", "sir_db_high", "occurrence", "delay"):
                yield f"channels.{name}.{key}", f"channels.{name}.interferers is 0"


def _idle(settings: SentenceTrainingSettings, until: str | None) -> Reasons:
    """Return the settings of stages that the command does not run."""
    system, names = settings.system, settings.trained_stages
    runs = names[: names.index(until) + 1] if until in names else names
    for group in ("stages", "channels"):
        for name in getattr(settings, group):
            if name not in runs:
                yield f"{group}.{name}", f"the command does not run stage {name}"
    if "student" not in runs:
        yield "distillation", f"{system} follows no teacher here"
    if settings.teacher_codec is not None:
        yield "sentences", "the teacher is a codec (teacher_codec)"
    elif "teacher" not in runs:
        yield "teacher", f"{system} has no teacher"
        yield "sentences", f"{system} learns from `transfer` sentences"
    if runs == ("teacher",):
        yield "transfer", "the teacher learns from `sentences` sentences"
