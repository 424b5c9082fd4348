"""Rolling statistics of a link over the last seconds, and its history for charts. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from semcom.messages import FrameResult
from semcom.statistics import percentile
from semcom.tasks.classification import Classification
from semcom.tasks.metric import Metric
from semcom.tasks.score import Score, merged

MAX_FRAMES = 65_536  # in a window, whatever its length
HISTORY_S = 600


@dataclass(frozen=True)
class WindowStats:
    """A link in the last seconds; None where nothing came.

    The measured SNR is that of the newest point alone, to be held against the SNR that is set.
    """

    frames: int
    images: int
    accuracy: float | None
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
    """Frames of the last `length_s` seconds."""

    def __init__(
        self, length_s: float, *, start_s: float, metric: Metric = Classification.METRICS[0]
    ) -> None:
        self._metric = metric
        self._length_s = length_s
        self._start_s = start_s
        self._frames: deque[_Frame] = deque(maxlen=MAX_FRAMES)

    def add(self, result: FrameResult, now_s: float) -> None:
        """A frame was recorded."""
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
        """The window that ends now."""
        while self._frames and now_s - self._frames[0].at_s > self._length_s:
            self._frames.popleft()
        frames = self._frames
        seconds = max(1e-3, min(self._length_s, now_s - self._start_s))
        images = sum(frame.images for frame in frames)
        total = reduce(merged, (frame.score for frame in frames)) if frames else {}
        low, high = self._metric.interval(total) if frames else (None, None)
        newest = max((frame.point for frame in frames), default=0)
        round_trips_ms = [frame.round_trip_ms for frame in frames]
        return WindowStats(
            frames=len(frames),
            images=images,
            accuracy=self._metric.value(total) if frames else None,
            ci95_low=low,
            ci95_high=high,
            p50_ms=percentile(round_trips_ms, 50) if frames else None,
            p99_ms=percentile(round_trips_ms, 99) if frames else None,
            frames_per_s=len(frames) / seconds,
            images_per_s=images / seconds,
            retransmissions=sum(frame.retransmissions for frame in frames),
            snr_measured_db=mean_db(f.snr_measured_db for f in frames if f.point == newest),
        )


def mean_db(values_db: Iterable[float | None]) -> float | None:
    """Mean of power ratios given in dB, in dB; None where there are none."""
    ratios = [10.0 ** (value / 10.0) for value in values_db if value is not None]
    return 10.0 * math.log10(sum(ratios) / len(ratios)) if ratios else None


HISTORY = (
    "uptime_s", "snr_set_db", "accuracy", "p50_ms", "p99_ms", "frames_per_s", "offered", "recorded",
)  # fmt: skip


class History:
    """A sample a second of the last ten minutes."""

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
        """One more sample; the oldest one goes. Frames are counted since the start."""
        kept = (stats.accuracy, stats.p50_ms, stats.p99_ms, stats.frames_per_s)
        sample = (uptime_s, snr_set_db, *kept, offered, recorded)
        self._samples.append(tuple(None if v is None else round(v, 4) for v in sample))

    @property
    def columns(self) -> dict[str, list[float | None]]:
        """The samples by name, oldest first."""
        columns = zip(*self._samples, strict=True) if self._samples else ((),) * len(HISTORY)
        return {name: list(column) for name, column in zip(HISTORY, columns, strict=True)}
