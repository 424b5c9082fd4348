"""The catalogue of codecs: list, verify and export them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from semcom.checkpoints import (
    CODECS_SHIPPED,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    Checkpoint,
    find_codec,
    name_classes,
    open_checkpoint,
)
from semcom.class_names import canonical_names
from semcom.codec_manifest import MAX_WEIGHT_BYTES
from semcom.errors import CheckpointError, ConfigurationError, StorageError
from semcom.files import is_there, read_file, write_atomically
from semcom.names import MAX_QUOTED, NAME_PATTERN, is_name
from semcom.shards import read_manifest
from semcom.tasks.classification import OfClasses


class Catalog:
    """The codecs of a folder, and the shipped ones with other names."""

    def __init__(self, root: Path, *, own_only: bool = False) -> None:
        """Take the codecs in `root`; with `own_only`, without the shipped ones."""
        self.root = root
        self._own_only = own_only

    def names(self) -> list[str]:
        """Return the names of the codecs in the folder, in order."""
        return _names_in(self.root)

    def all_names(self) -> list[str]:
        """Return the names of all codecs, in order."""
        return sorted({*self.names(), *([] if self._own_only else _names_in(CODECS_SHIPPED))})

    def folder(self, name: str) -> Path:
        """Return the folder of a codec, which need not exist."""
        return self.root / name if self._own_only else find_codec(self.root, name)

    def is_shipped(self, name: str) -> bool:
        """Return whether a codec is a shipped one."""
        return self.folder(name).parent.resolve() == CODECS_SHIPPED.resolve()

    def open(self, name: str) -> Checkpoint:
        """Read a codec's manifest.

        Raises:
            CheckpointError: there is no codec with that name, or it is not valid.
        """
        if not is_name(name):
            raise CheckpointError(f"codec {name[:MAX_QUOTED]!r}: a name matches {NAME_PATTERN}")
        folder = self.folder(name)
        if not is_there(folder / MANIFEST):
            raise CheckpointError(no_codec(name, self))
        return open_checkpoint(folder)

    def verified(self, name: str) -> Checkpoint:
        """Read a codec and check all its weights.

        Raises:
            CheckpointError: it is missing or cannot be trusted.
        """
        checkpoint = self.open(name)
        checkpoint.verify()
        return checkpoint

    def export(self, name: str, target: Path) -> Path:
        """Copy a verified codec to `target`/<name>; the manifest is written last.

        Each file is complete or absent; a link or FIFO in its place is replaced, never written to.

        Raises:
            CheckpointError: it cannot be trusted, or the target contains another one.
            StorageError: the disk cannot be written.
        """
        checkpoint = self.verified(name)
        folder = target / name
        if is_there(folder / MANIFEST) and open_checkpoint(folder).digest != checkpoint.digest:
            raise CheckpointError(f"{folder} holds another codec; remove it first")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for end in checkpoint.manifest.weights:
                path = checkpoint.path(end)
                write_atomically(folder / path.name, read_file(path, max_bytes=MAX_WEIGHT_BYTES))
            manifest = read_file(checkpoint.folder / MANIFEST, max_bytes=MAX_MANIFEST_BYTES)
            write_atomically(folder / MANIFEST, manifest)
        except OSError as error:
            raise StorageError(f"cannot write {folder}: {error.strerror}") from error
        return folder

    def name_classes(self, name: str, data_dir: Path) -> Checkpoint:
        """Write class names into the manifest of a codec that has none; its digest does not change.

        They are those of the data set on which it was trained: the official ones of a known set,
        otherwise those of the prepared data set in `data_dir`.

        Raises:
            CheckpointError: there is no such codec, or it is not valid.
            ConfigurationError: the data set is missing, or is not the one on which it was trained.
            StorageError: the disk cannot be written.
        """
        checkpoint = self.open(name)
        manifest = checkpoint.manifest
        task = manifest.task
        if manifest.classes is not None or not isinstance(task, OfClasses):
            return checkpoint
        classes = canonical_names(manifest.dataset)
        if classes is None or len(classes) != task.classes:
            dataset = read_manifest(data_dir / manifest.dataset)
            trained_on, train = manifest.training.get("dataset_sha256"), dataset.splits.get("train")
            if train is None or trained_on not in (None, train.sha256):
                raise ConfigurationError(
                    f"{data_dir / manifest.dataset} does not contain the images on which codec "
                    f"{name} was trained"
                )
            classes = dataset.classes
        return name_classes(checkpoint, classes)


class VerifiedCodecs(Protocol):
    """Codecs whose weights are checked."""

    def verified(self, name: str) -> Checkpoint:
        """Read a codec and check all its weights.

        Raises:
            CheckpointError: it is missing or cannot be trusted.
        """


class VerifiedOnce:
    """A catalogue that checks each codec once, for all links of a plan."""

    def __init__(self, catalog: VerifiedCodecs) -> None:
        self._catalog = catalog
        self._seen: dict[str, Checkpoint] = {}

    def verified(self, name: str) -> Checkpoint:
        """Return a checked codec; see `VerifiedCodecs`."""
        if name not in self._seen:
            self._seen[name] = self._catalog.verified(name)
        return self._seen[name]


def no_codec(name: str, catalog: Catalog) -> str:
    """Return the error for a codec that a catalogue does not have."""
    there = ", ".join(catalog.names()) or "none"
    beside = [other for other in catalog.all_names() if other not in catalog.names()]
    shipped = f"; shipped: {', '.join(beside)}" if beside else ""
    return f"no codec '{name}' in {catalog.root}; available: {there}{shipped}"


def _names_in(root: Path) -> list[str]:
    try:
        found = [path.parent.name for path in root.glob(f"*/{MANIFEST}")]
    except OSError:  # unreadable ones cannot be used
        return []
    return sorted(name for name in found if is_name(name))
