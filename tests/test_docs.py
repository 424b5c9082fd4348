"""What README and docs name exists: links, files, commands, options, make targets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from docs.tables import rewritten
from orchestrator.cli.main import app
from orchestrator.live.live_scenario import read_any_scenario

REPO = Path(__file__).resolve().parents[1]
PAGES = [
    *(REPO / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((REPO / "docs").glob("*.md")),
]
PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(page: Path) -> list[list[str]]:
    """Every `semcom ...` of a page, in code blocks and in code spans."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", text, flags=re.S))
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    lines = [*blocks.splitlines(), *spans]
    found = [line.strip().removeprefix("$ ") for line in lines]
    return [shlex.split(line, comments=True) for line in found if re.match(r"semcom [a-z]", line)]


@PAGE
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@PAGE
def test_named_commands_and_options_exist(page: Path) -> None:
    root = typer.main.get_command(app)
    for words in commands(page):
        command: Any = root
        for word in words[1:]:
            children = getattr(command, "commands", {})
            if word in children:
                command = children[word]
            elif children:
                pytest.fail(f"{page.name}: no such command: {shlex.join(words)}")
        known = {
            option
            for p in getattr(command, "params", [])
            for option in [*p.opts, *p.secondary_opts]
        }
        free = command.context_settings.get("ignore_unknown_options", False)
        for word in words[1:]:
            if word.startswith("--") and not free:
                assert word.partition("=")[0] in known | {"--help"}, f"{page.name}: {words}"


@PAGE
def test_named_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPO / "Makefile").read_text(), flags=re.M))
    for target in re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)$", page.read_text(), flags=re.M):
        name = target[0] or target[1]
        assert name in targets, f"{page.name}: make {name}"


@PAGE
def test_named_files_exist(page: Path) -> None:
    for name in re.findall(r"`([a-z_]+(?:/[a-z_0-9]+)+\.(?:py|yaml|md))`", page.read_text()):
        assert (REPO / name).exists(), f"{page.name}: {name}"


@PAGE
def test_named_tests_exist(page: Path) -> None:
    for name, test in re.findall(r"`(tests/[a-z_0-9/]+\.py)::(test_\w+)`", page.read_text()):
        assert f"def {test}(" in (REPO / name).read_text(), f"{page.name}: {name}::{test}"


@PAGE
def test_tables_made_from_code_are_those_of_the_code(page: Path) -> None:
    text = page.read_text()
    assert rewritten(text) == text, "run: make monitoring"


@pytest.mark.parametrize("scenario", sorted((REPO / "scenarios").glob("*.yaml")), ids=str)
def test_shipped_scenarios_are_valid(scenario: Path) -> None:
    assert read_any_scenario(scenario).name


def test_every_command_has_help() -> None:
    def check(command: Any) -> None:
        for child in getattr(command, "commands", {}).values():
            assert child.help, child.name
            check(child)

    check(typer.main.get_command(app))


@PAGE
def test_page_that_speaks_of_the_paper_links_to_its_source(page: Path) -> None:
    text = page.read_text()
    own = page.name in ("CHANGELOG.md", "sources.md", "settings.md")
    if re.search(r"\bthe paper\b(?!\])", text, flags=re.I) and not own:
        assert "sources.md" in text, f"{page.name}: link the paper to docs/sources.md"


@PAGE
def test_scenarios_in_pages_are_valid(page: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.S)
    for number, block in enumerate(blocks):
        if re.search(r"^links:", block, flags=re.M):
            path = tmp_path / f"{number}.yaml"
            path.write_text(block)
            assert read_any_scenario(path).links
