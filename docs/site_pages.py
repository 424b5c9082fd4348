"""Make the pages of the site whose text stands outside of docs/, and link to them: a MkDocs hook.

README, changelog and the examples' pages are pages of the site. A file of the repository that a
page links to becomes a page with its text. Every command gets a page made of its own help. So the
site works without a network and without the repository.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.command_pages import command_pages
from docs.tutorial_pages import tutorial_pages

REPO = Path(__file__).resolve().parents[1]
COMMANDS = "commands.md"  # whose entry in the navigation gets the commands' pages below it
PLACES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    **{
        f"examples/{page.parent.name}/README.md": f"examples/{page.parent.name}.md"
        for page in sorted((REPO / "examples").glob("*/README.md"))
    },
}
TUTORIALS = "docs/tutorials/"
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
FENCE = re.compile(r"(^```.*?^```$)", re.S | re.M)
MARKER = re.compile(r"^<!-- (?:table: .*|end of table) -->\n", re.M)
COMMAND_IN_TABLE = re.compile(r"^\| `semcom ([a-z]+)` \|", re.M)
LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".toml": "toml", ".sh": "sh"}
NO_SIDEBAR = "---\nhide: [navigation]\n---\n\n"
NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add a page for every command to the navigation."""
    pages = list(command_pages())
    assert config.nav is not None
    for section in config.nav:
        for entries in section.values():
            for entry in entries if isinstance(entries, list) else ():
                if isinstance(entry, dict) and COMMANDS in entry.values():
                    (title,) = entry
                    entry[title] = [{"Overview": COMMANDS}, *pages]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made of files outside of docs/."""
    for source, place in PLACES.items():
        text = (REPO / source).read_text()
        head = NO_SIDEBAR if place == "index.md" else ""
        files.append(File.generated(config, place, content=head + text))
    for place, text in command_pages().items():
        files.append(File.generated(config, place, content=text))
    made = tutorial_pages()
    for place, content in made.items():
        files.append(File.generated(config, place, content=content))
    linked = {
        path for source in _sources(files) for path in _linked((REPO / source).read_text(), source)
    }
    for place, content in made.items():
        if isinstance(content, str):
            linked |= _linked(content, f"docs/{place}")
    for path in sorted(linked):
        place = _place(path)
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, content=_page_of(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Lead links out of docs/ to the pages of the site."""
    place = page.file.src_uri
    sources = {place: source for source, place in PLACES.items()}
    source = sources.get(place, f"docs/{place}")
    if place == COMMANDS:
        markdown = COMMAND_IN_TABLE.sub(r"| [`semcom \1`](cli/\1.md) |", markdown)
        return MARKER.sub("\n", markdown)
    if not (REPO / source).exists() and not place.startswith("tutorials/"):
        return markdown
    parts = FENCE.split(markdown)
    parts[::2] = [
        LINK.sub(lambda link: f"{link[1]}{_target(link[2], source, place)}{link[3]}", part)
        for part in parts[::2]
    ]
    return MARKER.sub("\n", "".join(parts))


def _sources(files: Files) -> list[str]:
    """Files of the repository whose text becomes pages."""
    return [*PLACES, *(f"docs/{file.src_uri}" for file in files if _is_written(file))]


def _is_written(file: File) -> bool:
    return file.is_documentation_page() and file.generated_by is None


def _linked(text: str, source: str) -> set[str]:
    """Files and folders of the repository that a text links to."""
    found = (LINK.finditer(part) for part in FENCE.split(text)[::2])
    paths = (_path(link[2], source) for links in found for link in links)
    return {path for path in paths if path is not None}


def _path(target: str, source: str) -> str | None:
    """Where a link leads to in the repository, None where it leads elsewhere."""
    if "://" in target or target.startswith("mailto:"):
        return None
    if source.startswith(TUTORIALS) and (target.endswith(".ipynb") or "_files/" in target):
        return None  # made with the page, beside it
    path = os.path.normpath(PurePosixPath(source).parent / target)
    readme = f"{path}/README.md"
    return readme if (REPO / readme).exists() else path


def _target(target: str, source: str, place: str) -> str:
    path = _path(target, source)
    if path is None:
        return target
    return os.path.relpath(_place(path), PurePosixPath(place).parent)


def _place(path: str) -> str:
    """Where the site has a file or a folder of the repository."""
    if path in PLACES:
        return PLACES[path]
    if path.startswith(TUTORIALS):
        return f"tutorials/{PurePosixPath(path).stem}.md"
    in_docs = path.removeprefix("docs/")
    if in_docs != path and (REPO / path).is_file():
        return in_docs
    return f"files/{path}.md"


def _page_of(path: str) -> str:
    """A page with a file's text, or with the names of a folder's files."""
    full = REPO / path
    if full.is_dir():
        names = sorted(each.relative_to(full) for each in full.rglob("*") if each.is_file())
        up = "../" * (len(PurePosixPath(path).parts))
        lines = [f"* [{name}]({up}{path.removeprefix('docs/')}/{name})" for name in names]
        return f"{NOT_SEARCHED}# {path}\n\n" + "\n".join(lines) + "\n"
    language = LANGUAGES.get(full.suffix, "text")
    return f"{NOT_SEARCHED}# {path}\n\n````{language}\n{full.read_text()}\n````\n"
