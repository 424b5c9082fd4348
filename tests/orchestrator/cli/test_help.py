"""What every command says of itself: one order, short lines, an example that can be pasted."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from orchestrator.cli.command_order import SECTIONS
from orchestrator.cli.main import app
from orchestrator.training.arguments import parser_of
from orchestrator.training.loop_timing import parser
from semcom.shipped import installed_version

ROOT: Any = typer.main.get_command(app)


def commands(command: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and every group of commands."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


OURS = [path for path in commands() if path not in {("train",), ("search",), ("bench", "training")}]


def help_of(path: tuple[str, ...], flag: str = "--help") -> str:
    """The help of a command."""
    shown = CliRunner().invoke(app, [*path, flag], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert shown.exit_code == 0, shown.output
    return str(shown.output)


def examples_in(text: str) -> list[list[str]]:
    """The commands below `Example`."""
    below = re.split(r"^ *Examples?:\n", text, flags=re.M)[1]
    return [shlex.split(line) for line in below.strip().splitlines()]


@pytest.mark.parametrize("path", OURS, ids=" ".join)
def test_help_has_an_example_and_is_asked_for_with_either_flag(path: tuple[str, ...]) -> None:
    text = help_of(path)
    assert help_of(path, "-h") == text
    assert examples_in(text)


@pytest.mark.parametrize("path", OURS, ids=" ".join)
def test_examples_are_commands_with_options_that_exist(path: tuple[str, ...]) -> None:
    for words in examples_in(help_of(path)):
        assert tuple(words[: len(path) + 1]) == ("semcom", *path)
        command = ROOT
        for word in words[1:]:
            command = getattr(command, "commands", {}).get(word, command)
        if not command.context_settings.get("ignore_unknown_options"):
            known = {name for each in command.params for name in each.opts}
            assert {word for word in words if word.startswith("--")} <= known


def test_groups_list_commands_with_a_first_line_that_is_not_cut() -> None:
    for path in OURS:
        cut = [line for line in help_of(path).splitlines() if re.match(r"  \w+ .*\.\.\.$", line)]
        assert cut == []


def test_commands_are_listed_in_the_order_of_use() -> None:
    text = help_of(())
    places = [text.index(f"\n{title}:\n") for title in SECTIONS]
    names = [text.index(f"\n  {name} ") for names in SECTIONS.values() for name in names]
    assert places == sorted(places)
    assert names == sorted(names)


@pytest.mark.parametrize("command", ["train", "search"])
def test_training_and_search_have_a_help_of_their_own(command: str) -> None:
    text = parser_of(command).format_help()
    assert text.startswith(f"usage: semcom {command} ")
    assert all(words[:2] == ["semcom", command] for words in examples_in(text))
    assert ("--until" in text) == (command == "train")


def test_benchmark_of_the_training_has_an_example() -> None:
    assert examples_in(parser().format_help()) == [
        shlex.split("semcom bench training shapes10 --rounds 3")
    ]


def test_version_is_printed() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.output) == (0, f"semcom {installed_version()}\n")


def test_shell_completes_commands() -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "orchestrator"],
        env={"_SEMCOM_COMPLETE": "complete_bash", "COMP_WORDS": "semcom che", "COMP_CWORD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.stdout.split() == ["checkpoints"], asked.stderr
