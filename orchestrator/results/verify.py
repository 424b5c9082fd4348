"""Checks a finished run from what it left behind: its ledger, and the files made from it.

Nothing is believed that was said at run time. Every frame that the plan asks for must be there
once, with the right codec and totals; the ledger, and the files beside it, must be as the run left
them; and where the data sets are at hand the answers are judged again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from orchestrator.results.answers import KeptAnswers
from orchestrator.results.judging import Judge
from orchestrator.results.manifest_check import check_manifest
from orchestrator.results.resumption import finish_hint
from orchestrator.results.run_folder import (
    RESULTS_CSV,
    RUN_MANIFEST,
    open_ledger,
    read_if_there,
    read_run_manifest,
)
from orchestrator.results.seals import Digests, check_seals, digests_of
from orchestrator.results.summary import Summary, format_results_csv, summarize
from semcom.errors import AccountingError, ConfigurationError
from semcom.tasks.score import Score, merged


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was checked and found right.

    Attributes:
        folder: of the run.
        run: its name on the wire.
        plan_digest: of the plan that it followed.
        digests: of the answers, of the scores, and of all that the ledger holds.
        points: each link's points counted by themselves.
        frames: of the whole run.
        images: of the whole run.
        scores: the sums of all images, by the kind of their task.
        compared: files that were found beside the ledger and agree with it.
        kept: whether every answer is kept as a file, and is the one that was recorded.
        sealed: whether the run left digests of its ledger when it was complete.
        judged: links whose answers were judged again.
        not_judged: every other link, and why not.
    """

    folder: Path
    run: str
    plan_digest: str
    digests: Digests
    points: int
    frames: int
    images: int
    scores: dict[str, Score]
    compared: tuple[str, ...]
    kept: bool
    sealed: bool
    judged: tuple[str, ...]
    not_judged: dict[str, str]

    @property
    def results_digest(self) -> str:
        """Digest of every answer."""
        return self.digests.results

    def check_judged(self) -> None:
        """See that the answers of every link were judged again.

        Raises:
            ConfigurationError: the data set of one is absent, altered or another one.
        """
        for link, why in self.not_judged.items():
            raise ConfigurationError(
                f"{self.folder}: link {link} was not judged again: {why}; name the folder of its "
                f"data set with --data, or leave out --judge"
            )

    def lines(self) -> list[str]:
        """What was derived again, and what is only as the ledger says."""
        found = [
            f"{self.folder}: {self.frames} frames and {self.images} images, each exactly once; "
            f"results digest {self.digests.results}",
            f"scores digest {self.digests.scores}",
        ]
        if self.judged:
            found.append(f"judged again, answer by answer, by labels: {', '.join(self.judged)}")
        for link, why in self.not_judged.items():
            found.append(f"not judged again: {link}, {why}")
        if self.kept:
            found.append("every kept answer is the one that was recorded")
        said = ["the answers", "their SNRs, channels and codecs", "times and attempts"]
        if self.not_judged:
            said.insert(1, f"which of them are right on {', '.join(self.not_judged)}")
        found.append(f"only as the ledger says: {', '.join(said)}")
        if not self.sealed:
            found.append("not sealed: no digest of its scores was left in it (or it was removed)")
        missing = [name for name in (RESULTS_CSV, RUN_MANIFEST) if name not in self.compared]
        if missing:
            found.append(f"not there, or without digests: {', '.join(missing)}")
        return found


def verify_run(folder: Path, data: Path | None = None) -> Verification:
    """Check a run; returns only if everything is as planned.

    Args:
        folder: of the run.
        data: folder of data sets, to judge the answers again by.

    Raises:
        AccountingError: the first violation, in one line that says what to do.
        ConfigurationError: the folder holds no run, or its manifest is not JSON.
        StorageError: a file is damaged or cannot be read.
    """
    with open_ledger(folder) as ledger:
        plan, seals = ledger.plan, ledger.seals
        judge = Judge(plan, data, ledger.tasks)
        kept = KeptAnswers(folder, ledger.tasks)
        for row in ledger.rows():
            judge.check(row)
            if kept.there:
                kept.read(row)
        summary = summarize(ledger)
        _check_complete(summary, folder)
        digests = digests_of(ledger)
        sealed = check_seals(ledger, digests)
    checks = {
        RESULTS_CSV: _results_csv_agrees(folder, summary),
        RUN_MANIFEST: check_manifest(folder, plan, digests, seals),
    }
    return Verification(
        folder=folder,
        run=plan.run,
        plan_digest=plan.digest,
        digests=digests,
        points=len(summary.points),
        frames=plan.total_frames,
        images=sum(point.images for point in summary.points),
        scores=_scores(summary),
        compared=tuple(name for name, compared in checks.items() if compared),
        kept=kept.there,
        sealed=sealed,
        judged=tuple(judge.judged),
        not_judged=judge.not_judged,
    )


def _scores(summary: Summary) -> dict[str, Score]:
    found: dict[str, Score] = {}
    for point in summary.points:
        kind = point.task.kind
        found[kind] = merged(found[kind], point.score) if kind in found else point.score
    return found


def _check_complete(summary: Summary, folder: Path) -> None:
    if not summary.incomplete:
        return
    plan, first = summary.plan, summary.incomplete[0]
    missing = sum(point.planned - point.recorded for point in summary.incomplete)
    spec = plan.points[first.point].spec
    raise AccountingError(
        f"{missing} of {plan.total_frames} frames are missing, first on link {first.link} at "
        f"point {first.point} ({spec.label}, {spec.snr_db:g} dB, seed {spec.seed}): "
        f"{finish_hint(folder, read_run_manifest(folder) or {})}"
    )


def _results_csv_agrees(folder: Path, summary: Summary) -> bool:
    """True if it is there and equal; False if there is none."""
    path = folder / RESULTS_CSV
    content = read_if_there(path)
    if content is None:
        return False
    lines = zip_longest(content.split(b"\n"), format_results_csv(summary).split(b"\n"))
    for number, (found, expected) in enumerate(lines, start=1):
        if found != expected:
            raise AccountingError(
                f"{path} line {number} is not what the ledger gives: delete it to have it "
                f"written again, and {finish_hint(folder, read_run_manifest(folder) or {})}"
            )
    return True
