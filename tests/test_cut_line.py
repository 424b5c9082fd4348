"""Outside a task nothing knows what its answers mean: no field is called accuracy or correct."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
ROOMS = ("orchestrator/live", "orchestrator/dashboards", "orchestrator/sweep", "semcom")
TASKS = REPO / "semcom" / "tasks"
WORD = re.compile(r"accura|correct", re.IGNORECASE)
# What is about a training on labels, and stored under this name.
ALLOWED = {"semcom/records.py": {"validation_accuracy"}}


def sources(*endings: str) -> list[Path]:
    found = [path for room in ROOMS for path in sorted((REPO / room).rglob("*"))]
    return [path for path in found if path.suffix in endings and TASKS not in path.parents]


def words_of(tree: ast.AST) -> Iterator[str]:
    """Names, arguments, attributes and texts of a module; its docstrings are prose."""
    prose = {
        id(node.value)
        for parent in ast.walk(tree)
        if isinstance(parent, ast.Module | ast.ClassDef | ast.FunctionDef)
        for node in parent.body
        if isinstance(node, ast.Expr)
    }
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname"):
            if isinstance(value := getattr(node, field, None), str):
                yield value
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def known(text: str) -> set[str]:
    return {word for word in words_of(ast.parse(text)) if WORD.search(word)}


@pytest.mark.parametrize("room", ROOMS)
def test_no_python_outside_the_tasks_names_what_an_answer_means(room: str) -> None:
    paths = [path for path in sources(".py") if (REPO / room) in path.parents]
    assert paths
    for path in paths:
        name = str(path.relative_to(REPO))
        assert known(path.read_text()) <= ALLOWED.get(name, set()), name


def test_nothing_is_allowed_that_is_not_there() -> None:
    for name, words in ALLOWED.items():
        assert known((REPO / name).read_text()) == words


def test_page_takes_its_words_from_the_metric() -> None:
    paths = sources(".js", ".html", ".css")
    assert len(paths) > 8
    for path in paths:
        lines = (line.partition("//")[0] for line in path.read_text().splitlines())
        assert not [line for line in lines if WORD.search(line)], path.name


def test_check_sees_fields_arguments_keys_and_texts() -> None:
    seen = known(
        "from a import wide as accuracy_1\n"
        "def f(correct_2): return x.accuracy_3\n"
        "class CorrectFour: pass\n"
        "{'accuracy 5': f(correct_6=1), f'{y} correct 7': 1}\n"
        "accuracy_8 = 1\n"
    )
    assert sorted(re.sub(r"\D", "", word) or word for word in seen) == [
        "1", "2", "3", "5", "6", "7", "8", "CorrectFour",
    ]  # fmt: skip
    assert known('"""Correct."""\n\ndef f():\n    """Of accuracy."""\n') == set()
