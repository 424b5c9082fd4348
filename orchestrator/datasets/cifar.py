"""Layouts: CIFAR-10 and CIFAR-100 as Python pickles (torchvision keeps these) and as binary files.

    cifar-10-batches-py/   data_batch_1 .. 5, test_batch, batches.meta
    cifar-100-python/      train, test, meta
    cifar-10-batches-bin/  data_batch_1.bin .. 5, test_batch.bin, batches.meta.txt
    cifar-100-binary/      train.bin, test.bin, fine_label_names.txt

A pickle can run any code, so these are read only if their MD5 is the official one, and by an
unpickler that accepts only numpy arrays. CIFAR-100 provides its 100 fine labels.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.datasets.pictures import SourceImages
from orchestrator.datasets.texts import read_content, read_lines
from semcom.errors import ConfigurationError
from semcom.shards import ImageArray, LabelArray, Split

_MAX_BYTES = 1 << 30  # the largest file has 155 MB
_PIXELS = 32 * 32 * 3
# As published at https://www.cs.toronto.edu/~kriz/cifar.html and checked by torchvision.
OFFICIAL_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}


@dataclass(frozen=True, kw_only=True)
class CifarLayout:
    """File names and fields of one of the four layouts."""

    layout: str
    files: dict[Split, tuple[str, ...]]
    names_file: str
    names_field: str = ""  # pickles only
    labels_field: str = ""  # pickles only
    label_bytes: int = 0  # binary only: bytes before the pixels; the last is the label

    def holds(self, folder: Path) -> bool:
        """Return whether the folder is in this layout."""
        names = (self.names_file, *self.files["test"])
        return all((folder / name).is_file() for name in names)

    def read(self, folder: Path) -> SourceImages:
        """Read both splits.

        Raises:
            ConfigurationError: a file is missing, damaged or not the official one.
        """
        names = self._names(folder / self.names_file)
        splits = {split: self._split(folder, split, len(names)) for split in self.files}
        return SourceImages(self.layout, names, splits)

    def _names(self, path: Path) -> list[str]:
        if not self.names_field:
            return [name for line in read_lines(path) if (name := line.strip())]
        return [str(name) for name in _field(path, _unpickle(path), self.names_field)]

    def _split(self, folder: Path, split: Split, classes: int) -> tuple[ImageArray, LabelArray]:
        batch = self._pickled_batch if self.labels_field else self._binary_batch
        parts = [batch(folder / name, classes) for name in self.files[split]]
        images_NHWC = np.concatenate([images for images, _ in parts])
        return images_NHWC, np.concatenate([labels for _, labels in parts])

    def _pickled_batch(self, path: Path, classes: int) -> tuple[ImageArray, LabelArray]:
        content = _unpickle(path)
        rows = np.asarray(_field(path, content, "data"))
        labels = np.asarray(_field(path, content, self.labels_field))
        return _images(path, rows), _labels(path, labels, len(rows), classes)

    def _binary_batch(self, path: Path, classes: int) -> tuple[ImageArray, LabelArray]:
        content = np.frombuffer(_bytes(path), dtype=np.uint8)
        record = self.label_bytes + _PIXELS
        if len(content) == 0 or len(content) % record:
            raise ConfigurationError(
                f"{path} is damaged: {len(content)} bytes are not a whole number of records of "
                f"{record} bytes; download it again"
            )
        records = content.reshape(-1, record)
        labels = records[:, self.label_bytes - 1]
        images_NHWC = _images(path, records[:, self.label_bytes :])
        return images_NHWC, _labels(path, labels, len(records), classes)


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR_LAYOUTS = (
    CifarLayout(
        layout="CIFAR-10 pickles",
        files={"train": _BATCHES, "test": ("test_batch",)},
        names_file="batches.meta",
        names_field="label_names",
        labels_field="labels",
    ),
    CifarLayout(
        layout="CIFAR-100 pickles",
        files={"train": ("train",), "test": ("test",)},
        names_file="meta",
        names_field="fine_label_names",
        labels_field="fine_labels",
    ),
    CifarLayout(
        layout="CIFAR-10 binary",
        files={"train": tuple(f"{name}.bin" for name in _BATCHES), "test": ("test_batch.bin",)},
        names_file="batches.meta.txt",
        label_bytes=1,
    ),
    CifarLayout(
        layout="CIFAR-100 binary",
        files={"train": ("train.bin",), "test": ("test.bin",)},
        names_file="fine_label_names.txt",
        label_bytes=2,
    ),
)


class _ArrayUnpickler(pickle.Unpickler):
    """Loads plain containers and numpy arrays; refuses any other global."""

    def find_class(self, module: str, name: str) -> Any:
        """The three globals in the pickle of an array, under numpy's old and new module names."""
        known = {
            # The function has no public name; it is taken from an array.
            "multiarray._reconstruct": np.empty(0).__reduce__()[0],
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
        }
        last = module.removeprefix("numpy.core.").removeprefix("numpy._core.")
        if f"{last}.{name}" not in known:
            raise pickle.UnpicklingError(f"refused '{module}.{name}'")
        return known[f"{last}.{name}"]


def _unpickle(path: Path) -> dict[str, Any]:
    content = _bytes(path)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != OFFICIAL_MD5[path.name]:
        raise ConfigurationError(
            f"{path} is not the official file (MD5 {md5}, expected {OFFICIAL_MD5[path.name]}); "
            "download it again"
        )
    try:
        loaded = _ArrayUnpickler(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # unpickling may raise anything
        raise ConfigurationError(f"{path} is not a CIFAR pickle: {error}") from error
    if not isinstance(loaded, dict):
        raise ConfigurationError(f"{path} is not a CIFAR pickle: it holds no dictionary")
    return loaded


def _field(path: Path, content: dict[str, Any], name: str) -> Any:
    if name not in content:
        raise ConfigurationError(f"{path} is not a CIFAR pickle: '{name}' is missing")
    return content[name]


def _images(path: Path, rows: np.ndarray[Any, Any]) -> ImageArray:
    """Convert rows of 1,024 red, green, then blue values to images_NHWC."""
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != _PIXELS:
        raise ConfigurationError(
            f"{path} holds {rows.dtype} {rows.shape}, not uint8 (N, {_PIXELS})"
        )
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _labels(path: Path, labels: np.ndarray[Any, Any], images: int, classes: int) -> LabelArray:
    if labels.shape != (images,) or labels.dtype.kind not in "iu":
        raise ConfigurationError(f"{path} holds {images} images but labels {labels.shape}")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ConfigurationError(f"{path} has labels beyond its {classes} classes")
    return labels.astype(np.uint16)


def _bytes(path: Path) -> bytes:
    return read_content(path, _MAX_BYTES)
