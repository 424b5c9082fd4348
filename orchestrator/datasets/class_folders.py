"""Layout: `train/<class>/*` and `test/<class>/*` with PNG or JPEG images.

Class folders are sorted in label order, with whole numbers as numbers. A `words.txt` next to
`train`, as in Tiny-ImageNet, names classes whose folders are WordNet ids.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from orchestrator.datasets.pictures import (
    SUFFIXES,
    Notes,
    SourceImages,
    note_lines,
    read_pictures,
)
from orchestrator.datasets.texts import read_lines
from semcom.class_names import natural_key, shown
from semcom.errors import ConfigurationError
from semcom.shards import Split

LAYOUT = "class folders"
_SPLITS: tuple[Split, Split] = ("train", "test")
# Files that operating systems create next to images.
_OF_SYSTEMS = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"})
PASSED_OVER = "hidden or system file{} skipped"


def holds(folder: Path) -> bool:
    """Return whether the folder is in this layout."""
    # A folder of shards has these two as well, but no folders below them.
    return all((folder / split).is_dir() for split in _SPLITS) and bool(folders(folder / "train"))


def read(folder: Path) -> SourceImages:
    """Read both splits.

    Raises:
        ConfigurationError: there are no classes, the classes of test and train differ, a file is
            not an image, or images are not square and of one size.
    """
    names, tested = folders(folder / "train"), folders(folder / "test")
    for some, others, split in ((tested, names, "train"), (names, tested, "test")):
        strangers = [name for name in some if name not in others]
        if strangers:
            other = folder / ("test" if split == "train" else "train")
            raise ConfigurationError(
                f"{other} has class '{shown(strangers[0])}', which {folder / split} lacks"
            )
    notes: Notes = Counter()
    splits = {
        split: read_pictures(labelled_files(folder / split, names, notes), notes)
        for split in _SPLITS
    }
    return SourceImages(LAYOUT, readable_names(folder, names), splits, note_lines(notes))


def labelled_files(
    folder: Path, names: list[str], notes: Notes, inside: str = "."
) -> list[tuple[Path, int]]:
    """Return the image files of each class with its label, the index of its name.

    They are in `<folder>/<name>/<inside>`, or directly in `<folder>/<name>` if that is absent.

    Raises:
        ConfigurationError: a class without images, a file that is not an image, or an image next to
            class folders.
    """
    astray = [path for path in sorted(folder.iterdir()) if _is_picture(path)]
    if astray:
        raise ConfigurationError(
            f"{astray[0]} is next to the class folders; move it into one of them"
        )
    files: list[tuple[Path, int]] = []
    for label, name in enumerate(names):
        place = folder / name
        if (place / inside).is_dir():
            place = place / inside
        found = _image_files(place, notes) if place.is_dir() else []
        if not found:
            raise ConfigurationError(f"{place} holds no PNG or JPEG images; every class needs some")
        files += [(path, label) for path in found]
    return files


def readable_names(folder: Path, names: list[str]) -> list[str]:
    """Return class names from `words.txt` (WordNet id, tab, synonyms), the first synonyms.

    A name that would denote two classes is left unchanged.
    """
    path = folder / "words.txt"
    if not path.exists():
        return names
    rows = (line.partition("\t") for line in read_lines(path))
    words = {key.strip(): synonyms.split(",")[0].strip() for key, _, synonyms in rows}
    named = [words.get(name) or name for name in names]
    times = Counter(named)
    return [word if times[word] == 1 else name for word, name in zip(named, names, strict=True)]


def folders(folder: Path) -> list[str]:
    """Return the names of the class folders in a folder, in label order."""
    found = [path.name for path in folder.iterdir() if path.is_dir() and not of_system(path)]
    return sorted(found, key=natural_key)


def _image_files(folder: Path, notes: Notes) -> list[Path]:
    files = []
    for path in sorted(folder.iterdir()):
        if of_system(path):
            notes[PASSED_OVER] += 1
        elif path.name == f"{folder.name}_boxes.txt":  # of Tiny-ImageNet, without images/
            continue
        elif path.is_dir():
            raise ConfigurationError(
                f"{path} is a folder; images must lie directly in their class folder"
            )
        elif path.suffix.lower() not in SUFFIXES:
            raise ConfigurationError(
                f"{path} is not named like a PNG or JPEG image; convert or remove it"
            )
        else:
            files.append(path)
    return files


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not of_system(path) and not path.is_dir()


def of_system(path: Path) -> bool:
    """Return whether a file or folder is hidden, or was created by an operating system."""
    return path.name.startswith(".") or path.name.lower() in _OF_SYSTEMS
