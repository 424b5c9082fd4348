"""Rolling statistics of a link over the last seconds, and its history for charts. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from semcom.messages import FrameResult
from semcom.statistics import percentile
from semcom.tasks.metric import Metric
from semcom.tasks.score import Score, merged
from semcom.tasks.task import Task

MAX_FRAMES = 65_536  # largest number of frames in a window
HISTORY_S = 600


@dataclass(frozen=True)
class WindowStats:
    """Statistics of a link in the last seconds; None without answers.

    `value` is that of the task's main metric, `ci95_low` and `ci95_high` are its 95 % interval.
    The measured SNR is that of the newest point only, for comparison with the SNR set.
    """

    frames: int
    images: int
    value: float | None
    ci95_low: float | None
    ci95_high: float | None
    p50_ms: float | None
    p99_ms: float | None
    frames_per_s: float
    images_per_s: float
    retransmissions: int
    snr_measured_db: float | None


@dataclass(frozen=True, slots=True)
class _Frame:
    at_s: float
    point: int
    images: int
    score: Score
    round_trip_ms: float
    retransmissions: int
    snr_measured_db: float | None


class Window:
    """Frames of the last `length_s` seconds, all of one task."""

    def __init__(self, length_s: float, *, start_s: float, task: Task) -> None:
        self.task = task
        self._length_s = length_s
        self._start_s = start_s
        self._frames: deque[_Frame] = deque(maxlen=MAX_FRAMES)

    @property
    def metric(self) -> Metric:
        """The metric of the values, the task's main one."""
        return self.task.METRICS[0]

    def add(self, result: FrameResult, now_s: float) -> None:
        """Add a recorded frame."""
        self._frames.append(
            _Frame(
                now_s,
                result.point,
                result.images,
                result.score,
                result.round_trip_ms,
                result.attempts - 1,
                result.snr_measured_db,
            )
        )

    def stats(self, now_s: float) -> WindowStats:
        """Return the statistics of the window that ends now."""
        while self._frames and now_s - self._frames[0].at_s > self._length_s:
            self._frames.popleft()
        frames = self._frames
        seconds = max(1e-3, min(self._length_s, now_s - self._start_s))
        images = sum(frame.images for frame in frames)
        total = reduce(merged, (frame.score for frame in frames)) if images else {}
        value, low, high = self._value_and_interval(total)
        newest = max((frame.point for frame in frames), default=0)
        round_trips_ms = [frame.round_trip_ms for frame in frames]
        return WindowStats(
            frames=len(frames),
            images=images,
            value=value,
            ci95_low=low,
            ci95_high=high,
            p50_ms=percentile(round_trips_ms, 50) if frames else None,
            p99_ms=percentile(round_trips_ms, 99) if frames else None,
            frames_per_s=len(frames) / seconds,
            images_per_s=images / seconds,
            retransmissions=sum(frame.retransmissions for frame in frames),
            snr_measured_db=mean_db(f.snr_measured_db for f in frames if f.point == newest),
        )

    def _value_and_interval(self, total: Score) -> tuple[float | None, ...]:
        """Return value and both ends of its interval; None for values that are not finite."""
        if not total:
            return None, None, None
        found = (self.metric.value(total), *self.metric.interval(total))
        return tuple(each if math.isfinite(each) else None for each in found)


def metric_map(metric: Metric) -> dict[str, Any]:
    """Return what a page or a table needs to display values of a metric.

    A value is printed as `scale` times the value with `digits` and `unit`; `limits` are unscaled.
    A window has few items, so there is one digit less than in reports.
    """
    return {
        "name": metric.name,
        "title": metric.title,
        "unit": metric.unit,
        "scale": metric.scale,
        "digits": max(0, metric.digits - 1),
        "limits": list(metric.limits),
        "better": metric.better,
    }


def mean_db(values_db: Iterable[float | None]) -> float | None:
    """Return the mean of power ratios given in dB, in dB; None if there are none."""
    ratios = [10.0 ** (value / 10.0) for value in values_db if value is not None]
    return 10.0 * math.log10(sum(ratios) / len(ratios)) if ratios else None


HISTORY = (
    "uptime_s", "snr_set_db", "value", "p50_ms", "p99_ms", "frames_per_s", "offered", "recorded",
)  # fmt: skip


class History:
    """One sample per second of the last ten minutes."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float | None, ...]] = deque(maxlen=HISTORY_S)

    def add(
        self,
        uptime_s: float,
        snr_set_db: float | None,
        stats: WindowStats,
        *,
        offered: int,
        recorded: int,
    ) -> None:
        """Add a sample and drop the oldest one. Frames are counted since the start."""
        kept = (stats.p50_ms, stats.p99_ms, stats.frames_per_s)
        rounded = [None if each is None else round(each, 4) for each in kept]
        # Metrics have any magnitude: significant digits, not decimals.
        value = None if stats.value is None else float(f"{stats.value:.6g}")
        sample = (round(uptime_s, 4), snr_set_db, value, *rounded, offered, recorded)
        self._samples.append(sample)

    @property
    def columns(self) -> dict[str, list[float | None]]:
        """Return the samples by name, oldest first."""
        columns = zip(*self._samples, strict=True) if self._samples else ((),) * len(HISTORY)
        return {name: list(column) for name, column in zip(HISTORY, columns, strict=True)}
