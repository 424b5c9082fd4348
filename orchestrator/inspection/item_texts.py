"""Texts about inspected items, for terminals and pages. Pure."""

from __future__ import annotations

from orchestrator.inspection.items import Item, ItemAnswer
from orchestrator.inspection.ranking import Order
from orchestrator.inspection.run_items import Look
from orchestrator.reports.metric_texts import heading as metric_heading
from orchestrator.reports.metric_texts import value_text
from semcom.tasks.task import Task

RIGHT, WRONG = "\N{CHECK MARK}", "\N{BALLOT X}"
ORDERS: dict[Order, str] = {
    "worst": "the worst by {metric} over all SNRs first",
    "change": "those whose {metric} changes most from SNR to SNR first",
    "number": "in the order in which they were sent",
}


def heading(look: Look) -> str:
    """Return the inspected curve and run in words."""
    return f"{look.run}: {look.curve}"


def order_text(look: Look) -> str:
    """Return in words which items are shown, and how they were ranked."""
    count = len(look.items)
    items = f"{count} item" + "s" * (count != 1)
    if not look.among:
        return f"{items} of {look.sent}"
    of = f"{look.among}" if look.among == look.sent else f"the first {look.among} of {look.sent}"
    return f"{items} of {of}, {ORDERS[look.by].format(metric=look.task.METRICS[0].noun)}"


def overview_title(look: Look) -> str:
    """Return the title of the table of all items."""
    metric = metric_heading(look.task.METRICS[0])
    return "Answers and confidence" if look.task.REFERENCE == "labels" else metric


def item_name(look: Look, item: Item) -> str:
    """Return an item's number, and its index in its data set if that differs."""
    place = f", {look.dataset} {item.index}" if item.index != item.number else ""
    return f"item {item.number}{place}"


def answer_words(task: Task, answer: ItemAnswer) -> str:
    """Return an answer in a few words: its class with the confidence, or the task's main metric."""
    if answer.confidence is not None:
        return f"{answer.text} {100 * answer.confidence:.0f} %"
    return f"{task.METRICS[0].title} {value_text(task.METRICS[0], answer.score, short=True)}"


def mark_of(answer: ItemAnswer) -> str:
    """Return a mark for correct and wrong; empty if there is neither."""
    if answer.right is None:
        return ""
    return RIGHT if answer.right else WRONG


def distance_text(distance: float | None) -> str:
    """Return a distance in the form of tables."""
    return "\N{EN DASH}" if distance is None else f"{distance:.3f}"
