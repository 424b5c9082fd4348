"""What several commands share: options, where they look by default, console and progress bar."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcom.checkpoints import default_root
from semcom.shipped import shipped
from semcom.waits import logger as waits

console = Console()

DataDir = Annotated[Path, typer.Option("--data", help="Folder of data sets.")]
CodecDir = Annotated[Path, typer.Option("--codecs", help="Folder of codecs.")]
RunsDir = Annotated[Path, typer.Option("--runs", help="Folder of runs.")]

SCENARIOS = shipped("scenarios")
CODECS = default_root()


class _Lines(logging.Handler):
    """Prints what is logged, above a bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the text of a record."""
        console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def waits_on_console() -> Iterator[None]:
    """Say on the terminal, too, who is waited for."""
    lines = _Lines()
    waits.addHandler(lines)
    try:
        yield
    finally:
        waits.removeHandler(lines)


def frame_progress() -> Progress:
    """The bar of a sweep or an evaluation, with a note beside it."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
    )
