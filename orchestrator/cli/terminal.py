"""Print lines, tables and progress bars of commands.

Printed text is never interpreted as markup, and control characters are shown as escapes. On a
terminal, tables fit its width; elsewhere nothing is truncated or wrapped, whatever COLUMNS says. If
the reader exits, as `head` does, the command continues unchanged.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleDimensions
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from semcom.errors import StorageError
from semcom.plain_text import one_line, visible

MIN_NUMBER_WIDTH = 4
WHOLE = 1_000_000  # columns without a terminal: wider than any table


class Terminal(Console):
    """Rich's console without markup, for standard output or standard error."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)

    @property
    def at_terminal(self) -> bool:
        """Return whether this is a terminal; `is_terminal` only says whether colours are wanted."""
        try:
            return bool(self.file.isatty())
        except (AttributeError, ValueError):  # it is closed
            return False

    @property
    def table_width(self) -> int | None:
        """Return the greatest width of a table in columns; None if it is not limited."""
        return self.width if self.at_terminal else None

    @property
    def size(self) -> ConsoleDimensions:
        """Size of the terminal; without one, lines of any length."""
        found = super().size
        return found if self.at_terminal else ConsoleDimensions(WHOLE, found.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string to text without interpreting markup."""
        plain = {"markup": False, "emoji": False, "highlight": False, "highlighter": None}
        return super().render_str(visible(text), **options | plain)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print strings and tables as they are.

        Raises:
            StorageError: standard output goes to a disk that cannot be written.
        """
        try:
            super().print(*objects, **options)
        except OSError as error:
            self.on_broken_pipe()
            raise StorageError(f"cannot write to standard output: {error.strerror}") from error

    def write_bytes(self, content: bytes) -> None:
        """Write bytes from elsewhere, such as a log, unless the reader has exited.

        Raises:
            StorageError: standard output goes to a disk that cannot be written.
        """
        try:
            if not self.quiet:
                self.file.flush()
                self._write_all(content)
        except BrokenPipeError:
            self.on_broken_pipe()
        except OSError as error:
            self.on_broken_pipe()
            raise StorageError(f"cannot write to standard output: {error.strerror}") from error

    def _write_all(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[os.write(self.file.fileno(), view) :]

    def on_broken_pipe(self) -> None:
        """Print nothing more; the command itself continues."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


console = Terminal()


def styled(text: str, style: str = "") -> Text:
    """Return a line in a colour."""
    return Text(one_line(text), style)


def new_table(
    *heads: str,
    title: str | None = None,
    caption: str | None = None,
    numbers: bool = False,
    dense: bool = False,
) -> Table:
    """Return a table without frames; title and caption are on separate lines.

    Args:
        heads: names of columns, whose texts are wrapped if a terminal is too narrow.
        title: line above the table.
        caption: line below the table.
        numbers: whether all columns but the first hold numbers.
        dense: with one space between columns instead of two.
    """
    table = Table(
        title=_whole(title), caption=_whole(caption), box=box.SIMPLE_HEAD, pad_edge=False,
        padding=(0, 0 if dense else 1, 0, 0), title_justify="left", caption_justify="left",
    )  # fmt: skip
    for index, head in enumerate(heads):
        table.add_column(head, justify="right" if numbers and index else "left", overflow="fold")
    return table


def add_number_columns(table: Table, heads: Sequence[str]) -> None:
    """Add columns whose numbers are never wrapped."""
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True, min_width=MIN_NUMBER_WIDTH)


class Words(TextColumn):
    """A column of a progress bar that shows names and notes unchanged."""

    def render(self, task: Task) -> Text:
        """Fill in the pattern."""
        return styled(self.text_format.format(task=task))


def progress_bar(*columns: ProgressColumn, shown_on: Console = console) -> Progress:
    """Return a progress bar, by default one for frames with a note next to it."""
    frames = (
        Words("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Words("frames"),
        TimeRemainingColumn(),
        Words("{task.fields[note]}"),
    )
    return Progress(*(columns or frames), console=shown_on)


def _whole(text: str | None) -> Text | None:
    """Return a title that is not wrapped to the width of its table."""
    return None if text is None else Text(visible(text), no_wrap=True, overflow="ignore")
