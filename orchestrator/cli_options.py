"""What several commands share: options, and where they look by default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[Path, typer.Option("--data", help="Folder of data sets.")]
CodecDir = Annotated[Path, typer.Option("--codecs", help="Folder of codecs.")]
RunsDir = Annotated[Path, typer.Option("--runs", help="Folder of runs.")]

PROJECT = Path(__file__).resolve().parents[1]


def new_app(about: str) -> typer.Typer:
    """Return a group of commands; help and errors are plain text, whole in a pipe too."""
    return typer.Typer(
        help=about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
