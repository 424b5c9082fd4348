"""Layout: the official Tiny-ImageNet folder.

    tiny-imagenet-200/wnids.txt                      class ids, one per line
    tiny-imagenet-200/words.txt                      id, tab, synonyms
    tiny-imagenet-200/train/<wnid>/images/*.JPEG
    tiny-imagenet-200/val/images/*.JPEG, val/val_annotations.txt

The labels of the official test split were never published: its `val` is our `test`. Classes are
sorted by id.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.datasets.class_folders import labelled_files, readable_names
from orchestrator.datasets.pictures import SourceImages, read_pictures
from semcom.errors import ConfigurationError

LAYOUT = "Tiny-ImageNet folders"


def holds(folder: Path) -> bool:
    """Whether the folder is in this layout."""
    return (folder / "wnids.txt").is_file() and (folder / "val").is_dir()


def read(folder: Path) -> SourceImages:
    """Read both splits.

    Raises:
        ConfigurationError: something missing, unknown or unreadable.
    """
    names = sorted(_text(folder / "wnids.txt").split())
    train = read_pictures(labelled_files(folder / "train", names, inside="images"))
    test = read_pictures(_annotated(folder / "val", names))
    return SourceImages(LAYOUT, readable_names(folder, names), {"train": train, "test": test})


def _annotated(folder: Path, names: list[str]) -> list[tuple[Path, int]]:
    labels = {name: label for label, name in enumerate(names)}
    path = folder / "val_annotations.txt"
    files = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        file_name, _, rest = line.partition("\t")
        name = rest.partition("\t")[0]
        if name not in labels or Path(file_name).name != file_name:
            raise ConfigurationError(f"{path}, line {number}: no image of a class in wnids.txt")
        files.append((folder / "images" / file_name, labels[name]))
    if not files:
        raise ConfigurationError(f"{path} lists no images")
    return files


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from error
