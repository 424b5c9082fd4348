"""Claims of Liu et al. on sentences and the measured values: a row per claim, with a verdict.

The paper does not specify which BLEU it uses; here it is BLEU-1, always over Rayleigh fading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.reports.ablation import ablation_tables, without_ablations
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.sentences import has_sentences
from orchestrator.reports.sides import Estimate, Side
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.text_evidence import Condition, TextCodec, text_codecs
from orchestrator.reports.verdicts import least_of, verdict_of
from orchestrator.results.run_folder import StoredRun

PAPER_SET = "europarl"
STUDENTS = ("student-1", "student-2", "student-3", "student-4")
PAIRS = {"student-1": "baseline-1", "student-2": "baseline-2", "student-3": "baseline-3"}
NOT_MEASURED = "not measured"
NOTE = (
    "BLEU-1 over Rayleigh fading in %; differences in percentage points. Where a claim covers "
    "several SNRs, SIRs, numbers of interferers or systems, the smallest value counts, with an "
    "interval over all of them. Reproduced: the whole 95 % interval is at the paper's number or "
    "above it. Refuted: the whole interval is below it. Not distinguishable: the interval "
    "contains the paper's number. Not measured: no run has everything that the claim compares."
)
BySystem = Mapping[str, Mapping[Condition, Side]]
Where = Callable[[Condition], bool]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper: a number in percent, and the values whose least it is."""

    text: str
    paper: float
    estimates: Callable[[BySystem], dict[object, Estimate]]

    def row(self, systems: BySystem) -> list[str]:
        """Return the claim next to the measured value."""
        found = self.estimates(systems)
        if not found:
            return [self.text, f"{self.paper:g}", NOTHING, NOT_MEASURED]
        # Keys of `least_of` only distinguish values.
        measured = least_of(dict(enumerate(found.values())))
        verdict = verdict_of(measured, self.paper / 100)
        return [self.text, f"{self.paper:g}", measured.text.replace(" %", ""), verdict]


def _values(
    systems: Sequence[str], where: Condition
) -> Callable[[BySystem], dict[object, Estimate]]:
    """Return the values of systems under one condition; nothing unless all existing ones have it.

    At least one of them must exist.
    """

    def estimates(found: BySystem) -> dict[object, Estimate]:
        there = [system for system in systems if system in found]
        sides = {system: found[system].get(where) for system in there}
        return (
            {system: side.estimate for system, side in sides.items() if side is not None}
            if all(sides.values())
            else {}
        )

    return estimates


def _margins(
    pairs: Iterable[tuple[str, str]], where: Where, *, among: int
) -> Callable[[BySystem], dict[object, Estimate]]:
    """Return the differences of pairs of systems under conditions where both were measured.

    Args:
        pairs: systems to compare; pairs with a missing system are left out.
        where: conditions of the claim.
        among: minimum number of conditions.
    """
    told = list(pairs)

    def estimates(found: BySystem) -> dict[object, Estimate]:
        margins: dict[object, Estimate] = {}
        for one, other in told:
            mine, theirs = found.get(one, {}), found.get(other, {})
            common = [each for each in mine if each in theirs and where(each)]
            if mine and theirs and len(common) < among:
                return {}
            margins |= {(one, each): mine[each].less(theirs[each]) for each in common}
        return margins

    return estimates


def _one(sir_db: float, snr_db: float) -> Condition:
    return Condition(1, sir_db, snr_db)


def _several(condition: Condition) -> bool:
    return condition.sir_db == 20 and 3 <= condition.interferers <= 9


TEACHER_MET = "Students 1 and 2 minus the teacher, 3 to 9 interferers of SIR 20 dB, SNR 15 dB"
BELOW_9 = "students minus their baselines, no interference, SNR below 9 dB"
CLAIMS = (
    Claim("teacher, no interference, SNR 0 dB", 52, _values(["teacher"], Condition(0, None, 0))),
    Claim("teacher, no interference, SNR 18 dB", 90, _values(["teacher"], Condition(0, None, 18))),
    Claim(BELOW_9, 0, _margins(
        PAIRS.items(), lambda at: at.interferers == 0 and at.snr_db < 9, among=2)),
    Claim("students minus their baselines, 1 interferer of SIR below 12 dB, SNR 18 dB", 0, _margins(
        PAIRS.items(),
        lambda at: at.interferers == 1 and at.snr_db == 18 and (at.sir_db or 0) < 12, among=2)),
    Claim("teacher, 1 interferer of SIR 0 dB, SNR 0 dB", 30, _values(["teacher"], _one(0, 0))),
    Claim("teacher, 1 interferer of SIR 0 dB, SNR 18 dB", 50, _values(["teacher"], _one(0, 18))),
    Claim("students, 1 interferer of SIR 0 dB, SNR 0 dB", 25, _values(STUDENTS, _one(0, 0))),
    Claim("students, 1 interferer of SIR 0 dB, SNR 18 dB", 30, _values(STUDENTS, _one(0, 18))),
    Claim("students minus their baselines, 1 interferer of SIR 0 dB, SNR 0 to 18 dB", 10, _margins(
        PAIRS.items(),
        lambda at: at[:2] == (1, 0) and 0 <= at.snr_db <= 18, among=2)),
    Claim("teacher, 1 interferer of SIR 10 dB, SNR 0 dB", 47, _values(["teacher"], _one(10, 0))),
    Claim("teacher, 1 interferer of SIR 10 dB, SNR 18 dB", 80, _values(["teacher"], _one(10, 18))),
    Claim("teacher, 3 interferers of SIR 20 dB, SNR 15 dB", 77, _values(
        ["teacher"], Condition(3, 20, 15))),
    Claim("teacher, 9 interferers of SIR 20 dB, SNR 15 dB", 41, _values(
        ["teacher"], Condition(9, 20, 15))),
    Claim(TEACHER_MET, 0, _margins(
        [("student-1", "teacher"), ("student-2", "teacher")],
        lambda at: _several(at) and at.snr_db == 15, among=2)),
    Claim("Student 1 minus Baseline 1, 3 to 9 interferers of SIR 20 dB, SNR 15 dB", 20, _margins(
        [("student-1", "baseline-1")],
        lambda at: _several(at) and at.snr_db == 15, among=2)),
)  # fmt: skip


def text_claims_table(codecs: Sequence[TextCodec]) -> ReportTable:
    """Return a row per claim; without codecs for Europarl, all are not measured."""
    systems = _by_system(without_ablations(codecs))
    return ReportTable(
        title="Claims of the paper on sentences",
        head=["claim", "paper", "here", "verdict"],
        rows=[claim.row(systems) for claim in CLAIMS],
        note=NOTE,
    )


def text_evidence_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return the ablations of runs, and the paper's claims if its data set was sent."""
    codecs = text_codecs(runs) if has_sentences(runs) else []
    claims = [text_claims_table(codecs)] if _by_system(codecs) else []
    return [*ablation_tables(codecs), *claims]


def _by_system(codecs: Sequence[TextCodec]) -> BySystem:
    """Return results on Europarl by system; a system with two codecs is left out."""
    known = [codec for codec in codecs if codec.dataset == PAPER_SET]
    told = Counter(codec.system for codec in known)
    return {codec.system: codec.sides for codec in known if told[codec.system] == 1}
