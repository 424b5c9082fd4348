"""Dashboards, rules and the page about them: generated, consistent, about metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from orchestrator.dashboards.metric_panels import main_metrics, shown_metrics
from orchestrator.dashboards.model import DATASOURCE, GRID_WIDTH, Panel, dashboard_json
from orchestrator.dashboards.queries import metric_value
from orchestrator.dashboards.write import DASHBOARDS, FOLDER, generated
from semcom.metric_table import METRICS, PROCESS_METRICS
from semcom.tasks import Metric, Task
from semcom.tasks.registry import our_tasks
from tests.monitoring.programs import found
from tests.monitoring.system import names_in

REPO = Path(__file__).resolve().parents[2]
PROMETHEUS = REPO / "docker" / "prometheus"
GRAFANA = REPO / "docker" / "grafana"
RULES = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
PANELS = [
    pytest.param(panel, id=f"{name}: {panel.title}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard.panels
]
TABLE = METRICS | PROCESS_METRICS


def test_files_are_what_is_generated() -> None:
    for path, content in generated().items():
        assert (REPO / path).read_text() == content, f"{path} is old: make monitoring"
    held = {path.relative_to(REPO) for path in (REPO / FOLDER).iterdir()}
    assert held == {FOLDER / f"{name}.json" for name in DASHBOARDS}


def test_page_shows_every_metric() -> None:
    page = (REPO / "docs" / "monitoring.md").read_text()
    assert all(f"| `{name}` |" in page for name in TABLE)


@pytest.mark.parametrize("panel", PANELS)
def test_panel_says_what_it_shows(panel: Panel) -> None:
    assert panel.title
    assert panel.description.endswith(".")
    assert panel.unit
    assert panel.queries
    assert panel.thresholds[0][0] is None
    values = [value for value, _ in panel.thresholds[1:]]
    assert values == sorted(values)
    for query in panel.queries:
        assert names_in(query.expr) <= set(TABLE), query.expr
        assert query.instant or query.legend
        for label in re.findall(r"{{(\w+)}}", query.legend):
            assert re.search(rf"by \([^)]*\b{label}\b", query.expr) or "semcom:" in query.expr


def test_series_of_a_panel_are_told_apart() -> None:
    for dashboard in DASHBOARDS.values():
        for panel in dashboard.panels:
            legends = [query.legend for query in panel.queries]
            assert len(legends) == len(set(legends)), panel.title


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_fill_the_grid_without_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard_json(DASHBOARDS[name])["panels"]
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= GRID_WIDTH
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(taken) == GRID_WIDTH * max(y + 1 for _, y in taken), "there are holes"


def test_dashboards_have_names_of_their_own() -> None:
    contents = [json.loads(path.read_text()) for path in (REPO / FOLDER).iterdir()]
    for field in ("uid", "title"):
        assert len({content[field] for content in contents}) == len(DASHBOARDS)


def test_provisioning_leads_to_the_dashboards_and_the_source_they_ask() -> None:
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == DATASOURCE
    (provider,) = yaml.safe_load(
        (GRAFANA / "provisioning" / "dashboards" / "semcom.yml").read_text()
    )["providers"]
    assert provider["type"] == "file"
    assert Path(provider["options"]["path"]).name == FOLDER.name


def test_rules_use_metrics_that_exist() -> None:
    for rule in RULES:
        assert names_in(rule["expr"]) <= set(TABLE), rule["expr"]
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    used = " ".join(
        [query.expr for d in DASHBOARDS.values() for p in d.panels for query in p.queries]
        + [rule["expr"] for rule in ALERTS]
    )
    assert set(re.findall(r"semcom:[a-z0-9_:]+", used)) == recorded


def test_every_alert_is_explained_and_seen_to_fire_and_not_to_fire() -> None:
    page = (REPO / "docs" / "monitoring.md").read_text()
    cases = [
        case
        for test in yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    for rule in ALERTS:
        name = rule["alert"]
        assert f"`{name}`" in page.partition("## Alerts")[2], name
        assert {"summary", "description"} == set(rule["annotations"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        fires = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == name}
        assert fires == {True, False}, f"{name} must be seen to fire and not to fire"


@pytest.mark.parametrize(("task", "metric"), list(main_metrics()), ids=lambda each: str(each)[:60])
def test_every_main_metric_is_recorded_as_its_task_says_and_has_an_alert(
    task: type[Task], metric: Metric
) -> None:
    record = 'semcom:metric:rate5m{metric="' + metric.name + '"}'
    (rule,) = [
        rule
        for rule in RULES
        if rule.get("record") == "semcom:metric:rate5m"
        and rule["labels"] == {"metric": metric.name}
    ]
    assert rule["expr"] == metric_value(task, metric, over="[5m]")
    (alert,) = [rule for rule in ALERTS if rule["expr"].startswith(record)]
    assert metric.better == "higher", "the rules look for values that are too low"
    assert f'semcom:metric_expected:min1d{{metric="{metric.name}"}} - ' in alert["expr"]
    assert metric.title in alert["annotations"]["description"]


def test_every_metric_of_our_tasks_is_on_the_dashboard_of_a_link_and_the_main_ones_on_all() -> None:
    overview, link = DASHBOARDS["overview"], DASHBOARDS["link"]
    for task in our_tasks():
        for metric in shown_metrics(task):
            (panel,) = [panel for panel in link.panels if panel.title == metric.title]
            assert (panel.minimum, panel.maximum) == metric.limits
            assert panel.unit == {"%": "percentunit", "dB": "dB", "": "none"}[metric.unit]
            assert f'task="{task.counted_as()}", link=~"$link"' in panel.queries[0].expr
    titles = [panel.title for panel in overview.panels]
    for _, metric in main_metrics():
        assert titles.count(metric.title) == 1
        assert titles.count(f"{metric.title} against SNR of the last sweep") == 1


def test_names_of_metrics_are_those_of_one_task() -> None:
    names = [metric.name for metric in {m for task in our_tasks() for m in task.METRICS}]
    assert len(names) == len(set(names)), "series of a sweep are told apart by them"


@pytest.mark.parametrize(
    "arguments", [("check", "config", "prometheus.yml"), ("test", "rules", "rules_test.yml")]
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    promtool = found("promtool")
    done = subprocess.run(
        [promtool, *arguments],
        cwd=PROMETHEUS,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
