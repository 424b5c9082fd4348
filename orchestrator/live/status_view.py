"""Display a live system's status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.cli.terminal import new_table, styled

Status = Mapping[str, Any]


def view(status: Status) -> Group:
    """Return links as a table, then missing processes, the sweep and the training jobs."""
    lines: list[RenderableType] = [_headline(status), _links(status)]
    away = [f"{each['role']} {each['peer']}" for each in status["processes"] if not each["up"]]
    if away:
        lines.append(styled(f"silent: {', '.join(away)}", "yellow"))
    for link in status["links"]:
        lines += _notes(link)
    if status["sweep"] is not None:
        lines.append(styled(sweep_line(status["sweep"])))
    for job in status.get("jobs", []):
        share = f"{100 * job['progress']:.0f} %"
        lines.append(
            styled(f"job {job['id']} {job['name']}: {job['state']} {job['stage']} {share}")
        )
    return Group(*lines)


def sweep_line(sweep: Status) -> str:
    """Return the progress of a sweep as a line."""
    text = f"sweep {sweep['name']}: {sweep['state']}"
    if sweep["state"] in ("running", "reporting"):
        text += f", {sweep['recorded']} of {sweep['planned']} frames"
    if sweep["waiting"]:
        text += f", waiting for {', '.join(sweep['waiting'])}"
    if sweep["results_digest"]:
        text += f", results digest {sweep['results_digest'][:12]}"
    if sweep["report"]:
        text += f", {sweep['report']}"
    if sweep.get("undrawn"):
        text += f", no report: {sweep['undrawn']}"
    if sweep["error"]:
        text += f", {sweep['error']}"
    return text


def _headline(status: Status) -> Text:
    minutes, seconds = divmod(int(status["uptime_s"]), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{status['name']}: {status['phase']} for {hours}:{minutes:02d}:{seconds:02d}"
    return styled(f"{text}, statistics of the last {status['window_s']:g} s")


def _links(status: Status) -> Table:
    titles = {link["metric"]["title"] for link in status["links"]}
    (shared,) = titles if len(titles) == 1 else ("",)
    table = new_table(
        "link", "channel", "SNR set, measured", shared or "metric", "p50, p99", "frames/s",
        "in flight", "refused", "codec",
    )  # fmt: skip
    for column in table.columns[2:8]:
        column.justify = "right"
    for link in status["links"]:
        window = link["window"]
        streams = link["state"] == "streaming"
        table.add_row(
            link["link"],
            f"{link['channel']}, {link['course']}{_met(link)}" if streams else link["state"],
            _pair(link["snr_set_db"], window["snr_measured_db"], "{:z.1f}", "dB"),
            _value(window, link["metric"], named=not shared),
            _pair(window["p50_ms"], window["p99_ms"], "{:.0f}", "ms"),
            f"{window['frames_per_s']:.1f}",
            str(link["in_flight"]),
            str(link["refusals"]),
            link["codec"],
        )
    return table


def _met(link: Status) -> str:
    """Return a link's interference in words."""
    met = None if link["group"] is None else link["group"]["interference"]
    if met is None:
        return ""
    return f", SIR {met['sir_db']:g} dB, {met['interferers']} interfering"


def _notes(link: Status) -> list[Text]:
    """Return notes on anything unusual about a link."""
    counts = {
        "sent again": link["window"]["retransmissions"],
        "shed": link["shed"],
        "lost": link["lost"],
        f"answered without {' or '.join(link['absent'])}": link["incomplete"],
        "not accounted for": link["unaccounted"],
    }
    parts = [f"{count} frames {what}" for what, count in counts.items() if count]
    style = "red" if link["unaccounted"] else "yellow"
    notes = [styled(f"{link['link']}: {', '.join(parts)}", style)] if parts else []
    if link["failure"]:
        notes.append(styled(f"{link['link']}: {link['failure']}", "red"))
    return notes


def _pair(first: float | None, second: float | None, pattern: str, unit: str) -> str:
    if first is None and second is None:
        return ""
    numbers = ["-" if value is None else pattern.format(value) for value in (first, second)]
    return f"{numbers[0]}, {numbers[1]} {unit}"


def _value(window: Status, metric: Status, *, named: bool) -> str:
    """Return the value of a link's metric with half its interval.

    Named if links have several metrics.
    """
    value, low, high = (window[name] for name in ("value", "ci95_low", "ci95_high"))
    if value is None:
        return ""
    scale, digits = metric["scale"], metric["digits"]
    text = f"{scale * value:z.{digits}f}"
    if low is not None and high is not None:
        text += f" ± {scale * (high - low) / 2:.{digits}f}"
    return " ".join(part for part in (metric["title"] * named, text, metric["unit"]) if part)
