"""Rates of ordered codewords in a scenario: a swept axis with the same noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from semcom.codec_manifest import AnyManifest
from semcom.errors import ConfigurationError
from semcom.increments import Confidence, Number, Rate
from semcom.plain_text import command
from semcom.settings import Settings
from semcom.tasks.ordered_classification import OrderedClassification


class ConfidenceSettings(Settings):
    """As many increments as a confidence requires."""

    confidence: Confidence = Field(
        description="no further increments are sent once the answered class has at least this "
        "probability"
    )


BySnr = Literal["snr"]  # as the codec's table says
OneRate = Number | BySnr | ConfidenceSettings
Increments = Annotated[list[OneRate], Field(min_length=1, max_length=64)]


def rate_of(increments: OneRate | None) -> Rate | None:
    """Return one rate in the form of points."""
    if increments is None:
        return None
    if isinstance(increments, int):
        return Rate(increments=increments)
    if increments == "snr":
        return Rate(by_snr=True)
    return Rate(confidence=increments.confidence)


def rates_of(increments: Increments | None) -> list[Rate | None]:
    """Return the swept rates; by default one rate with all increments."""
    return [None] if increments is None else [rate_of(each) for each in increments]


def check_rates(rates: Sequence[Rate | None], *, grouped: Iterable[str]) -> None:
    """Check that each rate occurs once, and that no links meet.

    Raises:
        ValueError: a rate occurs twice, or links meet.
    """
    if len(set(rates)) != len(rates):
        twice = next(rate for rate in rates if rates.count(rate) > 1)
        raise ValueError(f"increments holds {twice.label if twice else ''} twice")
    group = next(iter(grouped), None)
    if rates != [None] and group is not None:
        raise ValueError(
            f"increments: the links of group {group} meet, so their codewords must be sent "
            "completely"
        )


def check_codec_rates(
    link: str, codec: str, manifest: AnyManifest, rates: Sequence[Rate | None]
) -> None:
    """Check that a codec has as many increments as a sweep requires, and a table if one is needed.

    Raises:
        ConfigurationError: it has fewer, or one length, or no table.
    """
    if rates == [None]:
        return
    task = manifest.task
    if not isinstance(task, OrderedClassification):
        raise ConfigurationError(
            f"link {link}: codec {codec} has codewords of one length; omit increments"
        )
    most = max((rate.increments or 1 for rate in rates if rate is not None), default=1)
    if most > len(task.lengths):
        raise ConfigurationError(
            f"link {link}: codec {codec} has {len(task.lengths)} increments, but increments "
            f"lists {most}"
        )
    if manifest.snr_rates is None and any(rate is not None and rate.by_snr for rate in rates):
        raise ConfigurationError(
            f"link {link}: codec {codec} has no table of increments by SNR; "
            f"make it with: {command('semcom', 'checkpoints', 'rates', codec)}"
        )
