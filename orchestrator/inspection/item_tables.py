"""Inspected items on a terminal: a table of all, then some of them with their symbols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy.typing as npt
from rich.console import RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from orchestrator.cli.terminal import add_number_columns, new_table, styled
from orchestrator.inspection.constellation import braille, reach_of
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
from orchestrator.reports.metric_texts import heading as metric_heading
from orchestrator.reports.metric_texts import value_text

UPPER_HALF = "\N{UPPER HALF BLOCK}"
MAX_PICTURE = 64  # columns of a picture
GAP = "   "
BESIDE, CELL = 26, 16  # columns of number and name, and of an answer
MARKS = {True: "green", False: "red", None: ""}


def look_tables(look: Look, *, detailed: int, width: int | None) -> Iterator[RenderableType]:
    """Yield everything that is printed for an inspection.

    Args:
        look: the inspected items.
        detailed: number of items shown with their symbols.
        width: columns of the terminal; None if it is not a terminal, where no pictures are shown.
    """
    yield styled(heading(look), "bold")
    yield styled(order_text(look))
    yield _overview(look, width)
    for item in look.items[:detailed]:
        yield from item_lines(look, item, colours=width is not None)


def item_lines(look: Look, item: Item, *, colours: bool) -> Iterator[RenderableType]:
    """Yield an item: its content, a row for each SNR, and its constellations."""
    sent = f": {item.text}" if item.text is not None else ""
    yield styled(f"{item_name(look, item)}{sent}", "bold")
    if colours and item.content.ndim == 3:
        pictures = [item.content]
        pictures += [a.answer for a in item.answers if a.answer.shape == item.content.shape]
        yield beside([half_blocks(each) for each in pictures])
    yield _answers(look, item)
    yield from _constellations(item.answers)


def half_blocks(image_HW3: npt.NDArray[Any]) -> list[Text]:
    """Return a picture as lines of half blocks, two pixels per character."""
    step = -(-image_HW3.shape[1] // MAX_PICTURE)
    pixels = image_HW3[::step, ::step].tolist()
    lines: list[Text] = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=False):
        line = Text()
        for above, below in zip(upper, lower, strict=True):
            colours = [f"rgb({r},{g},{b})" for r, g, b in (above, below)]
            line.append(UPPER_HALF, Style(color=colours[0], bgcolor=colours[1]))
        lines.append(line)
    return lines


def beside(blocks: Sequence[Sequence[Text]]) -> Text:
    """Return blocks of lines of equal height side by side."""
    rows = (Text(GAP).join(row) for row in zip(*blocks, strict=True))
    return Text("\n").join(rows)


def _overview(look: Look, width: int | None) -> Table:
    """Return a row for each item; a narrow terminal shows fewer SNRs."""
    table = new_table("item", "sent", title=overview_title(look))
    points: Sequence[int] = range(len(look.items[0].answers))
    if width is not None and len(points) > (room := max(2, (width - BESIDE) // CELL)):
        points = [round(place * (len(points) - 1) / (room - 1)) for place in range(room)]
    heads = [f"{look.items[0].answers[point].snr_db:g} dB" for point in points]
    add_number_columns(table, heads)
    metric = look.task.METRICS[0]
    for item in look.items:
        cells: list[Text] = []
        for answer in (item.answers[point] for point in points):
            words = value_text(metric, answer.score, short=True)
            if answer.confidence is not None:
                words = answer_words(look.task, answer)
            cells.append(styled(f"{words} {mark_of(answer)}".strip(), MARKS[answer.right]))
        table.add_row(str(item.number), styled(_shortened(item.text or "image")), *cells)
    return table


def _answers(look: Look, item: Item) -> Table:
    metrics = [] if item.answers[0].confidence is not None else list(look.task.METRICS)
    heads = ["SNR", *([] if item.answers[0].text is None else ["answer"])]
    table = new_table(*heads)
    numbers = ["confidence"] if not metrics else [metric_heading(each) for each in metrics]
    add_number_columns(table, [*numbers, "feature distance", "symbol distance"])
    for answer in item.answers:
        cells: list[str | Text] = [f"{answer.snr_db:g} dB"]
        if answer.text is not None:
            cells.append(styled(f"{mark_of(answer)} {answer.text}", MARKS[answer.right]))
        if answer.confidence is not None:
            cells.append(f"{100 * answer.confidence:.1f} %")
        cells += [value_text(each, answer.score) for each in metrics]
        cells += [
            distance_text(answer.feature_distance),
            distance_text(answer.symbol_distance),
        ]
        table.add_row(*cells)
    return table


def _constellations(answers: Sequence[ItemAnswer]) -> Iterator[Text]:
    """Yield sent and received symbols at the lowest and at the highest SNR."""
    shown = [answers[0], *answers[1:][-1:]]
    blocks: list[list[Text]] = []
    first = answers[0].sent
    reach = reach_of(first)
    blocks.append(_block("sent", f"to {reach:.1f}", braille(first, reach)))
    for answer in shown:
        arrived = answer.received if answer.equalized is None else answer.equalized
        word = "received" if answer.equalized is None else "equalised"
        reach = reach_of(arrived)
        title = f"{word}, {answer.snr_db:g} dB"
        blocks.append(_block(title, f"to {reach:.1f}", braille(arrived, reach)))
    yield beside(blocks)


def _block(title: str, axes: str, lines: list[str]) -> list[Text]:
    width = len(lines[0])
    return [styled(title[:width].ljust(width)), *map(Text, lines), styled(axes.rjust(width), "dim")]


def _shortened(text: str, letters: int = 40) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}\N{HORIZONTAL ELLIPSIS}"
