"""What several commands share: options, where they look by default, console and progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from semcom.checkpoints import default_root
from semcom.shipped import shipped

console = Console()

DataDir = Annotated[Path, typer.Option("--data", help="Folder of data sets.")]
CodecDir = Annotated[Path, typer.Option("--codecs", help="Folder of codecs.")]
RunsDir = Annotated[Path, typer.Option("--runs", help="Folder of runs.")]

SCENARIOS = shipped("scenarios")
CODECS = default_root()


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
