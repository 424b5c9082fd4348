"""Dashboards, rules and the page about them: generated, consistent, about metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from orchestrator.dashboards.model import DATASOURCE, GRID_WIDTH, Panel, dashboard_json
from orchestrator.dashboards.write import DASHBOARDS, FOLDER, generated
from semcom.metric_table import METRICS, PROCESS_METRICS
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
