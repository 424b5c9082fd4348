"""Tutorials: notebooks as percent files of Jupytext, executed and turned into pages of the site.

    python -m docs.tutorial_pages NAME FOLDER     execute one in a folder; write NAME.ipynb there

The files hold no outputs, so that a change can be read. `make docs` executes all of them in an
empty folder, unless TUTORIALS=plain; a test executes each, too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import jupytext
import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import TagRemovePreprocessor
from traitlets.config import Config

HERE = Path(__file__).resolve().parent / "tutorials"
REPO = HERE.parents[1]
NAMES = (
    "first_sweep",
    "own_codec",
    "own_channel",
    "superposed_pair",
    "text_with_interference",
    "variable_length",
    "paper_figure",
    "debugging",
)
CELL_S = 300  # of a busy machine; all of a tutorial takes less than a minute on two idle cores
PLAIN = "TUTORIALS"


def notebook(name: str) -> Any:
    """Return a tutorial without outputs."""
    content = jupytext.read(HERE / f"{name}.py")
    content.metadata["language_info"] = {"name": "python"}  # of the code on its page
    return content


def executed(name: str, folder: Path) -> Any:
    """Return a tutorial with its outputs, executed in a folder.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    content = notebook(name)
    paths = [str(REPO), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ.pop("MPLBACKEND", None)  # a kernel sets its own
    with tempfile.TemporaryDirectory() as place:  # of sockets that no other user can reach
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{place}/kernel")
        client = NotebookClient(content, km=kernel, timeout=CELL_S, startup_timeout=CELL_S)
        # What processes of a cell print beside its output is no part of the page.
        client.execute(cwd=str(folder), stdout=DEVNULL, stderr=DEVNULL)
    return content


def tutorial_pages() -> dict[str, str | bytes]:
    """Return pages of Markdown and their pictures, by their places in the site."""
    files: dict[str, str | bytes] = {}
    plain = os.environ.get(PLAIN) == "plain"
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            content = notebook(name) if plain else executed(name, Path(folder))
            files |= _page(name, content)
    return files


def _page(name: str, content: Any) -> dict[str, str | bytes]:
    for cell in content.cells:
        if cell.source.strip() == "%matplotlib inline":
            cell.metadata["tags"] = ["hidden"]
        cell.source = cell.source.removeprefix("%matplotlib inline\n")
    config = Config()
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_cell_tags = ("hidden",)
    exporter = MarkdownExporter(config=config)
    exporter.register_preprocessor(TagRemovePreprocessor(config=config), enabled=True)
    resources = {"output_files_dir": f"{name}_files", "unique_key": name}
    text, found = exporter.from_notebook_node(content, resources=resources)
    source = f"[This page as a notebook]({name}.ipynb)"
    pictures = {f"tutorials/{path}": data for path, data in found["outputs"].items()}
    pictures[f"tutorials/{name}.ipynb"] = nbformat.writes(content).encode()
    return {f"tutorials/{name}.md": f"{text.strip()}\n\n{source}\n", **pictures}


def main() -> None:
    """Execute one tutorial."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    nbformat.write(executed(name, folder), folder / f"{name}.ipynb")


if __name__ == "__main__":
    main()
