"""Refuses settings of a training of sentences that would have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.training.kd_semcom.settings import SYSTEM_STAGES, SentenceTrainingSettings
from semcom.errors import ConfigurationError


def check_sentence_effects(
    settings: SentenceTrainingSettings, *, commanded: Sequence[str], until: str | None
) -> None:
    """See that what was asked for on the command line has an effect.

    Raises:
        ConfigurationError: a key has none; the text says why.
    """
    for idle, reason in _idle(settings, until):
        for key in commanded:
            if key == idle or key.startswith(f"{idle}."):
                raise ConfigurationError(f"settings: {key}: has no effect: {reason}")


def _idle(settings: SentenceTrainingSettings, until: str | None) -> Iterator[tuple[str, str]]:
    system = settings.system
    names = SYSTEM_STAGES[system]
    runs = names[: names.index(until) + 1] if until in names else names
    for group in ("stages", "channels"):
        for name in getattr(settings, group):
            if name not in runs:
                yield f"{group}.{name}", f"the command does not run stage {name}"
    if "student" not in runs:
        yield "distillation", f"{system} follows nobody here"
    if "teacher" not in runs:
        yield "teacher", f"{system} has no teacher"
        yield "sentences", f"{system} learns from `transfer` sentences"
    if runs == ("teacher",):
        yield "transfer", "the teacher learns from `sentences` sentences"
    for name in runs:
        stage, channel = settings.stages[name], settings.channels[name]
        if stage.optimizer in ("adam", "adamw"):
            yield f"stages.{name}.momentum", f"optimizer {stage.optimizer} has none of its own"
        else:
            yield f"stages.{name}.beta2", f"optimizer {stage.optimizer} has none"
        if not channel.interferers:
            for key in ("sir_db_low", "sir_db_high", "occurrence", "delay"):
                yield f"channels.{name}.{key}", f"channels.{name}.interferers is 0"
