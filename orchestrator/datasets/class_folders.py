"""Layout: `train/<class>/*` and `test/<class>/*` with PNG or JPEG images.

Class folders sort in label order. A `words.txt` beside `train`, as Tiny-ImageNet has it, names
classes whose folders are WordNet ids.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from orchestrator.datasets.pictures import SUFFIXES, SourceImages, read_pictures
from semcom.errors import ConfigurationError
from semcom.shards import Split

LAYOUT = "class folders"
_SPLITS: tuple[Split, Split] = ("train", "test")


def holds(folder: Path) -> bool:
    """Whether the folder is in this layout."""
    # A folder of shards has these two as well, but nothing below them.
    return all((folder / split).is_dir() for split in _SPLITS) and bool(_folders(folder / "train"))


def read(folder: Path) -> SourceImages:
    """Read both splits.

    Raises:
        ConfigurationError: no classes, classes of test unknown in train, a file that is no image,
            or images that are not square and of one size.
    """
    names = _folders(folder / "train")
    strangers = sorted(set(_folders(folder / "test")) - set(names))
    if strangers:
        raise ConfigurationError(
            f"{folder / 'test'} has class '{strangers[0]}', which {folder / 'train'} lacks"
        )
    splits = {split: read_pictures(labelled_files(folder / split, names)) for split in _SPLITS}
    return SourceImages(LAYOUT, readable_names(folder, names), splits)


def labelled_files(folder: Path, names: list[str], inside: str = ".") -> list[tuple[Path, int]]:
    """Image files of `<folder>/<name>/<inside>` for every name, with the name's index as label.

    Raises:
        ConfigurationError: a file that is no image, or no images at all.
    """
    files = [
        (path, label)
        for label, name in enumerate(names)
        if (folder / name).is_dir()
        for path in _image_files(folder / name / inside)
    ]
    if not files:
        raise ConfigurationError(f"no PNG or JPEG images in the class folders of {folder}")
    return files


def readable_names(folder: Path, names: list[str]) -> list[str]:
    """Class names by `words.txt` (WordNet id, tab, synonyms) if there is one; the first synonym.

    A name that would stand for two classes is left as it is.
    """
    path = folder / "words.txt"
    if not path.is_file():
        return names
    rows = (line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines())
    words = {key.strip(): synonyms.split(",")[0].strip() for key, _, synonyms in rows}
    named = [words.get(name) or name for name in names]
    times = Counter(named)
    return [word if times[word] == 1 else name for word, name in zip(named, names, strict=True)]


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not _hidden(path))


def _image_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if not _hidden(path))
    for path in files:
        if path.suffix.lower() not in SUFFIXES:
            raise ConfigurationError(f"{path} is not a PNG or JPEG image; remove it")
    return files


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")
