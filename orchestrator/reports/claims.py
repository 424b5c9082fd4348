"""The claims of the paper's section IV beside what was measured: a row each, with a verdict.

The paper classifies, so all of this is about the accuracy of classification. Accuracies are those
over AWGN, all seeds together. Gains are relative to the other system's accuracy, as in the paper.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import NamedTuple

from orchestrator.plan.codec_facts import CodecFacts, transmitter_parameters
from orchestrator.reports.comparison import facts_of, system_curves
from orchestrator.reports.curves import pooled_results
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from semcom.records import SearchRecord
from semcom.tasks.classification import ACCURACY
from semcom.tasks.registry import task_class
from semcom.tasks.score import ITEMS, Score

CHANNEL = "awgn"
HIGH_DB, LOW_DB = 25.0, -10.0
OURS, STUDENT, TEACHER = "rkd-sc", "jscc-student", "jscc-teacher"

Accuracies = Mapping[float, float]  # by Es/N0 in dB, 0..1


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Measurements on one data set; a missing one leaves its claims out.

    `accuracies` are those of each system over AWGN, from at least `images` images each;
    `parameters` those of the transmitter and of its teacher; `searched` the parameters that the
    searches of each method found.
    """

    dataset: str
    accuracies: Mapping[str, Accuracies] = field(default_factory=dict)
    images: int = 0
    parameters: tuple[int, int] | None = None
    searched: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def ratio(self, one: str, other: str, snr_db: float) -> float | None:
        """Accuracy of a system over that of another one, at one SNR; None over nothing."""
        ours, theirs = (self.accuracies.get(system, {}).get(snr_db) for system in (one, other))
        return ours / theirs if ours is not None and theirs else None


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper in percent by data set, and its measurement as a share.

    Less than the paper's number is 'partly' if it is above 0 and at least `partly` of it.
    """

    text: str
    paper: Mapping[str, float]
    measure: Callable[[Evidence], float | None]
    basis: Callable[[Evidence], str]
    partly: float = 0.0

    def verdict(self, dataset: str, measured: float) -> str:
        """Reproduced, partly or not."""
        paper = self.paper[dataset] / 100
        if measured >= paper:
            return "reproduced"
        return "partly" if measured > 0 and measured >= self.partly * paper else "not"


def _gain_over(other: str, snr_db: float) -> Callable[[Evidence], float | None]:
    def gain(evidence: Evidence) -> float | None:
        ratio = evidence.ratio(OURS, other, snr_db)
        return None if ratio is None else ratio - 1

    return gain


def _least_gain_over(other: str) -> Callable[[Evidence], float | None]:
    def gain(evidence: Evidence) -> float | None:
        snrs_db = evidence.accuracies.get(OURS, {})
        ratios = (evidence.ratio(OURS, other, snr_db) for snr_db in snrs_db)
        known = [ratio for ratio in ratios if ratio is not None]
        return min(known) - 1 if known else None

    return gain


def _saved_parameters(evidence: Evidence) -> float | None:
    if evidence.parameters is None:
        return None
    transmitter, teacher = evidence.parameters
    return 1 - transmitter / teacher


def _saved_by_the_penalty(evidence: Evidence) -> float | None:
    found = [evidence.searched.get(method) for method in ("kdl-darts", "darts")]
    return None if not all(found) else 1 - mean(found[0]) / mean(found[1])  # type: ignore[arg-type]


def _images(evidence: Evidence) -> str:
    return f"{evidence.images:,} images"


def _weights(_evidence: Evidence) -> str:
    return "the weights"


def _searches(evidence: Evidence) -> str:
    return f"{min(map(len, evidence.searched.values()))} seeds"


CLAIMS = (
    Claim(
        text="accuracy kept against JSCC-teacher at 25 dB",
        paper={"cifar10": 95.86, "cifar100": 90.20, "tiny-imagenet": 78.39},
        measure=lambda evidence: evidence.ratio(OURS, TEACHER, HIGH_DB),
        basis=_images,
        partly=0.9,
    ),
    Claim(
        text="parameters of the transmitter below the teacher's",
        paper={"cifar10": 94.06, "cifar100": 93.27, "tiny-imagenet": 93.26},
        measure=_saved_parameters,
        basis=_weights,
        partly=0.9,
    ),
    Claim(
        text="gain over JSCC-teacher at -10 dB",
        paper={"cifar10": 83.12, "cifar100": 516.16, "tiny-imagenet": 107.51},
        measure=_gain_over(TEACHER, LOW_DB),
        basis=_images,
    ),
    Claim(
        text="gain over JSCC-student at 25 dB",
        paper={"cifar10": 3.41, "cifar100": 5.10, "tiny-imagenet": 12.25},
        measure=_gain_over(STUDENT, HIGH_DB),
        basis=_images,
    ),
    Claim(
        text="least gain over JSCC-student, at any SNR",
        paper={"cifar10": 0.0, "cifar100": 0.0, "tiny-imagenet": 0.0},
        measure=_least_gain_over(STUDENT),
        basis=_images,
    ),
    Claim(
        text="parameters that KDL-DARTS finds below those of DARTS",
        paper={"cifar10": 29.4, "cifar100": 14.5, "tiny-imagenet": 27.9},
        measure=_saved_by_the_penalty,
        basis=_searches,
    ),
)


def claims_table(evidence: Sequence[Evidence]) -> ReportTable | None:
    """A row for every claim that can be answered; None where none can."""
    rows = [
        [
            claim.text, each.dataset, f"{claim.paper[each.dataset]:.2f} %",
            f"{100 * measured:.2f} %", claim.basis(each), claim.verdict(each.dataset, measured),
        ]
        for claim in CLAIMS
        for each in evidence
        if each.dataset in claim.paper and (measured := claim.measure(each)) is not None
    ]  # fmt: skip
    if not rows:
        return None
    return ReportTable(
        title="Claims of the paper",
        head=["claim", "data set", "paper", "here", "from", "verdict"],
        rows=rows,
        note="Accuracies are over AWGN, gains relative. Reproduced: at least the paper's number; "
        "partly: any gain, or nine tenths of the share.",
    )


class _Counted(NamedTuple):
    """The score of a codec at an SNR."""

    dataset: str
    system: str
    codec: str
    snr_db: float
    score: Score


def evidence_of(runs: Sequence[StoredRun], searches: Sequence[SearchRecord] = ()) -> list[Evidence]:
    """Return what runs, evaluations and searches tell of each data set.

    A system with two codecs on a data set speaks for neither.
    """
    counted = [
        _Counted(curve.dataset, curve.system, curve.digest, point.snr_db, point.score)
        for curve in system_curves(runs, ACCURACY)
        if curve.channel == CHANNEL
        for point in curve.points
    ]
    return _evidence(counted, facts_of(runs).values(), searches)


def evidence_of_results(
    results_csv: str, codecs: Iterable[CodecFacts], searches: Sequence[SearchRecord] = ()
) -> list[Evidence]:
    """The same from the `results.csv` of an evaluation and the codecs that its manifest names."""
    counted = [
        _Counted(at.dataset, at.system, at.codec, point.snr_db, point.score)
        for at, points in pooled_results(results_csv).items()
        if at.channel == CHANNEL and ACCURACY in task_class(at.task).METRICS
        for point in points
    ]
    return _evidence(counted, codecs, searches)


def _evidence(
    counted: Sequence[_Counted], codecs: Iterable[CodecFacts], searches: Sequence[SearchRecord]
) -> list[Evidence]:
    names = {(each.dataset, each.system, each.codec) for each in counted}
    told = Counter((dataset, system) for dataset, system, _ in names)
    accuracies: dict[str, dict[str, dict[float, float]]] = defaultdict(lambda: defaultdict(dict))
    images: dict[str, list[int]] = defaultdict(list)
    for each in counted:
        if told[each.dataset, each.system] == 1:
            found = accuracies[each.dataset][each.system]
            found[each.snr_db] = ACCURACY.value(each.score)
            images[each.dataset].append(each.score[ITEMS])
    sizes: dict[str, list[CodecFacts]] = defaultdict(list)
    for codec in codecs:
        if codec.system == OURS:
            sizes[codec.dataset].append(codec)
    searched: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for record in searches:
        searched[record.dataset][record.method].append(record.parameters)
    return [
        Evidence(
            dataset=dataset,
            accuracies=accuracies.get(dataset, {}),
            images=min(images.get(dataset, [0])),
            parameters=_sizes(sizes[dataset]),
            searched=searched.get(dataset, {}),
        )
        for dataset in dict.fromkeys([*accuracies, *searched])
    ]


def _sizes(codecs: Sequence[CodecFacts]) -> tuple[int, int] | None:
    """Parameters of the only transmitter, and of its teacher."""
    if len(codecs) != 1 or codecs[0].teacher_parameters is None:
        return None
    return transmitter_parameters(codecs[0].parameters), codecs[0].teacher_parameters
