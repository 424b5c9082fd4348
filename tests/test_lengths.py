"""How long modules and classes of the rooms may be."""

from __future__ import annotations

import ast

import pytest

from tests.room_table import ROOMS
from tests.sources import REPO, modules

MAX_LINES = 400
MAX_CLASS_LINES = 200


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_is_longer_than_the_house_allows(room):
    lengths = {
        str(path.relative_to(REPO)): len(path.read_text(encoding="utf-8").splitlines())
        for path in (REPO / room).rglob("*.py")
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def long_classes(tree: ast.Module) -> dict[str, int]:
    lengths = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    return {name: lines for name, lines in lengths.items() if lines > MAX_CLASS_LINES}


def test_no_class_is_longer_than_the_house_allows():
    found = {name: long_classes(tree) for name, tree in modules().items()}
    assert {name: classes for name, classes in found.items() if classes} == {}


def test_a_class_that_is_too_long_is_found():
    body = "\n".join(f"    a{line} = 0" for line in range(MAX_CLASS_LINES))
    assert long_classes(ast.parse(f"class Long:\n{body}")) == {"Long": MAX_CLASS_LINES + 1}
    assert long_classes(ast.parse(f"class Short:\n{body}".rsplit("\n", 1)[0])) == {}
