"""HTML of the reports: one self-contained file without scripts, in light and dark mode."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby

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
mark { background: var(--warn); color: inherit; padding: 0 .15em; border-radius: 3px; }
.sentences { width: 100%; } .sentences th:nth-child(2) { text-align: left; }
.sentences td.long { text-align: left; width: 100%; }
summary { cursor: pointer; font-weight: 600; margin: 2rem 0 .8rem; font-size: 1.2rem; }
""".strip()


class Markup(str):
    """HTML; any other text is escaped."""

    __slots__ = ()


NOTHING = "\N{EN DASH}"
Cell = str | Markup
Picture = tuple[bytes, bytes]  # PNG for light and for dark pages
PNG_WIDTH = slice(16, 20)  # position of the width in a PNG
SHOWN = 0.65  # share of the width, because pictures are drawn for high-resolution screens


def document(title: str, parts: Iterable[str]) -> str:
    """Return a complete page."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{CSS}\n</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def figure(name: str, light_dark: Picture, caption: str) -> str:
    """Return a picture with its caption, which is also the alternative text.

    A narrow picture stays narrow, so that its text is about as large as that of the page.
    """
    light, dark = (base64.b64encode(content).decode() for content in light_dark)
    width = int.from_bytes(light_dark[0][PNG_WIDTH], "big")
    return (
        f'<figure class="{name}" style="max-width: {width * SHOWN:.0f}px"><picture>'
        f'<source media="(prefers-color-scheme: dark)" srcset="data:image/png;base64,{dark}">'
        f'<img alt="{escape(caption)}" src="data:image/png;base64,{light}"></picture>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(
    head: Iterable[Sequence[str]], rows: Iterable[Sequence[Cell]], *, kind: str = "numbers"
) -> str:
    """Return a table that scrolls if it is wider than the page."""
    head_rows = "".join(f"<tr>{_head(row)}</tr>" for row in head)
    body_rows = "\n".join(f"<tr>{_row(row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table class="{kind}"><thead>{head_rows}</thead>\n'
        f"<tbody>\n{body_rows}\n</tbody></table></div>"
    )


def _head(cells: Sequence[str]) -> str:
    """Return head cells; equal neighbours are merged."""
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


def digest_cell(digest: str) -> Markup:
    """Return the first twelve digits, with all of them as a tooltip."""
    return Markup(f'<td><code title="{escape(digest)}">{escape(digest[:12])}</code></td>')


def long_cell(text: str) -> Markup:
    """Return a cell whose text may wrap anywhere."""
    return Markup(f'<td class="long">{escape(text)}</td>')


def count(number: int) -> str:
    """Return a whole number in groups of three digits."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def depths_text(depths: Sequence[int]) -> str:
    """Return the depths of the four stages in the form of Table III."""
    return f"({', '.join(map(str, depths))})"
