"""Make a page of the site for every command of `semcom`, from the command's own parser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import typer
import typer.main

from orchestrator.cli.command_order import SECTIONS
from orchestrator.cli.main import app


def commands_by_section() -> Iterator[tuple[str, str, str]]:
    """Return every command with its section and the first sentence of its help."""
    root: Any = typer.main.get_command(app)
    for title, names in SECTIONS.items():
        for name in names:
            yield f"`semcom {name}`", title.lower(), _first_line(root.commands[name])


@cache
def command_pages() -> dict[str, str]:
    """Return the text of every page by its place, in the order of `semcom --help`."""
    root: Any = typer.main.get_command(app)
    names = [name for section in SECTIONS.values() for name in section]
    with typer.Context(root, info_name="semcom", **root.context_settings) as context:
        return {f"cli/{name}.md": _page(context, name, root.commands[name]) for name in names}


def _page(above: Any, name: str, command: Any) -> str:
    with typer.Context(command, parent=above, info_name=name) as context:
        parts = [f"# {context.command_path}\n"]
        children: dict[str, Any] = getattr(command, "commands", {})
        if not children:
            return "\n".join([*parts, *_body(context, command)])
        parts.append(f"{command.help}\n")
        for child, each in children.items():
            with typer.Context(each, parent=context, info_name=child) as inner:
                parts += [f"## {inner.command_path}\n", *_body(inner, each)]
        return "\n".join(parts)


def _body(context: Any, command: Any) -> Iterator[str]:
    if command.context_settings.get("ignore_unknown_options") and not command.add_help_option:
        yield _block(_help_of_training(context.command_path))
        return
    yield f"{command.help}\n"
    yield _block(command.get_usage(context).removeprefix("Usage: "))
    own = [each for each in command.get_params(context) if not each.hidden]
    for kind in ("argument", "option"):
        records = [each.get_help_record(context) for each in own if each.param_type_name == kind]
        if records:
            yield _table((kind, "meaning"), ((f"`{flags}`", text) for flags, text in records))
    title, *lines = command.epilog.removeprefix("\b\n").splitlines()
    yield f"{title}\n"
    yield _block("\n".join(line.strip() for line in lines))


def _help_of_training(path: str) -> str:
    """Return the help of a command that is parsed in the training's own process."""
    if path == "semcom bench training":
        from orchestrator.training.loop_timing import parser  # noqa: PLC0415 - needs torch

        return parser().format_help()
    from orchestrator.training.arguments import parser_of  # noqa: PLC0415 - needs torch

    return parser_of(path.removeprefix("semcom ")).format_help()


def _first_line(command: Any) -> str:
    return str(command.help).strip().splitlines()[0]


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    cells = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)
