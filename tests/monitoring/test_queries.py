"""Every query of every panel and rule returns data from a real Prometheus on a running system."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from orchestrator.dashboards.write import DASHBOARDS
from semcom.metric_table import METRICS
from tests.monitoring.prometheus import FOLDER, Prometheus, filled, watching
from tests.monitoring.system import LINKS, System

pytestmark = [pytest.mark.processes, pytest.mark.timeout(1200)]

QUERIES = [
    pytest.param(query.expr, id=f"{name}: {panel.title} {query.legend}".strip())
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard.panels
    for query in panel.queries
]
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = sorted({rule["record"] for rule in RULES if "record" in rule})
# What rules are made of: an alert that does not fire returns nothing, but its series are there.
SELECTORS = sorted(
    {
        selector
        for rule in RULES
        for selector in re.findall(r"\b(?:semcom_\w+|up)(?:\{[^}]*\})?", rule["expr"])
    }
)

# What a slow machine or a full disk raises, however healthy the system is.
OF_THE_MACHINE = {"RoundTripSlow", "RetransmissionStorm", "DiskFillsUp"}


@pytest.fixture(scope="module")
def prometheus(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with watching(system, tmp_path_factory.mktemp("prometheus")) as prometheus:
        yield prometheus


@pytest.mark.parametrize("expression", QUERIES)
def test_panel_has_data(prometheus: Prometheus, expression: str) -> None:
    prometheus.wait_for_data(filled(expression))


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_series_has_data(prometheus: Prometheus, name: str) -> None:
    prometheus.wait_for_data(name)


@pytest.mark.parametrize("selector", SELECTORS)
def test_series_that_a_rule_looks_at_are_there(prometheus: Prometheus, selector: str) -> None:
    prometheus.wait_for_data(selector)


def test_healthy_system_raises_no_alarm(prometheus: Prometheus) -> None:
    firing = prometheus.query('ALERTS{alertstate="firing"}')
    assert {series["metric"]["alertname"] for series in firing} <= OF_THE_MACHINE


def test_choices_of_the_dashboards_have_values(prometheus: Prometheus) -> None:
    for dashboard in DASHBOARDS.values():
        for variable in dashboard.variables:
            call = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.query)
            assert call is not None
            name, label = call.groups()
            assert label in METRICS[name].labels
            found = {series["metric"][label] for series in prometheus.query(name)}
            assert found == set(LINKS)
