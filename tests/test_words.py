"""Plain technical English: words that do not belong into pages, help, messages and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
import yaml

from orchestrator.cli.main import app

REPO = Path(__file__).resolve().parents[1]
PAGES = [
    *(REPO / name for name in ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md")),
    *sorted((REPO / "docs").glob("*.md")),
    *sorted((REPO / "examples").glob("*/README.md")),
]
# Processes are no persons, and no text speaks in riddles. What to write instead:
WORDS = {
    "whoever": "the process that; a user who",
    "whomever": "the peer that",
    "nobody": "no process; no peer",
    "somebody": "a peer; another program",
    "anybody": "any peer; any client",
    "everybody": "every process; all peers",
    "may know": "may import; has",
    "knocks": "tries to connect",
    "company": "batching",
    "hung up": "disconnected; its connection is closed",
    "comes? again": "is sent again",
    "on the air": "in flight",
    "round and round": "repeatedly",
    "by night": "dark mode",
    "goes on|go on|going on": "continues; resumes",
    "one's own": "your own; a user's",
    "for good": "permanently",
    "anew": "again",
    "should not be": "internal error (a bug)",
    "as ever": "as before",
    "by whatever": "by any",
    "gone on with": "resumed; continued",
    "heard of": "seen",
    "pixels a side": "pixels per side",
    "time-outs?": "timeout",
    "the disk refuses": "the disk cannot be written",
    "while its run went on": "during its run",
    "to be had": "available",
    "(frames|images|symbols|samples) a (second|sentence|slot|item)": "per second; per sentence",
    "told (apart|by|of)": "distinguished; set by; gets",
    r"(?<!there )is no (?!larger|longer|more|protection|worse)\w+": "is not a",
}
UNFIT = re.compile(rf"\b({'|'.join(WORDS)})\b", re.I)
ROOMS = (
    "rkd_sc",
    "semcom",
    "channel_sim",
    "receiver",
    "transmitters",
    *(
        f"orchestrator/{room}"
        for room in (
            "bench", "cli", "control", "dashboards", "datasets", "evaluation", "inspection", "jobs",
            "live", "measures", "on_ray", "plan", "reports", "results", "soak", "sweep", "training",
        )
    ),
)  # fmt: skip
RIDDLE = re.compile(r"(What|Whoever|Who|How|Where|Whether|Why)\b")


def unfit(text: str) -> list[str]:
    """Every unfit word of a text with what stands around it."""
    found = UNFIT.finditer(text)
    return [text[max(0, each.start() - 40) : each.end() + 40] for each in found]


def prose(page: Path) -> str:
    """A page without code: names of tests and of Prometheus are no prose."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"`[^`\n]*`", "CODE", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_page_is_in_plain_english(page: Path) -> None:
    assert unfit(prose(page)) == []


def test_help_is_in_plain_english() -> None:
    def texts(command: object) -> Iterator[str]:
        yield str(getattr(command, "help", "") or "")
        for each in getattr(command, "params", []):
            yield str(getattr(each, "help", "") or "")
        for child in getattr(command, "commands", {}).values():
            yield from texts(child)

    found = {text: unfit(text) for text in texts(typer.main.get_command(app)) if unfit(text)}
    assert found == {}


def test_alerts_are_in_plain_english() -> None:
    rules = yaml.safe_load((REPO / "docker" / "prometheus" / "rules.yml").read_text())
    texts = [
        text
        for group in rules["groups"]
        for rule in group["rules"]
        for text in rule.get("annotations", {}).values()
    ]
    assert len(texts) > 30
    assert [found for text in texts for found in unfit(text)] == []


def docstrings(room: str) -> Iterator[tuple[str, str]]:
    """Every docstring of a room with the place where it stands."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in sorted((REPO / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            text = ast.get_docstring(node) if isinstance(node, documented) else None
            if text:
                place = getattr(node, "name", "module")
                yield f"{path.relative_to(REPO)}: {place}", text


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_are_in_plain_english_and_begin_with_no_riddle(room: str) -> None:
    wrong = {
        place: text.splitlines()[0]
        for place, text in docstrings(room)
        if RIDDLE.match(text) or unfit(text)
    }
    assert wrong == {}
