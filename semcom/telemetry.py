"""All Prometheus names in one table, and logs as JSON lines.

Labels come from small closed sets only (link, stage, reason), never frame or run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from semcom.messages import TaskResult

Kind = Literal["counter", "gauge", "histogram"]

SECONDS_BUCKETS = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """One row of the table."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


METRICS: dict[str, Metric] = {
    "semcom_frames_offered_total": Metric("counter", "Frames that were due to be sent", ("link",)),
    "semcom_frames_shed_total": Metric(
        "counter", "Frames offered and not taken up, because too many waited", ("link",)
    ),
    "semcom_frames_lost_total": Metric(
        "counter", "Frames of a stream that were given up with their transmitter", ("link",)
    ),
    "semcom_frames_sent_total": Metric("counter", "Frames sent for the first time", ("link",)),
    "semcom_frames_retransmitted_total": Metric("counter", "Frames sent again", ("link",)),
    "semcom_frames_received_total": Metric("counter", "Frames taken from the wire", ("link",)),
    "semcom_frames_recorded_total": Metric("counter", "Frames committed to the ledger", ("link",)),
    "semcom_frames_duplicate_total": Metric("counter", "Answers that had been there", ("link",)),
    "semcom_frames_unroutable_total": Metric("counter", "Frames whose peer was gone", ("link",)),
    "semcom_messages_refused_total": Metric("counter", "Messages refused, by reason", ("reason",)),
    "semcom_peers_refused_total": Metric(
        "counter", "Handshakes and messages refused for their key", ("reason",)
    ),
    "semcom_frames_in_flight": Metric("gauge", "Frames sent and not yet answered", ("link",)),
    "semcom_peers": Metric("gauge", "Peers heard of in the last three seconds", ("role",)),
    "semcom_images_evaluated_total": Metric("counter", "Images answered by the task", ("link",)),
    "semcom_images_correct_total": Metric("counter", "Images answered rightly", ("link",)),
    "semcom_snr_set_db": Metric("gauge", "SNR of the last frame, dB", ("link",)),
    "semcom_snr_measured_db": Metric(
        "gauge", "Signal over noise of the last frame as drawn, dB", ("link",)
    ),
    "semcom_stage_seconds": Metric("histogram", "Duration of a stage per frame", ("stage",)),
    "semcom_codec_swaps_total": Metric("counter", "Codecs loaded", ("result",)),
    "semcom_sweep_frames_planned": Metric("gauge", "Frames the sweep plans", ()),
    "semcom_sweep_frames_recorded": Metric("gauge", "Frames of the sweep in the ledger", ()),
    "semcom_process_restarts_total": Metric("counter", "Processes started again", ("role",)),
    "semcom_jobs": Metric("gauge", "Training jobs in the store", ("state",)),
    "semcom_training_loss": Metric(
        "gauge", "Last loss of a running job, by term; 0: none runs", ("dataset", "stage", "term")
    ),
    "semcom_training_learning_rate": Metric(
        "gauge", "Learning rate of a running job", ("dataset", "stage")
    ),
    "semcom_training_images_per_second": Metric(
        "gauge", "Images that a running job trains on per second", ("dataset", "stage")
    ),
    "semcom_training_step_seconds": Metric(
        "gauge", "Duration of a step of a running job", ("dataset", "stage")
    ),
    "semcom_training_progress_ratio": Metric(
        "gauge", "Share of a stage that a running job has done", ("dataset", "stage")
    ),
    "semcom_training_samples_total": Metric("counter", "Images trained on", ("dataset",)),
    "semcom_training_restarts_total": Metric("counter", "Jobs started again", ("dataset",)),
    "semcom_training_checkpoint_age_seconds": Metric(
        "gauge", "Age of the last checkpoint of a running job", ("dataset",)
    ),
}


class Telemetry:
    """The metrics of one process; names outside the table are programming errors."""

    def __init__(self, role: str, peer: str) -> None:
        self.registry = CollectorRegistry()
        self._children: dict[tuple[str, tuple[str, ...]], Counter | Gauge | Histogram] = {}
        self._metrics: dict[str, Counter | Gauge | Histogram] = {}
        Info("semcom_process", "Which process this is", registry=self.registry).info(
            {"role": role, "peer": peer}
        )

    def count(self, name: str, amount: float = 1, *labels: str) -> None:
        """Add to a counter."""
        child = self._child(name, labels)
        assert isinstance(child, Counter)
        child.inc(amount)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        child = self._child(name, labels)
        assert isinstance(child, Gauge)
        child.set(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Record a duration in seconds."""
        child = self._child(name, labels)
        assert isinstance(child, Histogram)
        child.observe(value)

    def _child(self, name: str, labels: tuple[str, ...]) -> Counter | Gauge | Histogram:
        key = (name, labels)
        child = self._children.get(key)
        if child is None:
            metric = self._metrics.get(name) or self._create(name)
            child = self._children[key] = metric.labels(*labels) if labels else metric
        return child

    def _create(self, name: str) -> Counter | Gauge | Histogram:
        spec = METRICS[name]
        created: Counter | Gauge | Histogram
        if spec.kind == "counter":
            created = Counter(name, spec.help, spec.labels, registry=self.registry)
        elif spec.kind == "gauge":
            created = Gauge(name, spec.help, spec.labels, registry=self.registry)
        else:
            created = Histogram(
                name, spec.help, spec.labels, registry=self.registry, buckets=SECONDS_BUCKETS
            )
        self._metrics[name] = created
        return created


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields: dict[str, object] = getattr(record, "fields", {})
        line = {**line, **{key: fields[key] for key in fields if key not in line}}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_json(level: int = logging.INFO) -> None:
    """Send all logs of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append all logs of this process to a file as JSON lines meanwhile."""
    handler = logging.FileHandler(path)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def frame_event(logger: logging.Logger, text: str, result: TaskResult) -> None:
    """Log a frame with a digest of its answer, for an audit of the run."""
    answer = hashlib.sha256(result.predictions).hexdigest()[:16]
    event(logger, text, **result.key.model_dump(), answer=answer)


def event(logger: logging.Logger, text: str, **fields: object) -> None:
    """Log an event with fields."""
    logger.info(text, extra={"fields": fields})
