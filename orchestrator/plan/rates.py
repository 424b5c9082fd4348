"""Rates of ordered codewords in a scenario: an axis that is swept, on the same noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field

from semcom.codec_manifest import AnyManifest
from semcom.errors import ConfigurationError
from semcom.increments import Confidence, Number, Rate
from semcom.settings import Settings
from semcom.tasks.ordered_classification import OrderedClassification


class ConfidenceSettings(Settings):
    """As many increments as it takes."""

    confidence: Confidence = Field(
        description="probability of the answered class from which on no more are sent"
    )


OneRate = Number | ConfidenceSettings
Increments = Annotated[list[OneRate], Field(min_length=1, max_length=64)]


def rate_of(increments: OneRate | None) -> Rate | None:
    """Return one rate as points have it."""
    if increments is None:
        return None
    if isinstance(increments, int):
        return Rate(increments=increments)
    return Rate(confidence=increments.confidence)


def rates_of(increments: Increments | None) -> list[Rate | None]:
    """Return what is swept; of a scenario that says nothing one rate: all increments."""
    return [None] if increments is None else [rate_of(each) for each in increments]


def check_rates(rates: Sequence[Rate | None], *, grouped: Iterable[str]) -> None:
    """See that each rate is there once, and that no link meets another.

    Raises:
        ValueError: it is not so.
    """
    if len(set(rates)) != len(rates):
        twice = next(rate for rate in rates if rates.count(rate) > 1)
        raise ValueError(f"increments holds {twice.label if twice else ''} twice")
    group = next(iter(grouped), None)
    if rates != [None] and group is not None:
        raise ValueError(
            f"increments: the links of group {group} meet, and codewords that meet are sent whole"
        )


def check_codec_rates(
    link: str, codec: str, manifest: AnyManifest, rates: Sequence[Rate | None]
) -> None:
    """See that a codec has as many increments as a sweep asks for.

    Raises:
        ConfigurationError: it has fewer, or one length.
    """
    if rates == [None]:
        return
    task = manifest.task
    if not isinstance(task, OrderedClassification):
        raise ConfigurationError(
            f"link {link}: codec {codec} has codewords of one length; leave increments out"
        )
    most = max((rate.increments or 1 for rate in rates if rate is not None), default=1)
    if most > len(task.lengths):
        raise ConfigurationError(
            f"link {link}: codec {codec} has {len(task.lengths)} increments, increments asks "
            f"for {most}"
        )
