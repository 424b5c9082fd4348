"""The metrics of a process for Prometheus, and its logs as JSON lines."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from semcom.durations import Durations, DurationSeries
from semcom.errors import StorageError
from semcom.files import open_to_write
from semcom.frame_messages import TaskResult
from semcom.metric_table import MAX_LINKS, METRICS, OTHER_LINK, SECONDS_BUCKETS
from semcom.stop_signals import to_stderr

# The client library would add the creation time of every counter and histogram.
disable_created_metrics()  # type: ignore[no-untyped-call]

Child = Counter | Gauge | DurationSeries


class Telemetry:
    """The metrics of one process; a name outside the table is a programming error."""

    def __init__(self, role: str, peer: str) -> None:
        self.registry = CollectorRegistry()
        self._role = role
        self._links: set[str] = set()
        self._children: dict[tuple[str, tuple[str, ...]], Child] = {}
        self._metrics: dict[str, Counter | Gauge | Durations] = {}
        Info("semcom_process", "Which process this is", registry=self.registry).info(
            {"role": role, "peer": peer}
        )
        ProcessCollector(namespace="semcom", registry=self.registry)
        self._show(())

    def begin(self, links: Iterable[str]) -> None:
        """Export the series of these links at 0; those of later links appear when needed."""
        for link in links:
            # Names from the network must not exhaust the memory.
            if link not in self._links and len(self._links) < MAX_LINKS:
                self._links.add(link)
                self._show((link,))

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

    def follow(self, name: str, value: Callable[[], float], *labels: str) -> None:
        """Compute a gauge at every scrape, on the thread that answers it."""
        child = self._child(name, labels)
        assert isinstance(child, Gauge)
        child.set_function(value)

    def only(self, name: str, *labels: str) -> None:
        """Set a gauge to 1 for these labels, and remove it for all others."""
        self.forget(name)
        self.set(name, 1, *labels)

    def forget(self, name: str) -> None:
        """Drop all series of a metric with labels."""
        for key in [key for key in self._children if key[0] == name]:
            del self._children[key]
            self._metrics[name].remove(*key[1])

    def observe(self, name: str, value: float, *labels: str, times: int = 1) -> None:
        """Record a duration in seconds, of one event or of several."""
        child = self._child(name, labels)
        assert isinstance(child, DurationSeries)
        child.observe(value, times)

    def _child(self, name: str, labels: tuple[str, ...]) -> Child:
        key = (name, labels)
        child = self._children.get(key)
        if child is None:
            if METRICS[name].labels[:1] == ("link",) and labels:
                self.begin(labels[:1])
                if labels[0] not in (*self._links, OTHER_LINK):
                    return self._child(name, (OTHER_LINK, *labels[1:]))
            metric = self._metrics.get(name) or self._create(name)
            if isinstance(metric, Durations):
                child = metric.labels(*labels)
            else:
                child = metric.labels(*labels) if labels else metric
            self._children[key] = child
        return child

    def _show(self, links: tuple[str, ...]) -> None:
        for name, metric in METRICS.items():
            for labels in metric.known_series(self._role, links):
                self._child(name, labels)

    def _create(self, name: str) -> Counter | Gauge | Durations:
        spec = METRICS[name]
        created: Counter | Gauge | Durations
        if spec.kind == "counter":
            created = Counter(name, spec.help, spec.labels, registry=self.registry)
        elif spec.kind == "gauge":
            created = Gauge(name, spec.help, spec.labels, registry=self.registry)
        else:
            created = Durations(
                name, spec.help, spec.labels, registry=self.registry, buckets=SECONDS_BUCKETS
            )
        self._metrics[name] = created
        return created


class JsonLines(logging.Formatter):
    """One JSON object per line: time, level, logger, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
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


def say_as_json(text: str) -> None:
    """Write an event to stderr as a JSON line, without locks, for signal handlers."""
    record = logging.LogRecord("semcom.stop", logging.INFO, "", 0, text, (), None)
    to_stderr(JsonLines().format(record))


@contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Append all logs of this process to a file as JSON lines in this block.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        file = io.TextIOWrapper(open_to_write(path), encoding="utf-8", write_through=True)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
    handler = logging.StreamHandler(file)
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
        file.close()


def frame_event(logger: logging.Logger, text: str, result: TaskResult, answer: bytes) -> None:
    """Log a frame with a digest of its answer, for an audit of the run."""
    answer_digest = hashlib.sha256(answer).hexdigest()[:16]
    event(logger, text, **result.key.fields(), answer=answer_digest)


def event(logger: logging.Logger, text: str, **fields: object) -> None:
    """Log an event with fields."""
    logger.info(text, extra={"fields": fields})
