"""Every tutorial runs as a notebook, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
FOLDER = REPO / "docs" / "tutorials"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
needs_jupyter = pytest.mark.skipif(
    find_spec("nbclient") is None or find_spec("jupytext") is None,
    reason="tutorials are not executed: pip install -e '.[docs]'",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all are executed: data sets are drawn once."""
    return tmp_path_factory.mktemp("tutorials")


@needs_jupyter
@pytest.mark.processes
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_tutorial_is_executed_and_shows_results(name: str, place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.tutorial_pages", name, str(place)],
        cwd=REPO, env={**os.environ, "PYTHONWARNINGS": "default"}, capture_output=True,
        text=True, check=False, timeout=800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    cells = json.loads((place / f"{name}.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert not [each for each in outputs if each["output_type"] == "error"]
    shown = {kind for each in outputs for kind in each.get("data", {})}
    assert {"image/png", "text/html"} & shown
    assert str(REPO) not in "".join("".join(each.get("text", "")) for each in outputs)


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_tutorial_lead_somewhere(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text()
    assert text.startswith("# %% [markdown]\n# # ")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        path = FOLDER / target
        assert "://" in target or path.exists() or path.with_suffix(".py").exists(), target


def test_every_tutorial_is_listed_and_in_the_navigation() -> None:
    pages = (REPO / "docs" / "tutorials.md").read_text()
    navigation = (REPO / "mkdocs.yml").read_text()
    source = (REPO / "docs" / "tutorial_pages.py").read_text()
    for name in NAMES:
        assert f"(tutorials/{name}.py)" in pages
        assert f"- tutorials/{name}.md" in navigation
        assert f'"{name}",' in source
