"""What several commands share: options, where they look by default, console and progress bar."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console()

DataDir = Annotated[Path, typer.Option("--data", help="Folder of data sets.")]
CodecDir = Annotated[Path, typer.Option("--codecs", help="Folder of codecs.")]
RunsDir = Annotated[Path, typer.Option("--runs", help="Folder of runs.")]

PROJECT = Path(__file__).resolve().parents[1]
# The codecs of the folder where the command is given, else those that ship with the project.
CODECS = Path("codecs") if Path("codecs").is_dir() else PROJECT / "codecs"


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
