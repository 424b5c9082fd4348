"""The documentation site: it builds without a warning, works without a network, has every page."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import rkd_sc
from orchestrator.cli.command_order import SECTIONS
from orchestrator.cli.main import app
from tests.integration.browser import chromium, find_chromium

REPO = Path(__file__).resolve().parents[1]
LOADED = re.compile(r"<(?:script|img|iframe)\b[^>]*?\bsrc=[\"']?([^\"' >]+)")
STYLED = re.compile(r"<link\b[^>]*?\brel=[\"']?(?:stylesheet|preconnect|icon)[^>]*?>")
needs_mkdocs = pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("mkdocstrings") is None,
    reason="the site is not built: pip install -e '.[docs]'",
)

needs_chromium = pytest.mark.skipif(
    find_chromium() is None, reason="chromium is not on the PATH; Debian: apt install chromium"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)],
        cwd=REPO, env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1", "TUTORIALS": "plain"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@needs_mkdocs
def test_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        text = page.read_text()
        loaded = [*LOADED.findall(text), *STYLED.findall(text)]
        assert loaded, page
        assert not [each for each in loaded if "//" in each], page
        assert str(REPO) not in text, f"{page.name} names a path of this machine"


@needs_mkdocs
def test_every_command_has_a_page_with_its_options_and_an_example(site: Path) -> None:
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        text = (site / "cli" / f"{name}.html").read_text()
        assert "Example" in text, name
        for child in getattr(command, "commands", {}):
            assert f"semcom {name} {child}" in text


@needs_mkdocs
def test_every_public_name_of_the_package_is_in_its_reference(site: Path) -> None:
    text = (site / "api.html").read_text()
    missing = [name for name in rkd_sc.__all__ if not re.search(rf"\b{name}\b", text)]
    assert missing == []


@needs_mkdocs
@needs_chromium
def test_search_works_on_a_page_that_is_opened_from_a_disk(site: Path, tmp_path: Path) -> None:
    with chromium(tmp_path) as browser:
        browser.look(1280, 900)
        browser.open((site / "tutorials" / "own_codec.html").as_uri())
        browser.wait("document.readyState === 'complete'")
        box = "document.querySelector('input.md-search__input')"
        browser.value(f"{box}.focus()")
        state = "document.querySelector('.md-search-result__meta').textContent.trim()"
        browser.wait(f"{state}.startsWith('Type to start')")
        browser.value(f"{box}.value = 'ledger'; {box}.dispatchEvent(new KeyboardEvent('keyup'))")
        found = browser.wait("document.querySelector('.md-search-result__link')?.href")
        assert found.startswith((site / "").as_uri())


def test_every_page_is_in_the_navigation_once() -> None:
    listed = re.findall(r"[\w/-]+\.md\b", (REPO / "mkdocs.yml").read_text().partition("\nnav:")[2])
    assert len(set(listed)) == len(listed)
    assert {page.name for page in (REPO / "docs").glob("*.md")} <= set(listed)


def test_sections_of_the_help_name_every_command_once() -> None:
    root: Any = typer.main.get_command(app)
    named = [name for names in SECTIONS.values() for name in names]
    assert sorted(named) == sorted(root.commands)


@pytest.mark.parametrize(
    "path", sorted((REPO / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name
)
def test_issue_templates_are_forms(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    if path.name != "config.yml":
        assert {"name", "description", "body"} <= content.keys()
        assert all(each["attributes"]["label"] for each in content["body"])


def test_citation_has_the_version_of_the_project() -> None:
    content = yaml.safe_load((REPO / "CITATION.cff").read_text())
    project = (REPO / "pyproject.toml").read_text()
    assert f'\nversion = "{content["version"]}"\n' in project
    sources = (REPO / "docs" / "sources.md").read_text().replace("\n> ", " ")
    for reference in content["references"]:
        assert reference["title"] in sources
