"""The report as one HTML file: no script, nothing loaded from elsewhere, light and dark."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Any

from orchestrator.curves import Curve, CurvePoint, LatencyBar, channel_title
from orchestrator.run_folder import Run

CSS = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --muted: #57606a;
  --line: #d8dde3; --soft: #f5f7f9; --tint: 0, 114, 178; --warn: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181d; --ink: #e6e9ed; --muted: #9aa4af;
  --line: #2f3740; --soft: #1b2027; --tint: 90, 180, 240; --warn: #40340f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1120px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; } p { margin: .3rem 0 .8rem; }
.muted, figcaption { color: var(--muted); } figcaption { font-size: .88rem; margin-top: .4rem; }
.warn { background: var(--warn); padding: .6rem .9rem; border-radius: 6px; }
figure { margin: 0 0 1.6rem; } figure img { width: 100%; height: auto; display: block; }
figure.latency img { max-width: 800px; }
.wide { overflow-x: auto; margin-bottom: 1.2rem; }
.beside { display: flex; flex-wrap: wrap; gap: 0 1.2rem; } .beside > div { max-width: 100%; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .5rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; vertical-align: baseline; }
th { font-weight: 600; } thead th { background: var(--soft); } th.mid { text-align: center; }
th:first-child, .text th, .text td { text-align: left; }
td small { color: var(--muted); margin-left: .4em; font-size: .82em; }
td.share { background: rgba(var(--tint), calc(.3 * var(--share))); }
code { font: .92em ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace;
  white-space: nowrap; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 18rem; }
summary { cursor: pointer; font-weight: 600; margin: 2rem 0 .8rem; font-size: 1.2rem; }
""".strip()


class Markup(str):
    """HTML; any other text is escaped."""

    __slots__ = ()


NOTHING = "\N{EN DASH}"
Cell = str | Markup


def page(
    runs: Sequence[Run],
    curves: Sequence[Curve],
    bars: Sequence[LatencyBar],
    *,
    figures: dict[str, tuple[bytes, bytes]],
) -> str:
    """The whole report; `figures` holds light and dark PNGs under 'accuracy' and 'latency'."""
    title = "RKD-SC: " + ", ".join(run.name for run in runs)
    parts = [
        f"<h1>{escape(title)}</h1>",
        _overview(runs),
        *_warnings(runs),
        *(_accuracy(curves, figures["accuracy"]) if curves else []),
        *(_latency(bars, figures["latency"]) if bars else []),
        *_facts(runs),
        *_every_point(runs),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _overview(runs: Sequence[Run]) -> str:
    rows: list[list[Cell]] = []
    for run in runs:
        points, incomplete = run.summary.points, run.summary.incomplete
        rows.append(
            [
                run.name,
                f"{len(points)} of {len(points) + len(incomplete)}",
                _count(sum(point.images for point in points)),
                _count(sum(latency.frames for latency in run.summary.latencies)),
                _count(sum(point.retransmissions for point in points)),
                _digest(run.results_digest),
            ]
        )
    head = ["run", "points complete", "images", "frames", "retransmissions", "results digest"]
    note = (
        '<p class="muted">Runs with equal results digests gave the same answer to every image.</p>'
        if len(runs) > 1
        else ""
    )
    return _table([head], rows) + note


def _warnings(runs: Sequence[Run]) -> list[str]:
    warnings: list[str] = []
    for run in runs:
        incomplete = run.summary.incomplete
        if incomplete:
            missing = sum(point.planned - point.recorded for point in incomplete)
            warnings.append(
                f'<p class="warn">Run {escape(run.name)} is not finished: {len(incomplete)} points '
                f"lack {missing} frames. They have no accuracy and are not shown; finish them "
                f"with <code>semcom sweep SCENARIO --resume</code>.</p>"
            )
    return warnings


def _accuracy(curves: Sequence[Curve], figure: tuple[bytes, bytes]) -> list[str]:
    seeds = max(curve.seeds for curve in curves)
    pooled = f", images of {seeds} channel seeds counted together" if seeds > 1 else ""
    caption = (
        f"Classification accuracy against Es/N0 per complex symbol. Bars: 95 % Wilson "
        f"intervals{pooled}."
    )
    parts = ["<h2>Accuracy</h2>", _figure("accuracy", figure, caption)]
    parts.append('<div class="beside">')
    for dataset in dict.fromkeys(curve.dataset for curve in curves):
        shown = [curve for curve in curves if curve.dataset == dataset]
        parts.append(f"<div><h3>{escape(dataset)}, %</h3>{_accuracy_table(shown)}</div>")
    return [*parts, "</div>"]


def _accuracy_table(curves: Sequence[Curve]) -> str:
    """SNR downwards; over each column its series and its channel."""
    points = [{point.snr_db: point for point in curve.points} for curve in curves]
    rows: list[list[Cell]] = [
        [f"{snr_db:g}", *(_share(column.get(snr_db)) for column in points)]
        for snr_db in sorted({snr_db for column in points for snr_db in column})
    ]
    series = ["", *(curve.series for curve in curves)]
    channels = ["dB", *(channel_title(curve.channel) for curve in curves)]
    return _table([series, channels], rows)


def _share(point: CurvePoint | None) -> Cell:
    if point is None:
        return NOTHING
    low, high = point.interval
    return Markup(
        f'<td class="share" style="--share:{point.accuracy:.3f}">{100 * point.accuracy:.1f}'
        f"<small>{_span(low, high, 1)}</small></td>"
    )


def _latency(bars: Sequence[LatencyBar], figure: tuple[bytes, bytes]) -> list[str]:
    caption = (
        "Medians over all frames. The round trip starts when a frame is first sent; what its "
        "stages do not explain is the network and the queues, which grow with the frames in "
        "flight. Encoding comes before it."
    )
    head = [
        "link", "frames", "encode", "channel", "batch wait", "decode", "network, queues",
        "round trip", "p99", "resent",
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for bar in bars:
        latency = bar.latency
        durations_ms = (
            latency.encode_ms, latency.channel_ms, latency.batch_wait_ms, latency.decode_ms,
            latency.network_ms, latency.round_trip_p50_ms, latency.round_trip_p99_ms,
        )  # fmt: skip
        rows.append(
            [
                bar.name,
                _count(latency.frames),
                *(f"{duration_ms:.2f}" for duration_ms in durations_ms),
                _count(latency.retransmissions),
            ]
        )
    return [
        "<h2>Latency</h2>",
        _figure("latency", figure, caption),
        "<h3>Milliseconds per frame</h3>",
        _table([head], rows),
    ]


def _facts(runs: Sequence[Run]) -> list[str]:
    facts = [_facts_of(run) for run in runs]
    names = list(dict.fromkeys(name for of_run in facts for name in of_run))
    rows: list[list[Cell]] = [
        [name, *(_long(of_run.get(name, NOTHING)) for of_run in facts)] for name in names
    ]
    links: list[list[Cell]] = [
        [
            run.name, name, link.dataset, _digest(link.dataset_digest), _count(link.images),
            codec.name, codec.system, _digest(codec.digest),
        ]
        for run in runs
        for name, link in run.summary.plan.links.items()
        for codec in link.codecs
    ]  # fmt: skip
    head = [
        "run", "link", "data set", "digest of images", "images", "codec", "system",
        "digest of codec",
    ]  # fmt: skip
    return [
        "<h2>What was run</h2>",
        _table([["", *(run.name for run in runs)]], rows, kind="text"),
        _table([head], links, kind="text"),
    ]


def _facts_of(run: Run) -> dict[str, str]:
    plan = run.summary.plan
    threads = plan.threads
    facts = {
        "plan digest": plan.digest,
        "results digest": run.results_digest,
        "decoding": plan.decoding,
        "images per frame": str(plan.frame_images),
        "threads": f"{threads.transmitter} per transmitter, {threads.receiver} per receiver",
        "channels": ", ".join(dict.fromkeys(p.spec.channel.label for p in plan.points)),
        "seeds": ", ".join(dict.fromkeys(str(p.spec.seed) for p in plan.points)),
    }
    left_out = {"run", "plan_digest", "results_digest", "versions"}
    for key, value in run.manifest.items():
        if key not in left_out and isinstance(value, str | int | float):
            facts[key.replace("_", " ")] = str(value)
    versions: Any = run.manifest.get("versions")
    if isinstance(versions, dict):
        facts["versions"] = ", ".join(f"{name} {found}" for name, found in versions.items())
    return facts


def _every_point(runs: Sequence[Run]) -> list[str]:
    head = [
        "run", "link", "codec", "channel", "dB", "seed", "images", "correct", "accuracy, %",
        "95 % interval", "round trip, ms", "p99, ms", "resent",
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            run.name, point.link, point.codec, point.channel, f"{point.snr_db:g}",
            str(point.seed), _count(point.images), _count(point.correct),
            f"{100 * point.accuracy:.2f}",
            _span(point.ci95_low, point.ci95_high, 2),
            f"{point.round_trip_p50_ms:.2f}", f"{point.round_trip_p99_ms:.2f}",
            _count(point.retransmissions),
        ]
        for run in runs
        for point in run.summary.points
    ]  # fmt: skip
    title = f"<summary>Every point ({len(rows)})</summary>"
    return ["<details>", title, _table([head], rows), "</details>"] if rows else []


def _figure(name: str, light_dark: tuple[bytes, bytes], caption: str) -> str:
    light, dark = (base64.b64encode(content).decode() for content in light_dark)
    return (
        f'<figure class="{name}"><picture>'
        f'<source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,{dark}">'
        f'<img alt="{escape(caption)}" src="data:image/png;base64,{light}"></picture>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _table(
    head: Iterable[Sequence[str]], rows: Iterable[Sequence[Cell]], *, kind: str = "numbers"
) -> str:
    head_rows = "".join(f"<tr>{_head(row)}</tr>" for row in head)
    body_rows = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead>{head_rows}</thead>\n'
        f"<tbody>\n{body_rows}\n</tbody></table></div>"
    )


def _head(cells: Sequence[str]) -> str:
    """Head cells; equal neighbours are one wide cell."""
    groups = [(text, len(list(alike))) for text, alike in groupby(cells)]
    return "".join(
        f'<th colspan="{width}" class="mid">{escape(text)}</th>'
        if width > 1
        else f"<th>{escape(text)}</th>"
        for text, width in groups
    )


def _row(cells: Sequence[Cell]) -> str:
    first, *others = cells
    return f'<th scope="row">{escape(first)}</th>' + "".join(
        cell if isinstance(cell, Markup) else f"<td>{escape(cell)}</td>" for cell in others
    )


def _digest(digest: str) -> Markup:
    return Markup(f'<td><code title="{escape(digest)}">{escape(digest[:12])}</code></td>')


def _long(text: str) -> Markup:
    return Markup(f'<td class="long">{escape(text)}</td>')


def _span(low: float, high: float, digits: int) -> str:
    return f"{100 * low:.{digits}f}{NOTHING}{100 * high:.{digits}f}"


def _count(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
