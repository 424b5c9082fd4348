"""The command that resumes a run or an evaluation: printed at its end, stored in its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.plan.folders import CODECS, DATA, Folders
from semcom.errors import one_line
from semcom.plain_text import command, option

SWEEP, EVALUATE, MERGE = "sweep", "evaluate", "merge"
PART_OPTION = "--part"
COMMAND = "command"  # the manifest's key: words without the run's own folder, which may be moved


def sweep_words(
    scenario: Path,
    folders: Folders,
    *,
    launch: bool = True,
    on: str | None = None,
    report: bool = True,
) -> list[str]:
    """Return `sweep SCENARIO` and those of its options that are not the default ones."""
    return [
        SWEEP,
        _path(scenario),
        *folder_words(folders),
        *([] if launch else ["--no-launch"]),
        *([] if on is None else ["--on", on]),
        *([] if report else ["--no-report"]),
    ]


def folder_words(folders: Folders) -> list[str]:
    """Return the options that name folders of data sets and codecs."""
    words = [
        *option("--data", folders.data, DATA),
        *option("--codecs", folders.codecs, CODECS),
    ]
    return list(map(str, words))


def going_on(words: Sequence[str], folder: Path) -> str:
    """Return the command that finishes the run in `folder`, for pasting into a shell.

    For a part, the command names the folder that contains all parts.
    """
    resume = ["--resume"] if words[0] == SWEEP else []
    out = folder.parent if PART_OPTION in words else folder
    return command("semcom", *words, "--out", out, *resume)


def part_words(words: Sequence[str], part: str) -> list[str]:
    """Return the words of an evaluation for a part such as `3/10`."""
    return [*whole_words(words), PART_OPTION, part]


def whole_words(words: Sequence[str]) -> list[str]:
    """Return the words of the whole evaluation of a part."""
    found = list(words)
    if PART_OPTION in found:
        place = found.index(PART_OPTION)
        del found[place : place + 2]
    return found


def stated_words(manifest: Mapping[str, Any]) -> list[str]:
    """Return the words of the command in a manifest; none if there are no valid ones.

    A manifest may come from another user: the words must be a sweep or an evaluation.
    """
    words = manifest.get(COMMAND)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return []
    return words if words and words[0] in (SWEEP, EVALUATE) else []


def merge_hint(out: Path, folders: Sequence[Path], *words: str) -> str:
    """Return the command that merges parts."""
    return command("semcom", MERGE, out, *folders, *words)


def from_anywhere(words: Sequence[str]) -> list[str]:
    """Return the words with their paths made absolute, as a manifest keeps them."""
    found = list(words)
    for index, word in enumerate(found):
        before = found[index - 1] if index else ""
        if before in (SWEEP, "--data", "--codecs", "--scenario"):
            found[index] = str(Path(word).absolute())
    return found


def finish_hint(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return how to finish a run: its command, or a description if an older manifest holds none."""
    stated = manifest.get("part")
    if manifest.get("kind") == "part" and isinstance(stated, dict):
        parts = folder.parent
        merged = merge_hint(parts.with_name(f"{parts.name}-merged"), [parts])
        number, of = (one_line(str(stated.get(name)), 9) for name in ("number", "of"))
        return f"it is part {number} of {of}; merge all parts with: {merged}"
    if words := stated_words(manifest):
        return f"finish with: {going_on(words, folder)}"
    if manifest.get("kind") == "evaluation":
        return "finish it with the same semcom evaluate command"
    return f"finish it with semcom sweep, its scenario and: {command('--out', folder, '--resume')}"


def _path(path: Path) -> str:
    """Return a path that cannot be mistaken for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)
