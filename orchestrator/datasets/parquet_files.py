"""Layout: parquet files as Hugging Face's `datasets` writes them; needs pyarrow.

    data/train-00000-of-00001.parquet  data/test-00000-of-00001.parquet
    train/0000.parquet  test/0000.parquet      or one file, whose test images are held out

A row has an image, as {bytes, path} or as bytes, and a label. Class names are those in the schema's
metadata (`ClassLabel`), or else the labels themselves; they are sorted like class folders, so that
the same files have the same labels from either layout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.datasets.own_folders import TEST_NAMES, TRAIN_NAMES, OwnSource
from orchestrator.datasets.own_pictures import Item, Items, PictureReader, check_bytes
from orchestrator.datasets.pictures import PictureError
from semcom.class_names import natural_key, shown
from semcom.errors import ConfigurationError, one_line
from semcom.shards import Split

SUFFIX = ".parquet"
LAYOUT = "parquet files"
LABEL_NAMES = ("label", "labels", "fine_label", "class", "target")
IMAGE_NAMES = ("image", "img", "picture", "jpg", "png")
ROWS_AT_A_TIME = 64
NO_LABEL = "rows without a known label"
NO_IMAGE = "rows without an image"


@dataclass(frozen=True)
class _Table:
    """Columns of images and labels, and the names of the labels if they have any."""

    image: str
    label: str | None
    names: list[str] | None


def find(folder: Path, reader: PictureReader, *, is_archive: bool) -> OwnSource | None:
    """Return the images of the parquet files in a folder; None if there are none.

    Raises:
        ConfigurationError: pyarrow is missing, or a file is damaged or has no images.
    """
    del reader, is_archive
    files = sorted(
        path
        for path in folder.rglob(f"*{SUFFIX}")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return _source(folder, files) if files else None


def find_file(file: Path) -> OwnSource:
    """Return the images of one parquet file, from which test images will be held out.

    Raises:
        ConfigurationError: pyarrow is missing, or the file is damaged or has no images.
    """
    return _source(file.parent, [file])


def _source(root: Path, files: Sequence[Path]) -> OwnSource:
    train, test, notes = _splits(root, files)
    table = _table(train[0])
    labels = {path: _labels(path, table) for path in [*train, *test]}
    if test and not any(label is not None for path in test for label in labels[path]):
        notes += ("the test files have no labels and are skipped",)
        test = []
    names = sorted(
        {label for path in train for label in labels[path] if label is not None}, key=natural_key
    )
    unused = [name for name in table.names or () if name not in set(names)]
    if unused:
        notes += (f"classes without images left out: {len(unused)}, as {shown(unused[0])}",)
    if table.label is not None and len(names) < 2:
        raise ConfigurationError(
            f"{train[0]}: column '{table.label}' has {len(names)} class{'es' * (len(names) != 1)}, "
            "at least 2 are needed"
        )
    place = {name: label for label, name in enumerate(names)}
    found: list[tuple[Split, list[Path]]] = [("train", train), ("test", test)]
    splits: dict[Split, Items] = {
        split: Items(
            sum(len(labels[path]) for path in paths),
            _Rows(root, {path: labels[path] for path in paths}, table, place),
        )
        for split, paths in found
        if paths
    }
    return OwnSource(LAYOUT, names if table.label else [], splits, notes)


def _splits(root: Path, files: Sequence[Path]) -> tuple[list[Path], list[Path], tuple[str, ...]]:
    """Return the files of both splits; files are training files unless their names say otherwise.

    Raises:
        ConfigurationError: there are files of several configurations.
    """
    by_split: dict[str, list[Path]] = {}
    places: set[Path] = set()
    for path in files:
        split, place = _split_of(path.relative_to(root))
        by_split.setdefault(split, []).append(path)
        places.add(place)
    if len(places) > 1:
        several = ", ".join(sorted(map(str, places))[:4])
        raise ConfigurationError(
            f"{root} holds parquet files of several data sets ({several}); name the folder of one"
        )
    train = [path for name in (*TRAIN_NAMES, "") for path in by_split.get(name, [])]
    tested = [name for name in TEST_NAMES if name in by_split]
    if not train:
        raise ConfigurationError(f"{root} holds parquet files of {', '.join(tested)}, but no train")
    others = tested[1:]
    notes = (f"skipped next to the training images: {', '.join(others)}",) if others else ()
    return train, by_split[tested[0]] if tested else [], notes


def _split_of(path: Path) -> tuple[str, Path]:
    """Return the split stated by a file's name or one of its folders, and the remaining folder."""
    known = (*TRAIN_NAMES, *TEST_NAMES)
    stem = re.split(r"[^a-z]", path.stem.casefold(), maxsplit=1)[0]
    place = Path(*(part for part in path.parent.parts if part.casefold() not in known))
    if stem in known:
        return stem, place
    said = [part.casefold() for part in path.parent.parts if part.casefold() in known]
    return (said[-1] if said else ""), place


def _table(path: Path) -> _Table:
    """Find the columns by the metadata's features, or else by type and name.

    Raises:
        ConfigurationError: no column has images.
    """
    schema = _opened(path).schema_arrow
    features = _features(schema.metadata or {})
    kinds = {name: feature.get("_type") for name, feature in features.items()}
    columns = list(schema.names)
    images = [name for name in columns if kinds.get(name) == "Image"] or [
        name for name in columns if _may_be_images(schema.field(name).type)
    ]
    if not images:
        raise ConfigurationError(
            f"{path} has no column of images ({', '.join(map(shown, columns[:6]))}); it is "
            "a column of {bytes, path}, or of bytes"
        )
    image = next((name for name in IMAGE_NAMES if name in images), images[0])
    labels = [name for name in columns if kinds.get(name) == "ClassLabel"]
    label = next((name for name in LABEL_NAMES if name in (labels or columns)), None)
    if label is None and labels:
        label = labels[0]
    names = features.get(label or "", {}).get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        names = None
    return _Table(image, label, names)


def _features(metadata: dict[bytes, bytes]) -> dict[str, dict[str, Any]]:
    """Return the features stored by `datasets`; empty if another program wrote the file."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: of for name, of in features.items() if isinstance(of, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _may_be_images(kind: Any) -> bool:
    text = str(kind)
    return text in ("binary", "large_binary") or (
        text.startswith("struct<") and "bytes: " in text and "binary" in text
    )


def _labels(path: Path, table: _Table) -> list[str | None]:
    """Return the class name of each row.

    None for rows without a label, and for all without a column.
    """
    file = _opened(path)
    for column in filter(None, (table.image, table.label)):
        if column not in file.schema_arrow.names:
            raise ConfigurationError(
                f"{path} has no column '{shown(column)}', but other files have"
            )
    if table.label is None:
        return [None] * int(file.metadata.num_rows)
    return [
        _named(value, table.names)
        for batch in _batches(path, file, table.label, rows=65_536)
        for value in batch
    ]


def _named(value: Any, names: list[str] | None) -> str | None:
    if value is None or isinstance(value, bool | float | list | dict | bytes):
        return None
    if names is not None and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    return None if value == -1 else str(value)  # -1: a test split without published labels


@dataclass(frozen=True)
class _Rows:
    """The rows of some files; can be iterated repeatedly."""

    root: Path
    labels: dict[Path, list[str | None]]
    table: _Table
    place: dict[str, int]

    def __iter__(self) -> Iterator[Item]:
        for path, labels in self.labels.items():
            batches = _batches(path, _opened(path), self.table.image, rows=ROWS_AT_A_TIME)
            values = (value for batch in batches for value in batch)
            for row, (value, label) in enumerate(zip(values, labels, strict=True)):
                name = f"{path.relative_to(self.root)}, row {row}"
                yield self._item(name, value, label)

    def _item(self, name: str, value: Any, label: str | None) -> Item:
        content = value.get("bytes") if isinstance(value, dict) else value
        known = 0 if self.table.label is None else self.place.get(label or "")

        def read() -> bytes:
            if known is None:
                raise PictureError("", NO_LABEL)
            if not isinstance(content, bytes):
                raise PictureError("", NO_IMAGE)
            check_bytes(len(content))
            return content

        return Item(name, known or 0, read)


def _opened(path: Path) -> Any:
    """Open a parquet file and read its footer.

    Raises:
        ConfigurationError: pyarrow is missing, or the file is not readable as parquet.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(
            f"reading {path} needs pyarrow: pip install pyarrow, or export the images to class "
            "folders"
        ) from error
    try:
        return parquet.ParquetFile(path)
    except Exception as error:  # from Arrow: its own errors, and those of the system
        raise _unreadable(path, error) from error


def _batches(path: Path, file: Any, column: str, *, rows: int) -> Iterator[list[Any]]:
    try:
        for batch in file.iter_batches(batch_size=rows, columns=[column]):
            yield batch.column(0).to_pylist()
    except ConfigurationError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"cannot read {path}: {one_line(str(error))}; copy it again")
