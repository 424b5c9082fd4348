"""The claims of the paper's section IV beside what was measured: a row each, with a verdict.

All are about AWGN and, of an architecture search, about several seeds together. Gains are relative
to the other system's accuracy, as the paper's are.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from orchestrator.codec_facts import CodecFacts
from orchestrator.reports.comparison import facts_of, system_curves
from orchestrator.reports.tables import ReportTable
from orchestrator.run_folder import Run
from semcom.records import SearchRecord

CHANNEL = "awgn"
HIGH_DB, LOW_DB = 25.0, -10.0
OURS, STUDENT, TEACHER = "rkd-sc", "jscc-student", "jscc-teacher"

Accuracies = Mapping[float, float]  # by Es/N0 in dB, 0..1


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was measured on one data set; what is missing leaves its claims out.

    `accuracies` are those of each system over AWGN; `parameters` those of the transmitter and of
    its teacher; `searched` the parameters that the searches of each method found.
    """

    dataset: str
    accuracies: Mapping[str, Accuracies] = field(default_factory=dict)
    parameters: tuple[int, int] | None = None
    searched: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def ratio(self, one: str, other: str, snr_db: float) -> float | None:
        """Accuracy of a system over that of another one, at one SNR."""
        accuracies = [self.accuracies.get(system, {}).get(snr_db) for system in (one, other)]
        return None if None in accuracies else accuracies[0] / accuracies[1]  # type: ignore[operator]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the paper says, percent by data set, and how it is measured, as a share.

    Less than the paper's number is 'partly' from `partly` of it on.
    """

    text: str
    paper: Mapping[str, float]
    measure: Callable[[Evidence], float | None]
    partly: float = 0.0

    def verdict(self, dataset: str, measured: float) -> str:
        """Reproduced, partly or not."""
        paper = self.paper[dataset] / 100
        if measured >= paper:
            return "reproduced"
        return "partly" if measured > self.partly * paper else "not"


def _gain_over(other: str, snr_db: float) -> Callable[[Evidence], float | None]:
    def gain(evidence: Evidence) -> float | None:
        ratio = evidence.ratio(OURS, other, snr_db)
        return None if ratio is None else ratio - 1

    return gain


def _saved_parameters(evidence: Evidence) -> float | None:
    if evidence.parameters is None:
        return None
    transmitter, teacher = evidence.parameters
    return 1 - transmitter / teacher


def _saved_by_the_penalty(evidence: Evidence) -> float | None:
    found = [evidence.searched.get(method) for method in ("kdl-darts", "darts")]
    return None if not all(found) else 1 - mean(found[0]) / mean(found[1])  # type: ignore[arg-type]


CLAIMS = (
    Claim(
        text="accuracy kept against JSCC-teacher at 25 dB",
        paper={"cifar10": 95.86, "cifar100": 90.20, "tiny-imagenet": 78.39},
        measure=lambda evidence: evidence.ratio(OURS, TEACHER, HIGH_DB),
        partly=0.9,
    ),
    Claim(
        text="parameters of the transmitter below the teacher's",
        paper={"cifar10": 94.06, "cifar100": 93.27, "tiny-imagenet": 93.26},
        measure=_saved_parameters,
        partly=0.9,
    ),
    Claim(
        text="gain over JSCC-teacher at -10 dB",
        paper={"cifar10": 83.12, "cifar100": 516.16, "tiny-imagenet": 107.51},
        measure=_gain_over(TEACHER, LOW_DB),
    ),
    Claim(
        text="gain over JSCC-student at 25 dB",
        paper={"cifar10": 3.41, "cifar100": 5.10, "tiny-imagenet": 12.25},
        measure=_gain_over(STUDENT, HIGH_DB),
    ),
    Claim(
        text="parameters that KDL-DARTS finds below those of DARTS",
        paper={"cifar10": 29.4, "cifar100": 14.5, "tiny-imagenet": 27.9},
        measure=_saved_by_the_penalty,
    ),
)


def claims_table(evidence: Sequence[Evidence]) -> ReportTable | None:
    """A row for every claim that can be answered; None where none can."""
    rows = [
        [claim.text, each.dataset, f"{claim.paper[each.dataset]:.2f} %", f"{100 * measured:.2f} %",
         claim.verdict(each.dataset, measured)]
        for claim in CLAIMS
        for each in evidence
        if each.dataset in claim.paper and (measured := claim.measure(each)) is not None
    ]  # fmt: skip
    if not rows:
        return None
    return ReportTable(
        title="Claims of the paper",
        head=["claim, over AWGN", "data set", "paper", "here", "verdict"],
        rows=rows,
        note="Gains are relative. Reproduced: at least the paper's number; partly: of a gain any, "
        "of a share nine tenths of it.",
    )


def evidence_of(runs: Sequence[Run], searches: Sequence[SearchRecord] = ()) -> list[Evidence]:
    """What runs, evaluations and searches tell of each data set.

    A system with two codecs on a data set speaks for neither.
    """
    curves = [curve for curve in system_curves(runs) if curve.channel == CHANNEL]
    facts = facts_of(runs)
    by_system: dict[str, dict[str, Accuracies]] = defaultdict(dict)
    codecs: dict[str, CodecFacts] = {}
    told = Counter((curve.dataset, curve.system) for curve in curves)
    for curve in curves:
        if told[curve.dataset, curve.system] > 1:
            continue
        by_system[curve.dataset][curve.system] = {p.snr_db: p.accuracy for p in curve.points}
        if curve.system == OURS and curve.digest in facts:
            codecs[curve.dataset] = facts[curve.digest]
    return _evidence(by_system, codecs.values(), searches)


def evidence_of_results(
    results_csv: str, codecs: Iterable[CodecFacts], searches: Sequence[SearchRecord] = ()
) -> list[Evidence]:
    """The same from the `results.csv` of an evaluation and the codecs that its manifest names."""
    images: Counter[tuple[str, str, float]] = Counter()
    correct: Counter[tuple[str, str, float]] = Counter()
    for row in csv.DictReader(io.StringIO(results_csv)):
        if row["channel"] == CHANNEL:
            key = row["dataset"], row["system"], float(row["snr_db"])
            images[key] += int(row["images"])
            correct[key] += int(row["correct"])
    by_system: dict[str, dict[str, dict[float, float]]] = defaultdict(lambda: defaultdict(dict))
    for (dataset, system, snr_db), count in images.items():
        by_system[dataset][system][snr_db] = correct[dataset, system, snr_db] / count
    return _evidence(by_system, codecs, searches)


def _evidence(
    by_system: Mapping[str, Mapping[str, Accuracies]],
    codecs: Iterable[CodecFacts],
    searches: Sequence[SearchRecord],
) -> list[Evidence]:
    ours = {codec.dataset: codec for codec in codecs if codec.system == OURS}
    searched: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for record in searches:
        searched[record.dataset][record.method].append(record.parameters)
    return [
        Evidence(
            dataset=dataset,
            accuracies=by_system.get(dataset, {}),
            parameters=_sizes(ours.get(dataset)),
            searched=searched.get(dataset, {}),
        )
        for dataset in dict.fromkeys([*by_system, *searched])
    ]


def _sizes(codec: CodecFacts | None) -> tuple[int, int] | None:
    if codec is None or codec.teacher_parameters is None:
        return None
    transmitter = codec.parameters["encoder"] + codec.parameters["channel_encoder"]
    return transmitter, codec.teacher_parameters
