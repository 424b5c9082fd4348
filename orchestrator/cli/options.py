"""Options and defaults that several commands share."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.command_order import examples
from orchestrator.cli.terminal import console
from orchestrator.plan.catalog import Catalog
from semcom.checkpoints import CODECS_SHIPPED
from semcom.points import AnyChannel, equalizer_of
from semcom.shipped import shipped
from semcom.waits import logger as waits

DataDir = Annotated[Path, typer.Option("--data", help="Folder of data sets.")]
CodecDir = Annotated[
    Path, typer.Option("--codecs", help="Folder of your codecs (codecs).", show_default=False)
]
RunsDir = Annotated[Path, typer.Option("--runs", help="Folder of runs.")]
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--on", help="Ray cluster: ray for one on this machine, ray://HOST, auto or HOST:PORT."
    ),
]

SCENARIOS = shipped("scenarios")


class _LineHandler(logging.Handler):
    """Prints log lines, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the text of a record."""
        console.print(record.getMessage())


@contextmanager
def waits_on_console() -> Iterator[None]:
    """Print on the terminal, too, which peers are awaited."""
    lines = _LineHandler()
    waits.addHandler(lines)
    try:
        yield
    finally:
        waits.removeHandler(lines)


def say_origins(names: Iterable[str], codecs: Path) -> None:
    """Print which codec is used for each name of a shipped one.

    Nothing is printed if the folder is that of the shipped codecs, or contains a copy.
    """
    if codecs.resolve() == CODECS_SHIPPED.resolve():
        return
    catalog, shipped = Catalog(codecs), Catalog(CODECS_SHIPPED, own_only=True)
    for name in dict.fromkeys(names):
        if catalog.is_shipped(name):
            console.print(f"codec {name}: the shipped one; {codecs} has no codec of this name")
        elif (
            name in shipped.names()
            and name in catalog.names()
            and catalog.open(name).digest != shipped.open(name).digest
        ):
            console.print(f"codec {name}: the one in {codecs}, not the shipped one")


def say_equalizers(channels: Iterable[AnyChannel]) -> None:
    """Print a note for each channel with the biased equaliser."""
    for channel in channels:
        if equalizer_of(channel) == "mmse":
            console.print(
                f"note: {channel.label}: mmse scales the received symbols, so codecs must be "
                "trained for it; unbiased_mmse does not (docs/channels.md)"
            )


def new_app(about: str, *shown: str, **settings: Any) -> typer.Typer:
    """Return a group of commands; help and errors are plain text and not truncated in a pipe.

    Args:
        about: the first line of its help.
        shown: examples, one command each.
        settings: further ones of Typer.
    """
    return typer.Typer(
        help=about,
        epilog=examples(*shown),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **{"add_completion": False, **settings},
    )
