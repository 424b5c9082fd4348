"""PromQL that several panels share."""

from __future__ import annotations

from semcom.tasks.metric import Metric
from semcom.tasks.score import ITEMS
from semcom.tasks.task import Task

RATE = "[$__rate_interval]"
SERVICES = "transmitter|channel|receiver|orchestrator"


def per_second(name: str, by: str = "link", where: str = "", over: str = RATE) -> str:
    """Rate of a counter over a time, summed."""
    return f"sum by ({by}) (rate({name}{{{where}}}{over}))"


def increase(name: str, by: str, where: str = "") -> str:
    """Growth of a counter over the last 5 minutes, summed."""
    return f"sum by ({by}) (increase({name}{{{where}}}[5m]))"


def quantile(share: float, name: str, by: str = "link", where: str = "") -> str:
    """Quantile of a histogram of durations."""
    return f"histogram_quantile({share}, {per_second(f'{name}_bucket', f'{by}, le', where)})"


def mean(name: str, by: str, where: str = "") -> str:
    """Mean of a histogram of durations."""
    total, count = (per_second(f"{name}_{part}", by, where) for part in ("sum", "count"))
    return f"{total} / ({count} > 0)"


def metric_value(task: type[Task], metric: Metric, where: str = "", over: str = RATE) -> str:
    """Value of a metric, by link; links whose codec has another task have none.

    Args:
        task: task of the metric.
        metric: a metric computed from one sum (`Metric.of`).
        where: further label selectors.
        over: time range.
    """
    assert metric.of is not None, f"{metric.name} cannot be computed from counters"
    chosen = ", ".join(part for part in (f'task="{task.counted_as()}"', where) if part)
    total, items = (
        per_second("semcom_score_total", where=f'{chosen}, sum="{name}"', over=over)
        for name in (metric.of, ITEMS)
    )
    step = "" if metric.step == 1.0 else f"{metric.step!r} * "
    return f"{step}{total} / ({items} > 0)"


def sweep_curve(metric: Metric) -> str:
    """Return the values of a metric at the points of the last sweep, by curve and SNR."""
    points = f'last_over_time(semcom_sweep_metric{{metric="{metric.name}"}}[1d])'
    return f'max by (curve, snr_db) (label_join({points}, "curve", " ", "link", "channel"))'


def process_state(jobs: str = SERVICES) -> str:
    """Return the state of processes: 2 ready, 1 up but not ready, 0 down; by job and instance."""
    up = f'max by (job, instance) (up{{job=~"{jobs}"}})'
    return f"({up} + on (job, instance) max by (job, instance) (semcom_ready)) or {up}"
