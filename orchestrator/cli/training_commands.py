"""`semcom train` and `semcom search`: training runs in a separate process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from orchestrator.datasets.prepare import DRAWN, ensure
from semcom.children import become_module
from semcom.extras import require

# The training's own parser knows its options, and answers --help.
HANDED_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}


def train(context: typer.Context) -> None:
    """Train a codec, export and evaluate it."""
    require("semcom train", "training")
    _draw_missing(context.args)
    become_module("orchestrator.training", *context.args, keep_memory=True)


def search(context: typer.Context) -> None:
    """Search for the depths of the encoder (KDL-DARTS or DARTS)."""
    require("semcom search", "training")
    _draw_missing(context.args)
    words = (*context.args, "--command", "search")
    become_module("orchestrator.training", *words, keep_memory=True)


def _draw_missing(words: list[str]) -> None:
    """Generate the requested set if it is a synthetic one that does not exist yet.

    Every option of a training except --help takes a value; the remaining argument is the data set.
    """
    if "--help" in words or "-h" in words:
        return
    folder, dataset = Path("data"), ""
    option = ""
    for word in words:
        name, is_whole, value = word.partition("=")
        if option:
            name, value, option = option, word, ""
        elif word.startswith("-") and not is_whole:
            option = word
        elif not word.startswith("-"):
            dataset = dataset or word
        if name == "--data" and value:
            folder = Path(value)
    dataset = dataset or "shapes10"
    if dataset in DRAWN:
        ensure(dataset, folder / dataset)
