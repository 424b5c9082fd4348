"""PromQL that several panels share."""

from __future__ import annotations

RATE = "[$__rate_interval]"
SERVICES = "transmitter|channel|receiver|orchestrator"


def per_second(name: str, by: str = "link", where: str = "") -> str:
    """Rate of a counter, summed."""
    return f"sum by ({by}) (rate({name}{{{where}}}{RATE}))"


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


def accuracy(where: str = "") -> str:
    """Share of right answers, by link."""
    correct = per_second("semcom_images_correct_total", where=where)
    evaluated = per_second("semcom_images_evaluated_total", where=where)
    return f"{correct} / ({evaluated} > 0)"


def process_state(jobs: str = SERVICES) -> str:
    """2 ready, 1 up but not ready, 0 down; by job and instance."""
    up = f'max by (job, instance) (up{{job=~"{jobs}"}})'
    return f"({up} + on (job, instance) max by (job, instance) (semcom_ready)) or {up}"
