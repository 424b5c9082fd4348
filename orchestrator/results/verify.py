"""Checks a finished run: its ledger, and the files derived from it.

Nothing that was reported at run time is trusted. Every planned frame must be recorded once, with
the right codec and totals; the ledger and the files next to it must be unchanged; and if the data
sets are available, the answers are judged again.
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
    """The result of a successful verification.

    Attributes:
        folder: of the run.
        run: its name on the wire.
        plan_digest: digest of its plan.
        digests: digests of the answers, the scores, and the whole ledger.
        points: number of points, summed over the links.
        frames: frames of the whole run.
        images: items of the whole run.
        scores: sums over all items, by kind of task.
        compared: files next to the ledger that agree with it.
        kept: whether every answer is kept in a file and equals the recorded one.
        sealed: whether the ledger was sealed when the run was complete.
        judged: links whose answers were judged again.
        not_judged: every other link, with the reason.
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
        """Check that the answers of every link were judged again.

        Raises:
            ConfigurationError: a data set is absent, altered or not the planned one.
        """
        for link, why in self.not_judged.items():
            raise ConfigurationError(
                f"{self.folder}: link {link} was not judged again: {why}; set the folder of its "
                "data set with --data, or omit --judge"
            )

    def lines(self) -> list[str]:
        """Return lines that say what was checked, and what is only stated by the ledger."""
        found = [
            f"{self.folder}: {self.frames} frames and {self.images} items, each exactly once; "
            f"results digest {self.digests.results}",
            f"scores digest {self.digests.scores}",
        ]
        if self.judged:
            found.append(f"answers judged again with the data set: {', '.join(self.judged)}")
        for link, why in self.not_judged.items():
            found.append(f"not judged again: {link}, {why}")
        if self.kept:
            found.append("every kept answer equals the recorded one")
        said = ["the answers", "their SNRs, channels and codecs", "times and attempts"]
        if self.not_judged:
            said.insert(1, f"whether they are right on {', '.join(self.not_judged)}")
        found.append(f"only stated by the ledger: {', '.join(said)}")
        if not self.sealed:
            found.append("not sealed: it holds no digest of its scores (or that was removed)")
        missing = [name for name in (RESULTS_CSV, RUN_MANIFEST) if name not in self.compared]
        if missing:
            found.append(f"missing, or without digests: {', '.join(missing)}")
        return found


def verify_run(folder: Path, data: Path | None = None) -> Verification:
    """Check a run; return only if everything is as planned.

    Args:
        folder: of the run.
        data: folder of data sets, for judging the answers again.

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
    """Return True if it exists and is equal, False if there is none."""
    path = folder / RESULTS_CSV
    content = read_if_there(path)
    if content is None:
        return False
    lines = zip_longest(content.split(b"\n"), format_results_csv(summary).split(b"\n"))
    for number, (found, expected) in enumerate(lines, start=1):
        if found != expected:
            raise AccountingError(
                f"{path} line {number} does not agree with the ledger: delete it, so that it is "
                f"written again, and {finish_hint(folder, read_run_manifest(folder) or {})}"
            )
    return True
