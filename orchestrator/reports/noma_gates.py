"""Gates of superposed images on CIFAR-10: what trained codecs must reach, and what was measured.

Codecs of one system that differ in the seed of their training are compared seed by seed; a codec
with a refinement is compared with the one that it refines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.noma_evidence import PERCEPTUAL, Condition, ImageCodec, image_codecs
from orchestrator.reports.sides import Estimate, Side
from orchestrator.reports.system_titles import system_title
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.verdicts import least_of, verdict_of
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.reconstruction import PSNR

GATE_SET = "cifar10"
TEACHER, KD, SEMNOMA, OMA = "semnoma-teacher", "kd-semnoma", "semnoma", "oma"
SYSTEMS = (TEACHER, KD, SEMNOMA, OMA)
REFINEMENTS = {"diffusion": "diffusion", "cgan": "cGAN"}  # titles by stage
NOT_MEASURED = "not measured"
VERDICTS = {
    "reproduced": "met",
    "refuted": "missed",
    "not distinguishable": "not distinguishable",
}
NOTE = (
    "PSNR in dB, and LPIPS. Where a gate covers several SNRs, seeds or codecs, the smallest value "
    "counts, with a 95 % interval over all of them. Met: the whole interval is at the required "
    "number or above it. Missed: the whole interval is below it. Not distinguishable: the "
    "interval contains the number. Not measured: no run has everything that the gate compares. "
    "Training runs: the number of codecs, or pairs of codecs, that were compared. Systems are "
    "compared between training runs with the same seed; a refinement is compared with the codec "
    "that it refines."
)
Found = dict[object, Estimate]
Seed = tuple[object, ...]  # distinguishes the training runs of a system


@dataclass(frozen=True)
class Gate:
    """A number that must be reached, and what it is the least of."""

    text: str
    at_least: float
    digits: int
    estimates: Callable[[Sequence[ImageCodec]], Iterator[tuple[Seed, Found]]]

    def row(self, codecs: Sequence[ImageCodec]) -> list[str]:
        """Return the gate beside what was measured."""
        by_seed = {seed: found for seed, found in self.estimates(codecs) if found}
        required = f"{self.at_least:g}"
        if not by_seed:
            return [self.text, required, NOTHING, NOTHING, NOT_MEASURED]
        every = [estimate for found in by_seed.values() for estimate in found.values()]
        measured = least_of(dict(enumerate(every)))
        value, low, high = (
            f"{each:.{self.digits}f}" for each in (measured.value, measured.low, measured.high)
        )
        verdict = VERDICTS[verdict_of(measured, self.at_least)]
        return [self.text, required, f"{value} ({low} to {high})", str(len(by_seed)), verdict]


def _is_at(metric: str, channel: str, least_db: float, most_db: float) -> Callable[..., bool]:
    def at(place: Condition) -> bool:
        within = least_db <= place.snr_db <= most_db
        return place.metric == metric and place.channel == channel and within

    return at


def _value(
    system: str, where: Condition
) -> Callable[[Sequence[ImageCodec]], Iterator[tuple[Seed, Found]]]:
    """Return the value of every codec of a system under one condition."""

    def estimates(codecs: Sequence[ImageCodec]) -> Iterator[tuple[Seed, Found]]:
        for seed, codec in _by_seed(codecs, system).items():
            if (side := codec.sides.get(where)) is not None:
                yield seed, {where: side.estimate}

    return estimates


def _less(
    system: str, other: str, where: Callable[..., bool], *, among: int
) -> Callable[[Sequence[ImageCodec]], Iterator[tuple[Seed, Found]]]:
    """Return the differences of two systems, seed by seed, where both were measured.

    `among`: under so many conditions at least, else a seed is left out.
    """

    def estimates(codecs: Sequence[ImageCodec]) -> Iterator[tuple[Seed, Found]]:
        mine, theirs = _by_seed(codecs, system), _by_seed(codecs, other)
        for seed in mine.keys() & theirs.keys():
            found = _differences(mine[seed].sides, theirs[seed].sides, where)
            if len(found) >= among:
                yield seed, found

    return estimates


def _refined(
    stage: str, where: Callable[..., bool], *, among: int
) -> Callable[[Sequence[ImageCodec]], Iterator[tuple[Seed, Found]]]:
    """Return what a refinement takes off a metric, for every codec that has it."""

    def estimates(codecs: Sequence[ImageCodec]) -> Iterator[tuple[Seed, Found]]:
        by_digest = {codec.digest: codec for codec in codecs}
        for refined in codecs:
            before = by_digest.get(refined.made_from or "")
            if before is None or refined.system != f"{before.system}-{stage}":
                continue
            found = _differences(before.sides, refined.sides, where)
            if len(found) >= among:
                yield (refined.digest,), found

    return estimates


def _rising(
    where: Callable[..., bool],
) -> Callable[[Sequence[ImageCodec]], Iterator[tuple[Seed, Found]]]:
    """Return how much a metric rises from SNR to SNR, for every codec of SYSTEMS."""

    def estimates(codecs: Sequence[ImageCodec]) -> Iterator[tuple[Seed, Found]]:
        for codec in codecs:
            places = sorted(filter(where, codec.sides), key=lambda place: place.snr_db)
            found: Found = {
                (codec.digest, high): codec.sides[high].less(codec.sides[low])
                for low, high in pairwise(places)
            }
            if codec.system in SYSTEMS:
                yield (codec.digest,), found

    return estimates


def _differences(
    mine: Mapping[Condition, Side], theirs: Mapping[Condition, Side], where: Callable[..., bool]
) -> Found:
    return {at: mine[at].less(theirs[at]) for at in mine if at in theirs and where(at)}


def _by_seed(codecs: Sequence[ImageCodec], system: str) -> dict[Seed, ImageCodec]:
    """Return the codecs of a system by the seeds of their training runs.

    If two have the same seed, neither is returned.
    """
    mine = [codec for codec in codecs if codec.system == system]
    told = Counter(codec.seed for codec in mine)
    return {(codec.seed,): codec for codec in mine if told[codec.seed] == 1}


def _pair(one: str, other: str) -> str:
    return f"{system_title(one, {})} minus {system_title(other, {})}"


def _gates() -> Iterator[Gate]:
    text = f"{system_title(TEACHER, {})}, AWGN, 10 dB: PSNR"
    yield Gate(text, 29, 2, _value(TEACHER, Condition(PSNR.name, "awgn", 10.0)))
    for channel in ("awgn", "rayleigh"):
        every = _is_at(PSNR.name, channel, 0, 20)
        named = channel_title(channel)
        text = f"every system, {named}: PSNR minus PSNR at the next lower SNR"
        yield Gate(text, 0, 2, _rising(every))
        for one, other in ((TEACHER, KD), (KD, SEMNOMA)):
            text = f"{_pair(one, other)}, {named}, 0 to 20 dB: PSNR"
            yield Gate(text, 0, 2, _less(one, other, every, among=3))
        text = f"{_pair(SEMNOMA, OMA)}, {named}, 0 and 5 dB: PSNR"
        low = _is_at(PSNR.name, channel, 0, 5)
        yield Gate(text, 0, 2, _less(SEMNOMA, OMA, low, among=2))
        perceptual = _is_at(PERCEPTUAL.name, channel, 0, 10)
        for stage, title in REFINEMENTS.items():
            text = f"LPIPS before {title} minus LPIPS after it, {named}, 0 to 10 dB"
            yield Gate(text, 0, 4, _refined(stage, perceptual, among=2))


GATES = tuple(_gates())


def gates_table(codecs: Sequence[ImageCodec]) -> ReportTable:
    """Return a row for every gate; without codecs for CIFAR-10, that nothing was measured."""
    known = [codec for codec in codecs if codec.dataset == GATE_SET]
    return ReportTable(
        title="Gates of superposed images",
        head=["gate", "at least", "here", "training runs", "verdict"],
        rows=[gate.row(known) for gate in GATES],
        note=NOTE,
    )


def gate_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return the gates where runs have codecs that they are about."""
    codecs = [codec for codec in image_codecs(runs) if codec.dataset == GATE_SET]
    return [gates_table(codecs)] if codecs else []
