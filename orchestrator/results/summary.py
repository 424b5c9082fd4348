"""From a ledger to results: one row per link and point, and the table `results.csv`.

A point counts once all of its planned frames are recorded. An incomplete one has no score, not even
a provisional one: it is listed separately, with its progress.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import NamedTuple

from orchestrator.plan.plan import Plan, PlannedLink
from orchestrator.results.cluster_sums import ClusterSums, by_frame
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.ledger import Ledger
from semcom.errors import StorageError
from semcom.files import write_atomically
from semcom.increments import Rate
from semcom.interference import Interference
from semcom.statistics import percentile
from semcom.tasks.columns import EARLIEST, TASK, cells, columns
from semcom.tasks.metric import Metric
from semcom.tasks.score import Score
from semcom.tasks.task import Task

PLACE = "link", "dataset", "system", "channel", "snr_db", "seed", "images"  # columns of a point
MET = "interferers", "sir_db"  # if points have interference
EFFORT = (
    "round_trip_p50_ms", "round_trip_p99_ms", "encode_ms", "channel_ms", "decode_ms",
    "retransmissions", "codec",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PointSummary:
    """One complete point of one link: a line of `results.csv`.

    The score is the sum over all frames, from which the metrics of the task are computed. Durations
    are in milliseconds per frame: stage times are medians, the round trip also has its 99th
    percentile. An evaluation in one process has no durations. `clusters` are the scores by frame or
    by item.
    """

    link: str
    dataset: str
    system: str
    channel: str
    snr_db: float
    seed: int
    interference: Interference | None
    rate: Rate | None
    images: int
    task: Task
    score: Score
    round_trip_p50_ms: float | None
    round_trip_p99_ms: float | None
    encode_ms: float | None
    channel_ms: float | None
    decode_ms: float | None
    retransmissions: int | None
    codec: str
    clusters: ClusterSums | None = field(default=None, compare=False, repr=False)

    @property
    def interferers(self) -> int:
        """Return the number of interfering links."""
        return 0 if self.interference is None else self.interference.interferers

    @property
    def sir_db(self) -> float | None:
        """Return the SIR to each of them in dB; None without interference."""
        return None if self.interference is None else self.interference.sir_db


class IncompletePoint(NamedTuple):
    """A point of a link that lacks frames."""

    link: str
    point: int
    recorded: int
    planned: int


@dataclass(frozen=True, kw_only=True)
class LinkLatency:
    """The stages of a frame's time on one link with one codec; medians in milliseconds.

    The round trip starts when a frame is first sent, so it does not include encoding.
    """

    link: str
    codec: str
    frames: int
    encode_ms: float
    channel_ms: float
    batch_wait_ms: float
    decode_ms: float
    round_trip_p50_ms: float
    round_trip_p99_ms: float
    retransmissions: int

    @property
    def network_ms(self) -> float:
        """Return the rest of the median round trip: the network, and queues at every hop."""
        known_ms = self.channel_ms + self.batch_wait_ms + self.decode_ms
        return max(0.0, self.round_trip_p50_ms - known_ms)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Results of a ledger: complete points by link, incomplete ones, and latencies per link.

    `tasks` are the tasks of all planned codecs by their digests. `latencies` is empty for an
    evaluation in one process.
    """

    plan: Plan
    tasks: Mapping[str, Task]
    points: list[PointSummary]
    incomplete: list[IncompletePoint]
    latencies: list[LinkLatency]

    @property
    def metrics(self) -> list[Metric]:
        """Return the metrics of all tasks, each once: task by task, the main metric first."""
        return list(dict.fromkeys(m for task in self.tasks.values() for m in task.METRICS))

    def task_of(self, link: str, point: int) -> Task:
        """Return the task of the codec at a link's point."""
        return self.tasks[self.plan.codec_at(link, point).digest]


class _Frame(NamedTuple):
    """The part of a frame that is kept until all frames have been read."""

    images: int
    attempts: int
    encode_ms: float
    channel_ms: float
    batch_wait_ms: float
    decode_ms: float
    round_trip_ms: float


def summarize(ledger: Ledger) -> Summary:
    """Summarise a ledger in one pass, with a few numbers per frame in memory.

    Raises:
        AccountingError: a frame was altered, or was never planned.
        StorageError: the ledger is damaged.
    """
    plan = ledger.plan
    planned = [(link, point) for link in plan.links for point in plan.points_of(link)]
    found: dict[tuple[str, int], list[_Frame]] = {}
    scores: dict[tuple[str, int], ClusterSums] = {}
    for (point, link), rows in groupby(ledger.rows(), lambda row: (row.point, row.link)):
        found[link, point], scores[link, point] = _read(rows, plan.links[link])
    points: list[PointSummary] = []
    incomplete: list[IncompletePoint] = []
    by_codec: dict[tuple[str, str], list[_Frame]] = defaultdict(list)
    for link, point in planned:
        frames = found.get((link, point), [])
        if len(frames) == plan.frames(link):
            task = ledger.task(plan.codec_at(link, point).digest)
            sums = scores[link, point]
            points.append(_point_summary(plan, (link, point), frames, task=task, clusters=sums))
            by_codec[link, plan.codec_at(link, point).name] += frames
        else:
            incomplete.append(IncompletePoint(link, point, len(frames), plan.frames(link)))
    return Summary(
        plan=plan,
        tasks={
            codec.digest: ledger.task(codec.digest)
            for link in plan.links.values()
            for codec in link.codecs
        },
        points=points,
        incomplete=incomplete,
        latencies=[
            _link_latency(*key, frames) for key, frames in by_codec.items() if _were_sent(frames)
        ],
    )


def format_results_csv(summary: Summary) -> bytes:
    """Return `results.csv`: a header and a line per complete point; equal ledgers give equal bytes.

    Between place and effort are the columns of the tasks; see `semcom.tasks.columns`. If codecs
    have several tasks, cells in columns of other tasks are empty.
    """
    tasks = {task.kind: task for task in summary.tasks.values()}
    meet = any(point.spec.interference is not None for point in summary.plan.points)
    place = (*PLACE, *MET) if meet else PLACE
    told = (TASK,) if tasks.keys() - {EARLIEST} else ()
    judged = list(dict.fromkeys(name for task in tasks.values() for name in columns(task)))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*place, *told, *judged, *EFFORT])
    for point in summary.points:
        found = cells(point.task, point.score) | {TASK: point.task.kind}
        writer.writerow(
            [
                *(_cell(column, getattr(point, column)) for column in place),
                *(found.get(column, "") for column in (*told, *judged)),
                *(_cell(column, getattr(point, column)) for column in EFFORT),
            ]
        )
    return text.getvalue().encode()


def write_results_csv(path: Path, summary: Summary) -> None:
    """Write `results.csv` completely or not at all.

    Raises:
        StorageError: the disk cannot be written.
    """
    try:
        write_atomically(path, format_results_csv(summary))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _cell(column: str, value: object) -> str:
    """Return a cell with a fixed number of digits, so that the last bit of a float never shows."""
    if value is None:
        return ""
    if column in ("snr_db", "sir_db"):
        return f"{value:.10g}"
    if column.endswith("_ms"):
        return f"{value:.3f}"
    return str(value)


def _read(rows: Iterable[FrameRow], link: PlannedLink) -> tuple[list[_Frame], ClusterSums]:
    """Return the frames of a point, at least one, and their scores."""
    frames: list[_Frame] = []
    scores: list[Score] = []
    for row in rows:
        frames.append(
            _Frame(
                row.images, row.attempts, row.encode_ms, row.channel_ms, row.batch_wait_ms,
                row.decode_ms, row.round_trip_ms,
            )
        )  # fmt: skip
        scores.append(row.score)
    return frames, by_frame(link.dataset_digest, scores, first=link.offset)


def _point_summary(
    plan: Plan, place: tuple[str, int], frames: list[_Frame], *, task: Task, clusters: ClusterSums
) -> PointSummary:
    link, point = place
    spec, codec = plan.points[point].spec, plan.codec_at(link, point)
    latency = _link_latency(link, codec.name, frames) if _were_sent(frames) else None
    return PointSummary(
        link=link,
        dataset=plan.links[link].dataset,
        system=codec.system,
        channel=spec.label,
        snr_db=spec.snr_db,
        seed=spec.seed,
        interference=spec.interference,
        rate=spec.rate,
        images=sum(frame.images for frame in frames),
        task=task,
        score=clusters.total,
        round_trip_p50_ms=None if latency is None else latency.round_trip_p50_ms,
        round_trip_p99_ms=None if latency is None else latency.round_trip_p99_ms,
        encode_ms=None if latency is None else latency.encode_ms,
        channel_ms=None if latency is None else latency.channel_ms,
        decode_ms=None if latency is None else latency.decode_ms,
        retransmissions=None if latency is None else latency.retransmissions,
        codec=codec.name,
        clusters=clusters,
    )


def _were_sent(frames: list[_Frame]) -> bool:
    """Return whether frames went through processes, which always takes some time."""
    return any(frame.round_trip_ms > 0 for frame in frames)


def _link_latency(link: str, codec: str, frames: list[_Frame]) -> LinkLatency:
    round_trips_ms = [frame.round_trip_ms for frame in frames]
    return LinkLatency(
        link=link,
        codec=codec,
        frames=len(frames),
        encode_ms=median(frame.encode_ms for frame in frames),
        channel_ms=median(frame.channel_ms for frame in frames),
        batch_wait_ms=median(frame.batch_wait_ms for frame in frames),
        decode_ms=median(frame.decode_ms for frame in frames),
        round_trip_p50_ms=percentile(round_trips_ms, 50),
        round_trip_p99_ms=percentile(round_trips_ms, 99),
        retransmissions=sum(frame.attempts - 1 for frame in frames),
    )
