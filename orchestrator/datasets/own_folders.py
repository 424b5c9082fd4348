"""Layouts of a user's own images: class folders or a flat folder, with or without splits.

    train/<class>/*  test/<class>/*    `val`, `valid`, `validation` or `dev` if `test` is missing
    <class>/*                          test images are held out
    train/*  test/*  or  *             without class folders: images without labels

Images may lie any number of folders below their class folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.datasets.class_folders import PASSED_OVER, folders, of_system, readable_names
from orchestrator.datasets.own_pictures import (
    SUFFIXES,
    Item,
    Items,
    PictureReader,
    check_bytes,
)
from orchestrator.datasets.pictures import MAX_FILE_BYTES, PictureError
from orchestrator.datasets.texts import read_content
from semcom.class_names import shown
from semcom.errors import ConfigurationError
from semcom.shards import Split

TRAIN_NAMES = ("train", "training")
# In order: the first existing one, with class folders if train has them, is the test split.
TEST_NAMES = ("test", "testing", "eval", "val", "valid", "validation", "dev")
NO_IMAGE = "not named like images"


@dataclass(frozen=True)
class OwnSource:
    """Content of a source: class names in label order, and unread images per split.

    No classes: images without labels. No split `test`: some images must be held out.
    """

    layout: str
    classes: list[str]
    splits: dict[Split, Items]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Split:
    folder: Path
    classes: list[str]  # class folders that contain images
    direct: list[Path]  # images directly in it


def find(folder: Path, reader: PictureReader, *, is_archive: bool) -> OwnSource | None:
    """Return the images of a folder in one of these layouts; None if there are none.

    If a folder contains only one other folder, that folder is read.

    Raises:
        ConfigurationError: there is only one class, or the splits have different classes.
    """
    inner = _inner(folder, is_archive=is_archive)
    train, test, notes = _splits(inner)
    if not train.classes and not train.direct:
        return None
    if len(train.classes) == 1:
        raise ConfigurationError(_one_class(train))
    if test is not None:
        _check_same(train, test)
    if train.classes and train.direct:
        notes += (_beside(train.direct, folder),)
    labelled = bool(train.classes)
    names = readable_names(inner, train.classes) if labelled else []
    layout = "class folders" if labelled else "images without classes"
    found: list[tuple[Split, _Split]] = [("train", train)]
    if test is not None:
        found.append(("test", test))
    splits = {name: _items(split, folder, reader) for name, split in found}
    return OwnSource(layout, names, splits, notes)


def _splits(folder: Path) -> tuple[_Split, _Split | None, tuple[str, ...]]:
    """Return the training images, the test images if a folder has them, and notes for the user."""
    by_name = {name.casefold(): folder / name for name in folders(folder)}
    trained = [by_name[name] for name in TRAIN_NAMES if name in by_name]
    tested = [by_name[name] for name in TEST_NAMES if name in by_name]
    if not trained or not (tested or len(by_name) == 1):
        return _split(folder), None, ()
    train = _split(trained[0])
    usable = [split for split in map(_split, tested) if split.classes or split.direct]
    alike = [split for split in usable if bool(split.classes) == bool(train.classes)]
    test = alike[0] if alike else None
    others = [split.folder.name for split in usable if split is not test]
    notes = (f"skipped next to the training images: {', '.join(others)}",) if others else ()
    return train, test, notes


def _split(folder: Path) -> _Split:
    classes = [name for name in folders(folder) if _holds_images(folder / name)]
    direct = [path for path in sorted(folder.iterdir()) if _is_image(path) and not path.is_dir()]
    return _Split(folder, classes, direct)


def _inner(folder: Path, *, is_archive: bool) -> Path:
    """Return the folder to read: its only folder if it contains nothing else."""
    while True:
        below = [name for name in folders(folder) if _holds_images(folder / name)]
        if len(below) != 1 or _split(folder).direct or below[0].casefold() in TRAIN_NAMES:
            return folder
        inner = folder / below[0]
        if not is_archive and not folders(inner):
            return folder  # a folder of images: one class
        folder = inner


def _check_same(train: _Split, test: _Split) -> None:
    for some, other in ((test, train), (train, test)):
        strangers = [name for name in some.classes if name not in other.classes]
        if strangers:
            raise ConfigurationError(
                f"{other.folder} has no images of class '{shown(strangers[0])}', which "
                f"{some.folder} has"
            )


def _one_class(split: _Split) -> str:
    name = shown(split.classes[0])
    count = len(split.direct)
    beside = f" beside {count} image{'s' * (count != 1)}" if count else ""
    return (
        f"{split.folder} has only one class, the folder '{name}'{beside}; at least two are "
        "needed. For images without classes, name their folder: --from "
        f"{split.folder / split.classes[0]}"
    )


def _beside(direct: list[Path], root: Path) -> str:
    count = len(direct)
    return (
        f"{count} image{'' if count == 1 else 's'} next to the class folders skipped; "
        f"{'it' if count == 1 else 'the first'} is {shown(str(direct[0].relative_to(root)))}"
    )


def _items(split: _Split, root: Path, reader: PictureReader) -> Items:
    """Return the files of a split with their labels; files that are not images are included."""
    files: list[tuple[Path, int]] = []
    if split.classes:
        for label, name in enumerate(split.classes):
            files += [(path, label) for path in _files_below(split.folder / name, reader)]
    else:
        below = sorted(path for path in split.folder.iterdir() if not path.is_dir())
        files += [(path, 0) for path in _of_a_user(below, reader)]
    pictures = []
    for path, label in files:
        name = str(path.relative_to(root))
        if _is_image(path):
            pictures.append(Item(name, label, partial(_content, path)))
        else:
            reader.left_out.add(NO_IMAGE, name)
    return Items(len(pictures), pictures)


def _files_below(folder: Path, reader: PictureReader) -> Iterator[Path]:
    for paths in _walk(folder):
        yield from _of_a_user(paths, reader)


def _walk(folder: Path) -> Iterator[list[Path]]:
    """Return the files in and below a folder, without those of operating systems."""
    for place, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not of_system(Path(name)))
        yield [Path(place) / name for name in sorted(names)]


def _of_a_user(paths: list[Path], reader: PictureReader) -> Iterator[Path]:
    for path in paths:
        if of_system(path):
            reader.notes[PASSED_OVER] += 1
        else:
            yield path


def _holds_images(folder: Path) -> bool:
    return any(_is_image(path) for paths in _walk(folder) for path in paths)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not of_system(path)


def _content(path: Path) -> bytes:
    try:
        check_bytes(path.stat().st_size)
        return read_content(path, MAX_FILE_BYTES)
    except PictureError:
        raise
    except (ConfigurationError, OSError) as error:
        raise PictureError(str(error), "not readable") from error
