"""The catalogue of codecs: what is there, whether it can be trusted, and packing it up."""

from __future__ import annotations

import shutil
from pathlib import Path

from semcom.checkpoints import (
    CODECS_SHIPPED,
    MANIFEST,
    Checkpoint,
    open_checkpoint,
    weight_path,
)
from semcom.errors import CheckpointError, StorageError
from semcom.plain_text import command


class Catalog:
    """All codecs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Names of the codecs, in order."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{MANIFEST}"))

    def open(self, name: str) -> Checkpoint:
        """Read a codec's manifest.

        Raises:
            CheckpointError: there is none of that name, or it is not valid.
        """
        if not (self.root / name / MANIFEST).exists():
            raise CheckpointError(no_codec(name, self))
        return open_checkpoint(self.root / name)

    def verified(self, name: str) -> Checkpoint:
        """Read a codec and check all its weights.

        Raises:
            CheckpointError: it is missing or cannot be trusted.
        """
        checkpoint = self.open(name)
        checkpoint.verify()
        return checkpoint

    def export(self, name: str, target: Path) -> Path:
        """Copy a verified codec into `target`/<name>; the manifest arrives last.

        Raises:
            CheckpointError: it cannot be trusted, or the target holds another one.
            StorageError: the disk refuses.
        """
        checkpoint = self.verified(name)
        folder = target / name
        if (folder / MANIFEST).exists() and open_checkpoint(folder).digest != checkpoint.digest:
            raise CheckpointError(f"{folder} holds another codec; remove it first")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for end in checkpoint.manifest.weights:
                shutil.copyfile(weight_path(checkpoint.folder, end), weight_path(folder, end))
            shutil.copyfile(checkpoint.folder / MANIFEST, folder / MANIFEST)
        except OSError as error:
            raise StorageError(f"cannot write {folder}: {error.strerror}") from error
        return folder


def no_codec(name: str, catalog: Catalog) -> str:
    """What is said of a codec that a catalogue does not have."""
    there = ", ".join(catalog.names()) or "none"
    text = f"no codec '{name}' in {catalog.root}; there are: {there}"
    if (CODECS_SHIPPED / name / MANIFEST).exists():
        copies = command("semcom", "checkpoints", "export", name, catalog.root)
        text += f"; copy the shipped one with: {copies}"
    return text
