"""Choose the inspected curve: a link with a codec over a channel, by ascending SNR. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.plan.plan import Plan, PlannedCodec
from semcom.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Names given by a user; by default the first ones of the plan.

    Attributes:
        link: name of the link.
        codec: name of one of its codecs.
        channel: label of the channel in reports, or only its model.
        seed: of the channel.
        snrs_db: SNRs; None: all.
    """

    link: str | None = None
    codec: str | None = None
    channel: str | None = None
    seed: int | None = None
    snrs_db: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True)
class ItemCurve:
    """Points of a plan that differ only in SNR, by ascending SNR."""

    link: str
    variant: int
    codec: PlannedCodec
    channel: str
    seed: int
    points: tuple[int, ...]

    def __str__(self) -> str:
        """Return its name in a heading."""
        return f"link {self.link}, codec {self.codec.name}, {self.channel}, seed {self.seed}"


def choose_curve(plan: Plan, wanted: Wanted) -> ItemCurve:
    """Return the requested curve.

    Raises:
        ConfigurationError: the plan has no such curve; the message lists the available names.
    """
    link = _one_of("link", plan.links, wanted.link)
    codecs = plan.links[link].codecs
    name = _one_of("codec", [codec.name for codec in codecs], wanted.codec)
    variant = next(index for index, codec in enumerate(codecs) if codec.name == name)
    planned = [each for each in plan.points_of(link) if plan.points[each].variant == variant]
    specs = {point: plan.points[point].spec for point in planned}
    labels = dict.fromkeys(spec.label for spec in specs.values())
    channel = _channel(labels, wanted.channel)
    seeds = dict.fromkeys(spec.seed for spec in specs.values() if spec.label == channel)
    seed = _one_of("seed", seeds, wanted.seed)
    points = [point for point, spec in specs.items() if (spec.label, spec.seed) == (channel, seed)]
    points = _with_snrs(plan, points, wanted.snrs_db)
    return ItemCurve(
        link=link,
        variant=variant,
        codec=codecs[variant],
        channel=channel,
        seed=seed,
        points=tuple(sorted(points, key=lambda point: specs[point].snr_db)),
    )


def _one_of(kind: str, there: Iterable[T], named: T | None) -> T:
    known = list(there)
    if named is None:
        return known[0]
    if named not in known:
        raise ConfigurationError(f"no {kind} {named} in this run; available: {_list(known)}")
    return named


def _channel(labels: Iterable[str], named: str | None) -> str:
    """Return the label that is given in full, or by unambiguous first words."""
    known = list(labels)
    if named is None or named in known:
        return _one_of("channel", known, named)
    begun = [label for label in known if label.startswith(f"{named} ")]
    if len(begun) > 1:
        raise ConfigurationError(f"channel {named}: choose one of: {_list(begun)}")
    return _one_of("channel", known, begun[0] if begun else named)


def _with_snrs(plan: Plan, points: list[int], snrs_db: Sequence[float] | None) -> list[int]:
    if snrs_db is None:
        return points
    by_snr = {plan.points[point].spec.snr_db: point for point in points}
    return [by_snr[_one_of("SNR", by_snr, snr_db)] for snr_db in dict.fromkeys(snrs_db)]


def _list(known: Iterable[object]) -> str:
    return ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in known)
