"""What stages leave behind: a folder per stage, named by a digest of all that led to it.

    <work>/artefacts/<dataset>/<stage>-<digest>/weights.safetensors   the trained modules
                                              settings.json         what the digest stands for
                                              resume.pt             only while the stage runs

Jobs that agree on a stage's settings share its artefact: two systems distilled from one teacher
train that teacher once.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as format_safetensors
from torch import nn

from semcom.errors import CheckpointError, StorageError
from semcom.files import write_atomically

# Raised when a change of the code changes what the same settings train.
REVISION = 2


@dataclass(frozen=True)
class Artefact:
    """One stage's folder."""

    folder: Path
    digest: str
    identity: dict[str, Any]

    @property
    def weights_path(self) -> Path:
        """The finished stage's modules."""
        return self.folder / "weights.safetensors"

    @property
    def resume_path(self) -> Path:
        """An unfinished stage's state."""
        return self.folder / "resume.pt"

    @property
    def is_finished(self) -> bool:
        """Whether the stage has run to its end."""
        return self.weights_path.exists()

    def load(self, module: nn.Module) -> None:
        """Fill a module from the finished stage.

        Raises:
            CheckpointError: the file is damaged or holds other modules.
        """
        try:
            state = parse_safetensors(self.weights_path.read_bytes())
            module.load_state_dict(state)
        except (SafetensorError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.weights_path} is damaged; remove it and run again: "
                f"{str(error).splitlines()[0]}"
            ) from error

    def save(self, module: nn.Module) -> None:
        """Finish the stage; the weights arrive last and whole."""
        state = {name: t.detach().cpu().contiguous() for name, t in module.state_dict().items()}
        content = format_safetensors(state, metadata={"settings": self.digest})
        self._write("settings.json", json.dumps(self.identity, indent=1, sort_keys=True).encode())
        self._write(self.weights_path.name, content)
        self.resume_path.unlink(missing_ok=True)

    def save_resume(self, state: dict[str, Any]) -> None:
        """Keep the state of a running stage; the old one stays until the new one is whole.

        Raises:
            StorageError: the disk refuses.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._write(self.resume_path.name, buffer.getvalue())

    def load_resume(self) -> dict[str, Any] | None:
        """The state of a stopped stage; None where there is none."""
        if not self.resume_path.exists():
            return None
        state: dict[str, Any] = torch.load(self.resume_path, weights_only=True)
        return state

    def write(self, name: str, content: bytes) -> None:
        """Put another file beside the weights."""
        self._write(name, content)

    def _write(self, name: str, content: bytes) -> None:
        save_file(self.folder / name, content)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other jobs out of this stage; waits for the one that is in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def save_file(path: Path, content: bytes) -> None:
    """Write a file whole, and its folder where there is none; an old one stays until then.

    Raises:
        StorageError: the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; the last save is kept"
        ) from error


def artefact(root: Path, stage: str, identity: dict[str, Any]) -> Artefact:
    """The artefact of a stage with these settings and inputs."""
    identity = {"stage": stage, "revision": REVISION, **identity}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Artefact(root / f"{stage}-{digest[:12]}", digest, identity)
