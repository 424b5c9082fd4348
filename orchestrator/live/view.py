"""A live system's status for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

Status = Mapping[str, Any]


def view(status: Status) -> Group:
    """Links as a table, then whoever is missing, the sweep and the training jobs."""
    lines: list[RenderableType] = [_headline(status), _links(status)]
    away = [f"{each['role']} {each['peer']}" for each in status["processes"] if not each["up"]]
    if away:
        lines.append(Text(f"not heard of: {', '.join(away)}", style="yellow"))
    for link in status["links"]:
        if link["failure"]:
            lines.append(Text(f"{link['link']}: {link['failure']}", style="red"))
        if link["unaccounted"]:
            text = f"{link['link']}: {link['unaccounted']} frames are not accounted for"
            lines.append(Text(text, style="red"))
    if status["sweep"] is not None:
        lines.append(Text(sweep_line(status["sweep"])))
    for job in status.get("jobs", []):
        share = f"{100 * job['progress']:.0f} %"
        lines.append(Text(f"job {job['id']} {job['name']}: {job['state']} {job['stage']} {share}"))
    return Group(*lines)


def sweep_line(sweep: Status) -> str:
    """How far a sweep has come."""
    text = f"sweep {sweep['name']}: {sweep['state']}"
    if sweep["state"] in ("running", "reporting"):
        text += f", {sweep['recorded']} of {sweep['planned']} frames"
    if sweep["waiting"]:
        text += f", waiting for {', '.join(sweep['waiting'])}"
    if sweep["results_digest"]:
        text += f", results digest {sweep['results_digest'][:12]}, {sweep['report']}"
    if sweep["error"]:
        text += f", {sweep['error']}"
    return text


def _headline(status: Status) -> Text:
    minutes, seconds = divmod(int(status["uptime_s"]), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{status['name']}: {status['phase']} for {hours}:{minutes:02d}:{seconds:02d}"
    return Text(f"{text}, statistics of the last {status['window_s']:g} s")


def _links(status: Status) -> Table:
    table = Table(
        "link", "state", "channel", "SNR set", "measured", "accuracy", "p50", "p99", "frames/s",
        "in flight", "sent again", "refused", "shed", "lost", "codec",
    )  # fmt: skip
    for column in table.columns[3:14]:
        column.justify = "right"
    for link in status["links"]:
        window = link["window"]
        table.add_row(
            link["link"],
            link["state"],
            f"{link['channel']}, {link['course']}",
            _number(link["snr_set_db"], "{:.1f} dB"),
            _number(window["snr_measured_db"], "{:.1f} dB"),
            _accuracy(window),
            _number(window["p50_ms"], "{:.0f} ms"),
            _number(window["p99_ms"], "{:.0f} ms"),
            _number(window["frames_per_s"], "{:.1f}"),
            str(link["in_flight"]),
            str(window["retransmissions"]),
            str(link["refusals"]),
            str(link["shed"]),
            str(link["lost"]),
            link["codec"],
        )
    return table


def _number(value: float | None, pattern: str) -> str:
    return "" if value is None else pattern.format(value)


def _accuracy(window: Status) -> str:
    if window["accuracy"] is None:
        return ""
    half = (window["ci95_high"] - window["ci95_low"]) / 2
    return f"{100 * window['accuracy']:.1f} ± {100 * half:.1f} %"
