"""Panels of the metrics of built-in tasks, generated from each Metric."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.dashboards.model import GRID_WIDTH, Json, Panel, Query, Row
from orchestrator.dashboards.queries import metric_value, sweep_curve
from semcom.tasks.metric import Metric
from semcom.tasks.registry import our_tasks
from semcom.tasks.task import Task

UNITS = {"%": "percentunit", "": "none"}  # Grafana's names; other units are shown unchanged
AGAINST_SNR = " against SNR of the last sweep"
# The table of points becomes one column per link and channel over the SNR as x.
CURVES: tuple[Json, ...] = (
    {
        "id": "groupingToMatrix",
        "options": {
            "columnField": "curve",
            "rowField": "snr_db",
            "valueField": "Value",
            "emptyValue": "null",
        },
    },
    {
        "id": "convertFieldType",
        "options": {
            "conversions": [{"targetField": "snr_db\\curve", "destinationType": "number"}],
            "fields": {},
        },
    },
    {
        "id": "organize",
        "options": {"renameByName": {"snr_db\\curve": "SNR (dB)"}, "excludeByName": {}},
    },
    {"id": "sortBy", "options": {"sort": [{"field": "SNR (dB)", "desc": False}], "fields": {}}},
)


def shown_metrics(task: type[Task]) -> list[Metric]:
    """Return the metrics of a task that can be computed from counters, the main one first."""
    return [metric for metric in task.METRICS if metric.of is not None]


def metrics_by_task() -> dict[type[Task], list[Metric]]:
    """Return the shown metrics of our tasks; what two tasks share is of the first one."""
    found: dict[type[Task], list[Metric]] = {}
    for task in our_tasks():
        known = [metric for metrics in found.values() for metric in metrics]
        found[task] = [metric for metric in shown_metrics(task) if metric not in known]
    return found


def main_metrics() -> Iterator[tuple[type[Task], Metric]]:
    """Yield every task of ours with its main metric, where that can be computed from counters."""
    for task, metrics in metrics_by_task().items():
        if task.METRICS[0] in metrics:
            yield task, task.METRICS[0]


def value_panel(
    task: type[Task], metric: Metric, *, where: str = "", width: int, height: int = 8
) -> Panel:
    """Return a panel of the values of a metric over time, by link."""
    return Panel(
        title=metric.title,
        description=f"{metric.title} of the answers, judged by the transmitters; only for links "
        f"whose codec has the task {task.kind_name()}. {better(metric)}",
        unit=UNITS.get(metric.unit, metric.unit),
        width=width,
        height=height,
        minimum=metric.limits[0],
        maximum=metric.limits[1],
        queries=(Query(metric_value(task, metric, where)),),
    )


def curve_panel(metric: Metric, *, width: int, height: int) -> Panel:
    """Return a panel of a metric against the SNR."""
    return Panel(
        title=metric.title + AGAINST_SNR,
        description="Complete points of the sweep, by link and channel. After the sweep, the last "
        f"values of the past day are shown. {better(metric)}",
        unit=UNITS.get(metric.unit, metric.unit),
        kind="trend",
        width=width,
        height=height,
        minimum=metric.limits[0],
        maximum=metric.limits[1],
        x_field="SNR (dB)",
        dashed=" (rayleigh|rician).*$",
        transformations=CURVES,
        queries=(Query(sweep_curve(metric), "", instant=True),),
    )


def task_rows(where: str) -> tuple[Row, ...]:
    """Return a row for each task with a panel for each of its metrics."""
    rows = []
    for task, metrics in metrics_by_task().items():
        width = GRID_WIDTH // max(1, len(metrics))
        panels = tuple(value_panel(task, metric, where=where, width=width) for metric in metrics)
        if panels:
            rows.append(Row(task.kind_name().replace("_", " ").capitalize(), panels))
    return tuple(rows)


def better(metric: Metric) -> str:
    """Return a sentence that says which direction is better."""
    return f"{metric.better.capitalize()} is better."
