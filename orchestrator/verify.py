"""Checks a finished run from what it left behind: its ledger, and the files made from it.

Nothing is believed that was said at run time. Every frame that the plan asks for must be there
once, with the right codec and totals, and the files beside the ledger must say what it says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from orchestrator.ledger import FrameRow
from orchestrator.resumption import finish_hint
from orchestrator.run_folder import (
    RESULTS_CSV,
    RUN_MANIFEST,
    open_ledger,
    read_if_there,
    read_run_manifest,
)
from orchestrator.scenarios import Plan
from orchestrator.summary import Summary, format_results_csv, summarize
from semcom.errors import AccountingError


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was checked and found right.

    `points` counts each link's points by themselves; `compared` names the files that were found
    beside the ledger and agree with it.
    """

    folder: Path
    run: str
    plan_digest: str
    results_digest: str
    points: int
    frames: int
    images: int
    correct: int
    compared: tuple[str, ...]


def verify_run(folder: Path) -> Verification:
    """Check a run; returns only if everything is as planned.

    Raises:
        AccountingError: the first violation, in one line that says what to do.
        ConfigurationError: the folder holds no run, or its manifest is not JSON.
        StorageError: a file is damaged or cannot be read.
    """
    with open_ledger(folder) as ledger:
        plan = ledger.plan
        planned = {(link, point) for link in plan.links for point in plan.points_of(link)}
        for row in ledger.rows():
            if (row.link, row.point) not in planned or row.frame not in range(
                plan.frames(row.link)
            ):
                raise AccountingError(f"{_named(row)} was never planned: the ledger was altered")
            _check_row(plan, row)
        summary = summarize(ledger)
        _check_complete(summary, folder)
        results_digest = ledger.results_digest()
    checks = {
        RESULTS_CSV: _results_csv_agrees(folder, summary),
        RUN_MANIFEST: _manifest_agrees(folder, plan.digest, results_digest),
    }
    return Verification(
        folder=folder,
        run=plan.run,
        plan_digest=plan.digest,
        results_digest=results_digest,
        points=len(summary.points),
        frames=plan.total_frames,
        images=sum(point.images for point in summary.points),
        correct=sum(point.correct for point in summary.points),
        compared=tuple(name for name, compared in checks.items() if compared),
    )


def _check_row(plan: Plan, row: FrameRow) -> None:
    """A recorded frame as it was planned; the ledger's key already forbids a second one."""
    name = _named(row)
    codec = plan.codec_at(row.link, row.point)
    if row.codec != codec.digest:
        raise AccountingError(
            f"{name} was answered by codec {row.codec[:12]}, "
            f"planned was {codec.name} {codec.digest[:12]}: run again"
        )
    images = plan.frame_size(row.link, row.frame)
    if row.images != images:
        raise AccountingError(f"{name} has {row.images} images, planned were {images}: run again")
    if len(row.predictions) != 2 * images:
        raise AccountingError(
            f"{name} has {len(row.predictions) / 2:g} predictions for {images} images: run again"
        )
    if not 0 <= row.correct <= images:
        raise AccountingError(f"{name} has {row.correct} of {images} images correct: run again")
    if row.attempts < 1 or not all(0 <= value < math.inf for value in _durations_ms(row)):
        raise AccountingError(f"{name} has impossible attempts or durations: run again")


def _named(row: FrameRow) -> str:
    return f"frame {row.frame} of point {row.point} on link {row.link}"


def _durations_ms(row: FrameRow) -> tuple[float, ...]:
    return row.encode_ms, row.channel_ms, row.batch_wait_ms, row.decode_ms, row.round_trip_ms


def _check_complete(summary: Summary, folder: Path) -> None:
    if not summary.incomplete:
        return
    plan, first = summary.plan, summary.incomplete[0]
    missing = sum(point.planned - point.recorded for point in summary.incomplete)
    spec = plan.points[first.point].spec
    raise AccountingError(
        f"{missing} of {plan.total_frames} frames are missing, first on link {first.link} at "
        f"point {first.point} ({spec.channel.label}, {spec.snr_db:g} dB, seed {spec.seed}): "
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
                f"written anew, and {finish_hint(folder, read_run_manifest(folder) or {})}"
            )
    return True


def _manifest_agrees(folder: Path, plan_digest: str, results_digest: str) -> bool:
    """True if it is there and names equal digests; False if there is none, or it names none."""
    manifest = read_run_manifest(folder) or {}
    compared = False
    for key, digest in (("plan_digest", plan_digest), ("results_digest", results_digest)):
        stated = manifest.get(key)
        if stated is None:
            continue
        if stated != digest:
            raise AccountingError(
                f"{folder / RUN_MANIFEST} says {key} {str(stated)[:12]}, the ledger gives "
                f"{digest[:12]}: one of the two is from another run"
            )
        compared = True
    return compared
