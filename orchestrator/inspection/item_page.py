"""Inspected items as one page: images, sentences, answers and constellations at every SNR."""

from __future__ import annotations

import base64
import difflib
import io
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy.typing as npt
from PIL import Image

from orchestrator.inspection.constellation import svg
from orchestrator.inspection.item_texts import (
    answer_words,
    distance_text,
    heading,
    item_name,
    mark_of,
    order_text,
    overview_title,
)
from orchestrator.inspection.items import Item, ItemAnswer
from orchestrator.inspection.run_items import Look
from orchestrator.reports.markup import Cell, Markup, document, table
from orchestrator.reports.metric_texts import value_text

CSS = """
:root { --sent: #0072b2; --got: #d55e00; --good: #00795a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --sent: #5ab4f0; --got: #ff9149; --good: #35c79b;
  --bad: #ff8a80; } }
body { max-width: 1400px; }
.item { border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.1rem 1.1rem;
  margin: 0 0 1.2rem; display: flex; gap: 1.2rem; align-items: flex-start; }
.item > header { flex: 0 0 132px; position: sticky; top: 1rem; }
.item h2 { font-size: 1rem; margin: 0 0 .5rem; } .item header p { margin: .5rem 0 0; }
.item img { width: 128px; height: 128px; image-rendering: pixelated; display: block;
  border-radius: 6px; background: var(--soft); }
.points { display: grid; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); gap: .9rem;
  flex: 1; min-width: 0; }
.points.words { grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); }
.point { border-top: 3px solid var(--line); padding-top: .4rem; min-width: 0; }
.point.good { border-color: var(--good); } .point.bad { border-color: var(--bad); }
.point h3 { display: flex; justify-content: space-between; gap: .4rem; font-weight: 500;
  color: var(--muted); font-size: .85rem; margin: 0; }
.point strong { display: block; font-weight: 600; overflow-wrap: anywhere; }
.good strong { color: var(--good); } .bad strong { color: var(--bad); }
.point .sure { height: 4px; background: var(--soft); border-radius: 2px; margin: .25rem 0 .4rem; }
.point .sure i { display: block; height: 100%; border-radius: 2px; background: currentColor; }
.good .sure { color: var(--good); } .bad .sure { color: var(--bad); }
td.text, th:nth-child(2) { text-align: left; } .point img { margin: .2rem 0 .5rem; }
.iq { width: 100%; max-width: 220px; display: block; background: var(--soft); border-radius: 6px; }
.iq .axis { stroke: var(--line); fill: none; stroke-width: .6; }
.iq .err { stroke: var(--muted); stroke-width: .35; opacity: .55; fill: none; }
.iq .sent circle { fill: none; stroke: var(--sent); stroke-width: .9; }
.iq .got { stroke: var(--got); stroke-width: 3; stroke-linecap: round; fill: none; opacity: .85; }
dl { margin: .35rem 0 0; font-size: .8rem; color: var(--muted); display: grid;
  grid-template-columns: 1fr auto; gap: 0 .5rem; font-variant-numeric: tabular-nums; }
dd { margin: 0; text-align: right; } del { color: var(--bad); } ins { color: var(--got);
  text-decoration: none; font-weight: 600; } .key b { font-weight: 600; }
.key .s { color: var(--sent); } .key .g { color: var(--got); }
td.good { color: var(--good); } td.bad { color: var(--bad); }
@media (max-width: 700px) { .item { flex-direction: column; }
  .item > header { position: static; display: flex; gap: 1rem; flex: none; flex-wrap: wrap; } }
""".strip()


class ItemPage(str):
    """A page; a notebook shows it in a frame."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 640px; border: 1px solid #8884; border-radius: 8px"
        return f'<iframe style="{style}" srcdoc="{escape(self)}"></iframe>'


def item_page(look: Look) -> ItemPage:
    """Return items as a self-contained HTML page, which a notebook displays."""
    differing = ' class="warn"' if look.differing else ' class="muted"'
    parts = [
        f"<style>\n{CSS}\n</style>",
        f"<p>{escape(order_text(look))}.</p>",
        f"<p{differing}>{escape(look.agreement())}.</p>",
        _overview(look),
        _key(look),
        *(_card(look, item) for item in look.items),
    ]
    return ItemPage(document(heading(look), parts))


def _overview(look: Look) -> str:
    snrs_db = [answer.snr_db for answer in look.items[0].answers] if look.items else []
    rows: list[list[Cell]] = []
    for item in look.items:
        link = f'<td class="text"><a href="#item-{item.number}">{escape(item.text or "image")}</a>'
        cells: list[Cell] = [str(item.number), Markup(f"{link}</td>")]
        for answer in item.answers:
            words = value_text(look.task.METRICS[0], answer.score, short=True)
            if answer.confidence is not None:
                words = answer_words(look.task, answer)
            cells.append(Markup(f'<td class="{_kind(answer)}">{escape(words)}</td>'))
        rows.append(cells)
    head = ["item", "sent", *(f"{snr_db:g} dB" for snr_db in snrs_db)]
    title = f"<h3>{escape(overview_title(look))}</h3>"
    return title + table([head], rows)


def _key(look: Look) -> str:
    superposed = any(answer.equalized is None for item in look.items for answer in item.answers)
    arrived = "received, the sum of all links" if superposed else "received and equalised"
    return (
        '<p class="muted key">Constellations: <b class="s">rings</b> are the symbols '
        f'sent, <b class="g">dots</b> the symbols {arrived}; the circle is |z| = 1. Distances '
        "are Euclidean, relative to the length of the sent codeword.</p>"
    )


def _card(look: Look, item: Item) -> str:
    head = f"<h2>{escape(item_name(look, item))}</h2>"
    if item.content.ndim == 3:
        head += picture(item.content, "item sent")
    if item.text is not None:
        head += f"<p>{escape(item.text)}</p>"
    points = "\n".join(_point(look, item, answer) for answer in item.answers)
    words = " words" if item.content.ndim == 1 else ""
    return (
        f'<section class="item" id="item-{item.number}"><header>{head}</header>\n'
        f'<div class="points{words}">{points}</div></section>'
    )


def _point(look: Look, item: Item, answer: ItemAnswer) -> str:
    parts = [f"<h3><span>{answer.snr_db:g} dB</span><span>{mark_of(answer)}</span></h3>"]
    if answer.answer.ndim == 3:
        parts.append(picture(answer.answer, "answer"))
    elif item.content.ndim == 1:
        parts.append(f"<p>{_compared(item.text or '', answer.text or '')}</p>")
    else:
        parts.append(f"<strong>{escape(answer_words(look.task, answer))}</strong>")
    if answer.confidence is not None:
        share = 100 * answer.confidence
        parts.append(f'<div class="sure"><i style="width: {share:.0f}%"></i></div>')
    arrived = answer.received if answer.equalized is None else answer.equalized
    parts.append(svg(answer.sent, arrived, title=f"constellation at {answer.snr_db:g} dB"))
    rows = "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in _numbers(look, answer))
    return f'<div class="point {_kind(answer)}">{"".join(parts)}<dl>{rows}</dl></div>'


def _numbers(look: Look, answer: ItemAnswer) -> Iterator[tuple[str, str]]:
    if answer.confidence is None:
        for metric in look.task.METRICS:
            yield metric.title, f"{value_text(metric, answer.score)} {metric.unit}".strip()
    if answer.feature_distance is not None:
        yield "feature distance", distance_text(answer.feature_distance)
    if answer.symbol_distance is not None:
        yield "symbol distance", distance_text(answer.symbol_distance)


def _kind(answer: ItemAnswer) -> str:
    return {True: "good", False: "bad", None: ""}[answer.right]


def _compared(sent: str, answered: str) -> str:
    """Return the answered words, with added words marked and lost words struck out."""
    before, after = sent.split(), answered.split()
    found: list[str] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        if kind != "equal" and a < b:
            found.append(f"<del>{escape(' '.join(before[a:b]))}</del>")
        if c < d:
            words = escape(" ".join(after[c:d]))
            found.append(words if kind == "equal" else f"<ins>{words}</ins>")
    return " ".join(found)


def picture(image_HW3: npt.NDArray[Any], title: str) -> str:
    """Return an image as part of a page."""
    content = io.BytesIO()
    Image.fromarray(image_HW3).save(content, format="PNG")
    encoded = base64.b64encode(content.getvalue()).decode()
    return f'<img alt="{escape(title)}" src="data:image/png;base64,{encoded}">'
