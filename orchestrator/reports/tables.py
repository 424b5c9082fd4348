"""Tables for pages, the terminal, Markdown and LaTeX, all from the same cells."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from rich.table import Table

from orchestrator.cli.terminal import new_table
from orchestrator.reports import markup
from orchestrator.reports.latex import booktabs, escaped, number_text


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """A table of texts; `note` explains it to readers."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""

    def html(self) -> str:
        """Return heading, table and note."""
        note = f'<p class="muted">{escape(self.note)}</p>' if self.note else ""
        return f"<h3>{escape(self.title)}</h3>{markup.table([self.head], self.rows)}{note}"

    def rich(self) -> Table:
        """Return the table for the terminal."""
        shown = new_table(*self.head, title=self.title, caption=self.note or None, numbers=True)
        for row in self.rows:
            shown.add_row(*row)
        return shown

    def markdown(self) -> str:
        """Return title in bold, table and note."""
        lines = [self.head, ["---", *("---:" for _ in self.head[1:])], *self.rows]
        text = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
        return "\n\n".join(part for part in (f"**{self.title}**", text, self.note) if part)

    def latex(self) -> str:
        """Return the table for a paper: first column left-aligned, others right-aligned."""
        rows = [[number_text(escaped(cell)) for cell in row] for row in self.rows]
        columns = "l" + "r" * (len(self.head) - 1)
        comment = " ".join(f"{self.title}. {self.note}".split())
        return booktabs([*map(escaped, self.head)], rows, comment=comment, columns=columns)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")
