"""The section with example sentences, and its tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from orchestrator.reports.markup import Cell, Markup, table
from orchestrator.reports.sentences import (
    Example,
    Received,
    has_sentences,
    sentence_examples,
)
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.text import BLEU_1

NOTE = (
    "One link and channel seed: all systems have the same fading, and the same noise if "
    "their codewords have the same length. Words that differ from the sent ones are marked; BLEU-1 "
    "is that of the sentence, in %."
)
NONE = (
    "No example sentences: they need the answers and the data set. Run the scenario with "
    "keep_answers: true, and set the folder of data sets with --data."
)
HEAD = ["", "sentence", "BLEU-1"]


def sentences_section(
    runs: Sequence[StoredRun], data: Path, *, snr_db: float | None = None
) -> list[str]:
    """Return the section; empty if no run sent sentences."""
    if not has_sentences(runs):
        return []
    found = sentence_examples(runs, data, snr_db=snr_db)
    parts = ["<h2>Sentences</h2>", f'<p class="muted">{escape(NOTE if found else NONE)}</p>']
    for group in found:
        parts.append(f"<h3>{escape(group.title)}</h3>")
        for example in group.examples:
            parts += [f'<p class="muted">{escape(example.why)}</p>', _table(example)]
    return parts


def sentences_tables(
    runs: Sequence[StoredRun], data: Path, *, snr_db: float | None = None
) -> list[ReportTable]:
    """Return a table per channel for Markdown, with wrong words between asterisks."""
    found = sentence_examples(runs, data, snr_db=snr_db) if has_sentences(runs) else []
    return [
        ReportTable(
            title=f"Sentences: {group.title}",
            head=HEAD,
            rows=[
                row
                for example in group.examples
                for row in (
                    [f"sent ({example.why})", example.sent, ""],
                    *([each.series, _starred(each), _value(each)] for each in example.received),
                )
            ],
            note=NOTE,
        )
        for group in found
    ]


def _table(example: Example) -> str:
    rows: list[list[Cell]] = [["sent", _cell(escape(example.sent)), ""]]
    for each in example.received:
        marked = " ".join(
            f"<mark>{escape(word)}</mark>" if wrong else escape(word)
            for word, wrong in zip(each.words, each.wrong, strict=True)
        )
        rows.append([each.series, _cell(marked), _value(each)])
    return table([HEAD], rows, kind="sentences")


def _cell(content: str) -> Markup:
    return Markup(f'<td class="long">{content}</td>')


def _starred(received: Received) -> str:
    return " ".join(
        f"\\*{word}\\*" if wrong else word
        for word, wrong in zip(received.words, received.wrong, strict=True)
    )


def _value(received: Received) -> str:
    return BLEU_1.number(received.bleu_1)
