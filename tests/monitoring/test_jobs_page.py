"""What the supervisor of training jobs tells is what the table of metrics says."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from semcom.metric_table import MAX_SERIES, METRICS, PROCESS_METRICS
from tests.monitoring.jobs_exporter import exporting


def test_page_of_the_jobs_has_the_metrics_of_the_table_and_few_series() -> None:
    table = METRICS | PROCESS_METRICS
    with (
        exporting() as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer,
    ):
        families = list(text_string_to_metric_families(answer.read().decode()))
    names = {family.name + "_total" * (family.type == "counter") for family in families}
    assert names == {name for name, metric in table.items() if "jobs" in metric.roles}
    assert sum(len(family.samples) for family in families) < MAX_SERIES
