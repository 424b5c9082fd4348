"""Tables that are shown in a page and printed as Markdown alike: made once, copied, never typed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from rich.table import Table

from orchestrator.cli.terminal import new_table
from orchestrator.reports import markup


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table of texts; `note` says what a reader must know to read it."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""

    def html(self) -> str:
        """Heading, table and note."""
        note = f'<p class="muted">{escape(self.note)}</p>' if self.note else ""
        return f"<h3>{escape(self.title)}</h3>{markup.table([self.head], self.rows)}{note}"

    def rich(self) -> Table:
        """For the terminal."""
        shown = new_table(*self.head, title=self.title, caption=self.note or None, numbers=True)
        for row in self.rows:
            shown.add_row(*row)
        return shown

    def markdown(self) -> str:
        """Title in bold, table and note."""
        lines = [self.head, ["---", *("---:" for _ in self.head[1:])], *self.rows]
        text = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
        return "\n\n".join(part for part in (f"**{self.title}**", text, self.note) if part)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")
