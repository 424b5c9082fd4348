"""Read a data set from a folder in any of the known layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.datasets import class_folders, tiny_imagenet
from orchestrator.datasets.cifar import CIFAR_LAYOUTS
from orchestrator.datasets.pictures import SourceImages
from semcom.errors import ConfigurationError


@dataclass(frozen=True)
class Layout:
    """A layout of files: how to recognise and how to read it."""

    name: str
    holds: Callable[[Path], bool]
    read: Callable[[Path], SourceImages]


# In order: a Tiny-ImageNet folder also has a `train` and a `test`, but its `test` has no classes.
LAYOUTS = (
    *(Layout(cifar.layout, cifar.holds, cifar.read) for cifar in CIFAR_LAYOUTS),
    Layout(tiny_imagenet.LAYOUT, tiny_imagenet.holds, tiny_imagenet.read),
    Layout(class_folders.LAYOUT, class_folders.holds, class_folders.read),
)


def read_source(
    folder: Path, usual_names: tuple[str, ...] = (), *, output: Path | None = None
) -> SourceImages:
    """Read the data set in `folder` or, if there is none, in a folder directly below it.

    Args:
        folder: a folder in a known layout, or the parent of one.
        usual_names: names of the data set's folder, for the choice if several folders below
            `folder` qualify, such as CIFAR-10 and CIFAR-100.
        output: folder of the data set, which must not overlap with what is read.

    Raises:
        ConfigurationError: there is no known layout or more than one, or files are missing or
            damaged.
    """
    try:
        path, layout = _chosen(folder, usual_names)
        if output is not None:
            check_apart(path, output)
        return layout.read(path)
    except OSError as error:
        what = folder if error.filename is None else error.filename
        raise ConfigurationError(f"cannot read {what}: {error.strerror}") from error


def known_layout(folder: Path) -> tuple[Path, Layout] | None:
    """Return the folder of a published data set in its original form, and its layout.

    It is in the folder, or in one directly below it; None if it is in none or in several.
    """
    found = [at for at in _found(folder) if at[1].name != class_folders.LAYOUT]
    return found[0] if len(found) == 1 else None


def check_apart(source: Path, output: Path) -> None:
    """Refuse to write shards among the images from which they are made.

    Raises:
        ConfigurationError: the folders overlap.
    """
    if _overlap(source.resolve(), output.resolve()):
        raise ConfigurationError(
            f"{output} cannot be written, because the images are read from {source}; "
            "choose another folder with '--data DIR'"
        )


def _overlap(source: Path, output: Path) -> bool:
    """Return whether shards would be written among the images."""
    if not output.is_relative_to(source):
        return source.is_relative_to(output)
    below = output.relative_to(source).parts
    return not below or below[0] in ("train", "test", "val")


def _chosen(folder: Path, usual_names: tuple[str, ...]) -> tuple[Path, Layout]:
    if not folder.is_dir():
        raise ConfigurationError(f"no folder or archive {folder}")
    found = list(_found(folder))
    if not found:
        raise ConfigurationError(
            f"{folder} holds no data set in a known layout ("
            + ", ".join(layout.name for layout in LAYOUTS)
            + "); the last one is train/<class>/*.png and test/<class>/*.png"
            + _missing_half(folder)
        )
    named = [(path, layout) for path, layout in found if path.name in usual_names]
    if len(found) > 1 and not named:
        several = ", ".join(path.name for path, _ in found)
        raise ConfigurationError(f"{folder} holds several data sets ({several}); name one of them")
    return named[0] if named else found[0]


def _missing_half(folder: Path) -> str:
    """Return the hint for a folder that has only one of the two splits."""
    halves = [split for split in ("train", "test") if (folder / split).is_dir()]
    if len(halves) != 1:
        return ""
    return f", and here is only {halves[0]}"


def _found(folder: Path) -> Iterator[tuple[Path, Layout]]:
    """Return the folder itself if it qualifies, or else every folder directly below that does."""
    here = _layout_of(folder)
    if here is not None:
        yield folder, here
        return
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        layout = _layout_of(below)
        if layout is not None:
            yield below, layout


def _layout_of(folder: Path) -> Layout | None:
    return next((layout for layout in LAYOUTS if layout.holds(folder)), None)
