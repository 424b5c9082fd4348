"""Layout: the official Tiny-ImageNet folder, and common variants.

    tiny-imagenet-200/wnids.txt                      class ids, one per line
    tiny-imagenet-200/words.txt                      id, tab, synonyms
    tiny-imagenet-200/train/<wnid>/images/*.JPEG     or directly in <wnid>/
    tiny-imagenet-200/val/images/*.JPEG, val/val_annotations.txt    or val/<wnid>/*.JPEG

The labels of the official test split were never published: its `val` is our `test`. Classes are
sorted by id.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from orchestrator.datasets.class_folders import folders, labelled_files, readable_names
from orchestrator.datasets.pictures import Notes, SourceImages, note_lines, read_pictures
from orchestrator.datasets.texts import read_lines
from semcom.class_names import shown
from semcom.errors import ConfigurationError

LAYOUT = "Tiny-ImageNet folders"


def holds(folder: Path) -> bool:
    """Return whether the folder is in this layout."""
    return (folder / "wnids.txt").is_file() and (folder / "val").is_dir()


def read(folder: Path) -> SourceImages:
    """Read both splits.

    Raises:
        ConfigurationError: something is missing, unknown or unreadable.
    """
    if not (folder / "train").is_dir():
        raise ConfigurationError(f"{folder} has no folder train")
    names = sorted({line.strip() for line in read_lines(folder / "wnids.txt")} - {""})
    if not names:
        raise ConfigurationError(f"{folder / 'wnids.txt'} lists no classes")
    strangers = [name for name in folders(folder / "train") if name not in names]
    if strangers:
        raise ConfigurationError(
            f"{folder / 'train'} has class '{shown(strangers[0])}', which is not in wnids.txt"
        )
    notes: Notes = Counter()
    train = read_pictures(labelled_files(folder / "train", names, notes, "images"), notes)
    test = read_pictures(_validation_files(folder / "val", names, notes), notes)
    classes = readable_names(folder, names)
    return SourceImages(LAYOUT, classes, {"train": train, "test": test}, note_lines(notes))


def _validation_files(folder: Path, names: list[str], notes: Notes) -> list[tuple[Path, int]]:
    """Return the images of `val` with their labels: annotated, or in class folders."""
    if (folder / "images").is_dir() or not set(folders(folder)) & set(names):
        return _annotated(folder, names)
    return labelled_files(folder, names, notes, "images")


def _annotated(folder: Path, names: list[str]) -> list[tuple[Path, int]]:
    labels = {name: label for label, name in enumerate(names)}
    path = folder / "val_annotations.txt"
    place = folder / "images" if (folder / "images").is_dir() else folder
    files: dict[Path, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        file_name, _, rest = line.partition("\t")
        name = rest.partition("\t")[0].strip()
        if not line.strip():
            continue
        if name not in labels or not file_name or Path(file_name).name != file_name:
            raise ConfigurationError(f"{path}, line {number}: no image of a class in wnids.txt")
        if place / file_name in files:
            raise ConfigurationError(f"{path}, line {number}: {shown(file_name)} occurs twice")
        files[place / file_name] = labels[name]
    if not files:
        raise ConfigurationError(f"{path} lists no images")
    return [*files.items()]
