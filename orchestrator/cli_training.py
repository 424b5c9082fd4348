"""`semcom train` and `semcom search`: training runs in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import typer

from orchestrator.datasets.prepare import DATASETS, ensure
from orchestrator.datasets.procedural import DRAWN_SETS

# The training's own parser knows its options, and answers --help.
HANDED_ON: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}


def train(context: typer.Context) -> None:
    """Train a codec: the stages of a system, export, evaluation (see `semcom train --help`)."""
    _draw_missing(context.args)
    become("orchestrator.training", *context.args)


def search(context: typer.Context) -> None:
    """Search the depths of the encoder: KDL-DARTS, or DARTS with --set search.method=darts."""
    _draw_missing(context.args)
    become("orchestrator.training", *context.args, "--until", "search")


def _draw_missing(words: list[str]) -> None:
    """Draw the set that is asked for, if it is one that is drawn and is not there yet."""
    folder = Path("data")
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if name == "--data":
            folder = Path(value or following)
    wanted = [word for word in words if word in DATASETS] or ["shapes10"]
    for name in wanted:
        if name in DRAWN_SETS:
            ensure(name, folder / name)


def become(module: str, *words: str) -> None:
    """Replace this process, so that signals and the exit code are the training's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *words])
