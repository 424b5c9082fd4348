"""The command that goes on with a run or an evaluation: said at its end, kept in its manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.plan.folders import CODECS, DATA, Folders
from semcom.plain_text import command, option

SWEEP, EVALUATE = "sweep", "evaluate"
COMMAND = "command"  # the manifest's key: words without the run's own folder, which may be moved


def sweep_words(
    scenario: Path, folders: Folders, *, launch: bool = True, report: bool = True
) -> list[str]:
    """Return `sweep SCENARIO` and those of its options that are not the default ones."""
    return [
        SWEEP,
        _path(scenario),
        *folder_words(folders),
        *([] if launch else ["--no-launch"]),
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
    """Return the command that finishes what lies in `folder`, to be pasted into a shell."""
    resume = ["--resume"] if words[0] == SWEEP else []
    return command("semcom", *words, "--out", folder, *resume)


def from_anywhere(words: Sequence[str]) -> list[str]:
    """Return the words with their paths made absolute, as a manifest keeps them."""
    found = list(words)
    for index, word in enumerate(found):
        before = found[index - 1] if index else ""
        if before in (SWEEP, "--data", "--codecs", "--scenario"):
            found[index] = str(Path(word).absolute())
    return found


def finish_hint(folder: Path, manifest: Mapping[str, Any]) -> str:
    """Return how to finish a run: its command, or words where an older manifest holds none.

    A manifest may be anybody's: its words are quoted, and nothing but a sweep or an evaluation.
    """
    words = manifest.get(COMMAND)
    if (
        isinstance(words, list)
        and words
        and all(isinstance(word, str) for word in words)
        and words[0] in (SWEEP, EVALUATE)
    ):
        return f"finish with: {going_on(words, folder)}"
    if manifest.get("kind") == "evaluation":
        return "finish it with the same semcom evaluate command"
    return f"finish it with semcom sweep, its scenario and: {command('--out', folder, '--resume')}"


def _path(path: Path) -> str:
    """A path that is no option."""
    return f"./{path}" if str(path).startswith("-") else str(path)
