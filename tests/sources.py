"""The sources of the rooms as syntax trees: what they import, and which networks they define."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.room_table import ROOMS

REPO = Path(__file__).resolve().parents[1]
DYNAMIC_IMPORTS = ("import_module", "__import__")


@cache
def files() -> dict[str, Path]:
    """Return the file of every module of the rooms, by the module's name."""
    found = {}
    for room in ROOMS:
        for path in sorted((REPO / room).rglob("*.py")):
            name = ".".join(path.relative_to(REPO).with_suffix("").parts).removesuffix(".__init__")
            found[name] = path
    return found


@cache
def modules() -> dict[str, ast.Module]:
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in files().items()}


@cache
def imported(tree: ast.Module) -> list[tuple[str, ...]]:
    """Every import, also inside functions: each as the names that it may stand for."""
    found: list[tuple[str, ...]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name,) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found += [(module, f"{module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(DYNAMIC_IMPORTS):
            found.append((ast.unparse(node.args[0]).strip("'\""),))
    return found


@cache
def reached_by_attribute(tree: ast.Module) -> set[str]:
    """`torch.optim` where `import torch` stands above it."""
    bound = {
        (alias.asname or alias.name).split(".")[0]: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    chains = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return {
        ".".join([bound[root] if "." not in bound[root] else root, *rest])
        for root, *rest in (chain.split(".") for chain in chains)
        if root in bound
    }


def defined_networks(tree: ast.Module) -> list[str]:
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).split(".")[-1] == "Module" for base in node.bases)
    ]


def closure(start: str) -> set[str]:
    """Everything that comes along with a module, inside the project and one step beyond."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if name in modules():
            parents = [".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1)]
            waiting += [n for names in imported(modules()[name]) for n in names] + parents
    return reached
