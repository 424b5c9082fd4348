"""The order in which help lists the commands, and the examples below it."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

# In the order of use; a test compares them with the existing commands.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Run and check": (
        "demo",
        "sweep",
        "evaluate",
        "merge",
        "verify",
        "measure",
        "report",
        "inspect",
        "record",
    ),
    "Data sets and codecs": ("data", "weights", "checkpoints", "footprint", "bound"),
    "Train": ("train", "search", "jobs"),
    "Stream": ("up", "status", "channel", "codec", "down"),
    "Secure, test and measure": ("keys", "soak", "bench"),
}


class OrderedCommands(TyperGroup):
    """The commands of `semcom`, listed by section."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library calls it so
        """Return the names of the commands in the order of the sections."""
        ordered = [name for names in SECTIONS.values() for name in names]
        return [*ordered, *(name for name in self.commands if name not in ordered)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write each section with the first line of help of its commands."""
        width = max(len(name) for name in self.commands)
        for title, names in SECTIONS.items():
            limit = formatter.width - 6 - width
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(limit)) for name in names
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


def examples(*lines: str) -> str:
    """Return the end of a command's help: examples to paste, one per line."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  {line}" for line in lines)])
