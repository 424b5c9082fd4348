"""Main metric against SNR of a sweep, over complete points only."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.results.ledger import Ledger
from orchestrator.sweep.state import Sweep
from semcom.tasks.score import Score, merged
from semcom.telemetry import Telemetry

MAX_CURVE_SERIES = 300  # series of this metric, well below the limit of a process

Place = tuple[str, str, str, str]  # link, channel, SNR in dB as text, metric


class SweepCurves:
    """Adds up the complete points at each (link, channel, SNR, metric) over seeds and codecs."""

    def __init__(self, telemetry: Telemetry, sweep: Sweep, ledger: Ledger) -> None:
        self._telemetry = telemetry
        self._sweep = sweep
        self._ledger = ledger
        self._done: set[tuple[str, int]] = set()
        self._totals: dict[Place, tuple[str, Score]] = {}  # kind of the task, and its sums
        self._skipped = 0
        telemetry.forget("semcom_sweep_metric")  # from an earlier sweep of this process
        telemetry.set("semcom_sweep_metric_skipped", 0)
        for link in sweep.plan.links:  # a resumed sweep already has some
            self.recorded(link, sweep.plan.points_of(link))

    def recorded(self, link: str, points: Iterable[int]) -> None:
        """Frames of these points were recorded: show the points that are now complete."""
        for point in points:
            if (link, point) not in self._done and self._sweep.is_complete(link, point):
                self._done.add((link, point))
                self._add(link, point)

    def _add(self, link: str, point: int) -> None:
        spec = self._sweep.plan.points[point].spec
        task = self._ledger.task(self._sweep.plan.codec_at(link, point).digest)
        metric = task.METRICS[0]
        place = (link, spec.label, f"{spec.snr_db:g}", metric.name)
        kind, before = self._totals.get(place, (task.kind, None))
        # Scores of two tasks are never added, whatever their metrics are called.
        if kind != task.kind or (before is None and len(self._totals) >= MAX_CURVE_SERIES):
            self._skipped += 1
            self._telemetry.set("semcom_sweep_metric_skipped", self._skipped)
            return
        score = self._ledger.score(link, point)
        total = score if before is None else merged(before, score)
        self._totals[place] = task.kind, total
        self._telemetry.set("semcom_sweep_metric", metric.value(total), *place)
