"""The claims of the paper's section IV with measurements and verdicts, one row each.

A verdict follows from the interval of the measurement (`orchestrator.reports.verdicts`), unless a
side of the comparison is not what the paper compares.

The paper classifies, so all of this is about the accuracy of classification. Accuracies are those
over AWGN, all seeds together. Gains are relative to the other system's accuracy, as in the paper.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.plan.codec_facts import CodecFacts, transmitter_parameters
from orchestrator.reports.comparison import facts_of, system_curves
from orchestrator.reports.curves import CurvePoint, pooled_results
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.verdicts import (
    VERDICTS_NOTE,
    Measured,
    around,
    exactly,
    least_of,
    relative_error,
    saved_share,
    verdict_of,
)
from orchestrator.results.run_folder import StoredRun
from semcom.records import SearchRecord
from semcom.statistics import Z_95
from semcom.tasks.classification import ACCURACY
from semcom.tasks.registry import task_class
from semcom.tasks.score import ITEMS

SMALLEST_DEPTHS = (1, 1, 1, 1)
PAPER_TEACHER = (86_192_640, 87_849_216)  # CLIP's ViT-B/16 and ViT-B/32
OTHER_TEACHER = 0.1  # relative difference in parameters above which a teacher counts as different
CHANNEL = "awgn"
HIGH_DB, LOW_DB = 25.0, -10.0
OURS, STUDENT, TEACHER = "rkd-sc", "jscc-student", "jscc-teacher"
T_DEEPSC = "t-deepsc"

_BySystem = dict[str, dict[str, dict[float, float]]]  # data set, system, SNR
Accuracies = Mapping[float, float]  # by Es/N0 in dB, 0..1


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Measurements on one data set; claims without measurements are omitted.

    `accuracies` are those of each system over AWGN, from at least `images` images each, `errors`
    their standard errors; `parameters` those of the transmitter and of its teacher; `searched` the
    parameters that the searches of each method found; `shallow` are methods of which every search
    ended at the smallest architecture.
    """

    dataset: str
    accuracies: Mapping[str, Accuracies] = field(default_factory=dict)
    errors: Mapping[str, Accuracies] = field(default_factory=dict)
    images: int = 0
    parameters: tuple[int, int] | None = None
    searched: Mapping[str, Sequence[int]] = field(default_factory=dict)
    shallow: frozenset[str] = frozenset()

    def ratio(self, one: str, other: str, snr_db: float) -> tuple[float, float] | None:
        """Accuracy of a system over that of another one, at one SNR, and its standard error.

        None over nothing.
        """
        ours, theirs = (self.accuracies.get(system, {}).get(snr_db) for system in (one, other))
        if not ours or not theirs:
            return None
        errors = [self.errors[system][snr_db] for system in (one, other)]
        ratio = ours / theirs
        return ratio, ratio * relative_error(ours, errors[0], theirs, errors[1])


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper in percent by data set, and its measurement as a share.

    `unfit` says why a comparison is not the paper's; None if it is.
    """

    text: str
    paper: Mapping[str, float]
    measure: Callable[[Evidence], Measured | None]
    basis: Callable[[Evidence], str]
    unfit: Callable[[Evidence], str | None] = lambda _evidence: None

    def verdict(self, evidence: Evidence, measured: Measured) -> str:
        """Return the verdict, with the reason if the sides are not comparable."""
        if (why := self.unfit(evidence)) is not None:
            return f"no fit comparison: {why}"
        return verdict_of(measured, self.paper[evidence.dataset] / 100)


def _kept_of(other: str, snr_db: float) -> Callable[[Evidence], Measured | None]:
    def kept(evidence: Evidence) -> Measured | None:
        ratio = evidence.ratio(OURS, other, snr_db)
        return None if ratio is None else around(*ratio)

    return kept


def _gain_over(
    other: str, snr_db: float, *, of: str = OURS
) -> Callable[[Evidence], Measured | None]:
    def gain(evidence: Evidence) -> Measured | None:
        ratio = evidence.ratio(of, other, snr_db)
        return None if ratio is None else around(ratio[0] - 1, ratio[1])

    return gain


def _least_gain_over(other: str) -> Callable[[Evidence], Measured | None]:
    def gain(evidence: Evidence) -> Measured | None:
        found = {
            snr_db: (ratio[0] - 1, ratio[1])
            for snr_db in evidence.accuracies.get(OURS, {})
            if (ratio := evidence.ratio(OURS, other, snr_db)) is not None
        }
        return least_of(found) if found else None

    return gain


def _saved_parameters(evidence: Evidence) -> Measured | None:
    if evidence.parameters is None:
        return None
    transmitter, teacher = evidence.parameters
    return exactly(1 - transmitter / teacher)


def _saved_by_the_penalty(evidence: Evidence) -> Measured | None:
    ours, theirs = (evidence.searched.get(method, ()) for method in ("kdl-darts", "darts"))
    return saved_share(ours, theirs)


def _weak_teacher(evidence: Evidence) -> str | None:
    """Return a reason if a teacher without noise is worse than its student: not fully trained."""
    ratio = evidence.ratio(OURS, TEACHER, HIGH_DB)
    if ratio is None or around(*ratio).low <= 1:
        return None
    return "JSCC-teacher is below RKD-SC at 25 dB, so it was not fully trained"


def _other_teacher(evidence: Evidence) -> str | None:
    if evidence.parameters is None:
        return None
    teacher = evidence.parameters[1]
    if any(abs(teacher / paper - 1) <= OTHER_TEACHER for paper in PAPER_TEACHER):
        return None
    sizes = f"{teacher / 1e6:.1f} M parameters, the paper's {PAPER_TEACHER[1] / 1e6:.1f} M"
    return f"the teacher has {sizes}"


def _shallow_searches(evidence: Evidence) -> str | None:
    if not evidence.shallow:
        return None
    named = " and ".join(sorted(METHODS[method] for method in evidence.shallow))
    return f"every search of {named} ended at the smallest architecture"


METHODS = {"kdl-darts": "KDL-DARTS", "darts": "DARTS"}


def _images(evidence: Evidence) -> str:
    return f"{evidence.images:,} images"


def _weights(_evidence: Evidence) -> str:
    return "the weights"


def _searches(evidence: Evidence) -> str:
    return f"{min(map(len, evidence.searched.values()))} seeds"


CLAIMS = (
    Claim(
        text="accuracy retained relative to JSCC-teacher at 25 dB",
        paper={"cifar10": 95.86, "cifar100": 90.20, "tiny-imagenet": 78.39},
        measure=_kept_of(TEACHER, HIGH_DB),
        basis=_images,
        unfit=_weak_teacher,
    ),
    Claim(
        text="parameters saved at the transmitter, relative to the teacher",
        paper={"cifar10": 94.06, "cifar100": 93.27, "tiny-imagenet": 93.26},
        measure=_saved_parameters,
        basis=_weights,
        unfit=_other_teacher,
    ),
    Claim(
        text="gain over JSCC-teacher at -10 dB",
        paper={"cifar10": 83.12, "cifar100": 516.16, "tiny-imagenet": 107.51},
        measure=_gain_over(TEACHER, LOW_DB),
        basis=_images,
        unfit=_weak_teacher,
    ),
    Claim(
        text="gain over JSCC-student at 25 dB",
        paper={"cifar10": 3.41, "cifar100": 5.10, "tiny-imagenet": 12.25},
        measure=_gain_over(STUDENT, HIGH_DB),
        basis=_images,
    ),
    Claim(
        text="smallest gain over JSCC-student at any SNR",
        paper={"cifar10": 0.0, "cifar100": 0.0, "tiny-imagenet": 0.0},
        measure=_least_gain_over(STUDENT),
        basis=_images,
    ),
    Claim(
        text="gain of JSCC-student over T-DeepSC at 0 dB",
        paper={"cifar10": 9.35, "cifar100": 11.53, "tiny-imagenet": 16.72},
        measure=_gain_over(T_DEEPSC, 0.0, of=STUDENT),
        basis=_images,
    ),
    Claim(
        text="parameters saved by KDL-DARTS, relative to DARTS",
        paper={"cifar10": 29.4, "cifar100": 14.5, "tiny-imagenet": 27.9},
        measure=_saved_by_the_penalty,
        basis=_searches,
        unfit=_shallow_searches,
    ),
)


def claims_table(evidence: Sequence[Evidence]) -> ReportTable | None:
    """Return a row for every claim with measurements; None if there are none."""
    rows = [
        [
            claim.text, each.dataset, f"{claim.paper[each.dataset]:.2f} %",
            measured.text, claim.basis(each), claim.verdict(each, measured),
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
        note=f"Accuracies are over AWGN; gains are relative. {VERDICTS_NOTE}",
    )


class _Counted(NamedTuple):
    """The result of a codec at an SNR."""

    dataset: str
    system: str
    codec: str
    point: CurvePoint


def evidence_of(runs: Sequence[StoredRun], searches: Sequence[SearchRecord] = ()) -> list[Evidence]:
    """Return the measurements of runs, evaluations and searches for each data set.

    A system with two codecs on a data set is omitted.
    """
    counted = [
        _Counted(curve.dataset, curve.system, curve.digest, point)
        for curve in system_curves(runs, ACCURACY)
        if curve.channel == CHANNEL
        for point in curve.points
    ]
    return _evidence(counted, facts_of(runs).values(), searches)


def evidence_of_results(
    results_csv: str, codecs: Iterable[CodecFacts], searches: Sequence[SearchRecord] = ()
) -> list[Evidence]:
    """Return the same from an evaluation's `results.csv` and the codecs in its manifest."""
    counted = [
        _Counted(at.dataset, at.system, at.codec, point)
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
    accuracies: _BySystem = defaultdict(lambda: defaultdict(dict))
    errors: _BySystem = defaultdict(lambda: defaultdict(dict))
    images: dict[str, list[int]] = defaultdict(list)
    for each in counted:
        if told[each.dataset, each.system] == 1:
            point = each.point
            accuracies[each.dataset][each.system][point.snr_db] = ACCURACY.value(point.score)
            low, high = point.interval(ACCURACY)
            errors[each.dataset][each.system][point.snr_db] = (high - low) / (2 * Z_95)
            images[each.dataset].append(point.score[ITEMS] // point.repeats)
    sizes: dict[str, list[CodecFacts]] = defaultdict(list)
    for codec in codecs:
        if codec.system == OURS:
            sizes[codec.dataset].append(codec)
    searched: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    deep: set[tuple[str, str]] = set()
    for record in searches:
        searched[record.dataset][record.method].append(record.parameters)
        if record.depths != SMALLEST_DEPTHS:
            deep.add((record.dataset, record.method))
    return [
        Evidence(
            dataset=dataset,
            accuracies=accuracies.get(dataset, {}),
            errors=errors.get(dataset, {}),
            images=min(images.get(dataset, [0])),
            parameters=_sizes(sizes[dataset]),
            searched=searched.get(dataset, {}),
            shallow=frozenset(m for m in searched.get(dataset, {}) if (dataset, m) not in deep),
        )
        for dataset in dict.fromkeys([*accuracies, *searched])
    ]


def _sizes(codecs: Sequence[CodecFacts]) -> tuple[int, int] | None:
    """Parameters of the only transmitter, and of its teacher."""
    if len(codecs) != 1 or codecs[0].teacher_parameters is None:
        return None
    return transmitter_parameters(codecs[0].parameters), codecs[0].teacher_parameters
