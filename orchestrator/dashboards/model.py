"""Parts of a dashboard, and the JSON that Grafana reads.

A dashboard is a list of rows of panels that flow from left to right, 24 units wide. All panels
share a style: a link has the same colour everywhere; reference lines are dashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.reports.theme import DARK

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
GRID_WIDTH = 24
SCHEMA_VERSION = 39  # of Grafana 11

GREEN, YELLOW, RED, GREY = "#35c79b", "#e8c04a", "#f2495c", "#8e99a4"
# The links of the shipped scenarios; others are coloured by their names.
LINK_COLOURS = {
    "cifar10|shapes10": DARK.series[0],
    "cifar100|shapes100": DARK.series[1],
    "tiny-imagenet|shapes200": DARK.series[2],
}
BY_LINK = "{{link}}"

Kind = Literal["timeseries", "stat", "bargauge", "state-timeline", "heatmap", "trend", "table"]
Step = tuple[float | None, str]  # from this value on (None: from the lowest), this colour
Json = dict[str, Any]

NEUTRAL: tuple[Step, ...] = ((None, GREEN),)


def above(warning: float, critical: float) -> tuple[Step, ...]:
    """Thresholds of a quantity that should be low."""
    return ((None, GREEN), (warning, YELLOW), (critical, RED))


def below(critical: float, warning: float) -> tuple[Step, ...]:
    """Thresholds of a quantity that should be high."""
    return ((None, RED), (critical, YELLOW), (warning, GREEN))


@dataclass(frozen=True)
class Query:
    """A PromQL expression, and how its series are named."""

    expr: str
    legend: str = BY_LINK
    instant: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel. `dashed` is a regular expression over the names of series."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 12
    height: int = 8
    thresholds: tuple[Step, ...] = NEUTRAL
    minimum: float | None = None
    maximum: float | None = None
    decimals: int | None = None
    dashed: str | None = None
    link_colours: bool = True  # False if a link has several series that must differ in colour
    stacked: bool = False
    states: tuple[tuple[int, str, str], ...] = ()  # value, text, colour
    transformations: tuple[Json, ...] = ()
    x_field: str | None = None


@dataclass(frozen=True)
class Row:
    """A titled row of panels."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A choice at the top of a dashboard; `query` gives its values."""

    name: str
    label: str
    query: str


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One dashboard, known to Grafana by its `uid`."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    span: str = "now-15m"

    @property
    def panels(self) -> list[Panel]:
        """All panels in order."""
        return [panel for row in self.rows for panel in row.panels]


def dashboard_json(dashboard: Dashboard) -> Json:
    """The dashboard as Grafana's JSON model."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["semcom"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "5s",
        "timezone": "browser",
        "time": {"from": dashboard.span, "to": "now"},
        "timepicker": {},
        "fiscalYearStartMonth": 0,
        "annotations": {"list": [_alerts()]},
        "links": [_siblings()],
        "templating": {"list": [_variable(variable) for variable in dashboard.variables]},
        "panels": _placed(dashboard.rows),
    }


def _alerts() -> Json:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": RED,
        "expr": 'ALERTS{alertstate="firing"}',
        "step": "15s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{link}} {{role}} {{instance}}",
    }


def _siblings() -> Json:
    return {
        "type": "dashboards",
        "title": "Dashboards",
        "tags": ["semcom"],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _variable(variable: Variable) -> Json:
    return {
        "type": "query",
        "name": variable.name,
        "label": variable.label,
        "datasource": DATASOURCE,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _placed(rows: Sequence[Row]) -> list[Json]:
    placed: list[Json] = []
    y = 0
    for row in rows:
        grid = {"x": 0, "y": y, "w": GRID_WIDTH, "h": 1}
        title = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
        placed.append({"id": len(placed) + 1, **title, "gridPos": grid})
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > GRID_WIDTH:
                x, y, height = 0, y + height, 0
            grid = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            placed.append({"id": len(placed) + 1, "gridPos": grid, **panel_json(panel)})
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return placed


def panel_json(panel: Panel) -> Json:
    """A panel without its place."""
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "targets": [
            _target(panel, query, chr(ord("A") + index))
            for index, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel),
        "transformations": list(panel.transformations),
    }


def _target(panel: Panel, query: Query, name: str) -> Json:
    shape = "heatmap" if panel.kind == "heatmap" else "table" if query.instant else "time_series"
    return {
        "refId": name,
        "datasource": DATASOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "format": shape,
        "instant": query.instant,
        "range": not query.instant,
        "editorMode": "code",
    }


def _defaults(panel: Panel) -> Json:
    coloured = panel.kind in ("stat", "bargauge", "state-timeline")
    defaults: Json = {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if coloured else "palette-classic-by-name"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in panel.thresholds],
        },
        "mappings": _mappings(panel),
        "custom": _custom(panel),
    }
    limits = {"min": panel.minimum, "max": panel.maximum, "decimals": panel.decimals}
    return defaults | {name: value for name, value in limits.items() if value is not None}


def _mappings(panel: Panel) -> list[Json]:
    options = {
        str(value): {"text": text, "color": colour, "index": index}
        for index, (value, text, colour) in enumerate(panel.states)
    }
    return [{"type": "value", "options": options}] if options else []


def _custom(panel: Panel) -> Json:
    if panel.kind in ("timeseries", "trend"):
        return {
            "drawStyle": "line",
            "lineWidth": 2,
            "fillOpacity": 25 if panel.stacked else 6,
            "showPoints": "always" if panel.kind == "trend" else "never",
            "pointSize": 6,
            "spanNulls": panel.kind == "trend",  # a link has not every SNR of the others
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if panel.thresholds == NEUTRAL else "dashed"},
        }
    if panel.kind == "state-timeline":
        return {"fillOpacity": 80, "lineWidth": 0}
    return {}


def _overrides(panel: Panel) -> list[Json]:
    if panel.kind not in ("timeseries", "trend"):
        return []
    colours = LINK_COLOURS if panel.link_colours else {}
    found = [
        _override(f"^({names})( .*)?$", "color", {"mode": "fixed", "fixedColor": colour})
        for names, colour in colours.items()
    ]
    if panel.dashed is not None:
        style = {"fill": "dash", "dash": [8, 8]}
        found.append(_override(panel.dashed, "custom.lineStyle", style))
        found.append(_override(panel.dashed, "custom.fillOpacity", 0))
    return found


def _override(names: str, setting: str, value: object) -> Json:
    return {
        "matcher": {"id": "byRegexp", "options": f"/{names}/"},
        "properties": [{"id": setting, "value": value}],
    }


def _options(panel: Panel) -> Json:
    legend = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
    tooltip = {"mode": "multi", "sort": "desc"}
    if panel.kind == "timeseries":
        return {"legend": legend, "tooltip": tooltip}
    if panel.kind == "trend":
        return {"legend": legend, "tooltip": tooltip, "xField": panel.x_field}
    if panel.kind == "state-timeline":
        shape = {"showValue": "never", "rowHeight": 0.8, "mergeValues": True, "alignValue": "left"}
        return {**shape, "legend": legend, "tooltip": {"mode": "single", "sort": "none"}}
    if panel.kind == "table":
        return {"showHeader": True, "cellHeight": "sm"}
    if panel.kind == "heatmap":
        return _heatmap_options(panel)
    reduced: Json = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "horizontal" if panel.kind == "bargauge" else "auto",
    }
    if panel.kind == "bargauge":
        return {**reduced, "displayMode": "basic", "valueMode": "text", "showUnfilled": True}
    shape = {"colorMode": "value", "graphMode": "area", "justifyMode": "auto"}
    return {**reduced, **shape, "textMode": "auto"}


def _heatmap_options(panel: Panel) -> Json:
    return {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "mode": "scheme", "scheme": "Viridis", "steps": 64, "reverse": False,
            "exponent": 0.5, "fill": "#b07d00",
        },
        "yAxis": {"unit": panel.unit, "axisPlacement": "left"},
        "rowsFrame": {"layout": "auto"},
        "legend": {"show": True},
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "showValue": "never",
    }  # fmt: skip
