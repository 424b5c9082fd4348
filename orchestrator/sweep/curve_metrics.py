"""Accuracy against SNR of a sweep as metrics: only points whose every frame is recorded count."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.results.ledger import Ledger
from orchestrator.sweep.state import Sweep
from semcom.tasks.score import Score, merged
from semcom.telemetry import Telemetry

MAX_CURVE_SERIES = 300  # of this metric, well below what one process may have in all

Place = tuple[str, str, str]  # link, channel, SNR in dB as text


class SweepAccuracy:
    """Adds up the complete points at each (link, channel, SNR) over seeds and codecs."""

    def __init__(self, telemetry: Telemetry, sweep: Sweep, ledger: Ledger) -> None:
        self._telemetry = telemetry
        self._sweep = sweep
        self._ledger = ledger
        self._done: set[tuple[str, int]] = set()
        self._totals: dict[Place, Score] = {}
        self._skipped = 0
        telemetry.forget("semcom_sweep_accuracy_ratio")  # of an earlier sweep of this process
        telemetry.set("semcom_sweep_accuracy_skipped", 0)
        for link in sweep.plan.links:  # a resumed sweep has some already
            self.recorded(link, sweep.plan.points_of(link))

    def recorded(self, link: str, points: Iterable[int]) -> None:
        """Frames of these points were recorded: show those that are complete now."""
        for point in points:
            if (link, point) not in self._done and self._sweep.is_complete(link, point):
                self._done.add((link, point))
                self._add(link, point)

    def _add(self, link: str, point: int) -> None:
        spec = self._sweep.plan.points[point].spec
        place = (link, spec.channel.label, f"{spec.snr_db:g}")
        if place not in self._totals and len(self._totals) >= MAX_CURVE_SERIES:
            self._skipped += 1
            self._telemetry.set("semcom_sweep_accuracy_skipped", self._skipped)
            return
        score = self._ledger.score(link, point)
        before = self._totals.get(place)
        total = self._totals[place] = score if before is None else merged(before, score)
        metric = self._ledger.task(self._sweep.plan.codec_at(link, point).digest).METRICS[0]
        self._telemetry.set("semcom_sweep_accuracy_ratio", metric.value(total), *place)
