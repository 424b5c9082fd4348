"""The artefacts of stages: a folder per stage, named by a digest of everything that led to it.

    <work>/artefacts/<dataset>/<stage>-<digest>/weights.safetensors   the trained modules
                                              settings.json         what the digest stands for
                                              resume.pt             only while the stage runs

Jobs that agree on a stage's settings share its artefact: two systems distilled from one teacher
train that teacher once.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as format_safetensors
from torch import Tensor, nn

from semcom.errors import CheckpointError, StorageError
from semcom.files import read_file, write_atomically
from semcom.locks import FileLock

# Increased when a code change alters what the same settings train.
REVISION = 2
MAX_TENSOR_BYTES = 1 << 36
MAX_JSON_BYTES = 1 << 26


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
        """Return whether the stage is finished."""
        return self.weights_path.exists()

    def load(self, module: nn.Module) -> None:
        """Fill a module from the finished stage.

        Raises:
            CheckpointError: the file is damaged or holds other modules.
        """
        try:
            module.load_state_dict(read_tensors(self.weights_path))
        except RuntimeError as error:
            raise _damaged(self.weights_path, error) from error

    def save(self, module: nn.Module) -> None:
        """Finish the stage; the weights are written last and atomically."""
        state = {name: t.detach().cpu().contiguous() for name, t in module.state_dict().items()}
        content = format_safetensors(state, metadata={"settings": self.digest})
        self._write("settings.json", json.dumps(self.identity, indent=1, sort_keys=True).encode())
        self._write(self.weights_path.name, content)
        self.resume_path.unlink(missing_ok=True)

    def save_resume(self, state: dict[str, Any]) -> None:
        """Save the state of a running stage; the old one stays until the new one is complete.

        Raises:
            StorageError: the disk cannot be written.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._write(self.resume_path.name, buffer.getvalue())

    def load_resume(self) -> dict[str, Any] | None:
        """Return the state of a stopped stage in main memory; None if there is none.

        Raises:
            CheckpointError: the file is damaged.
        """
        if not self.resume_path.exists():
            return None
        try:
            content = io.BytesIO(read_file(self.resume_path, max_bytes=MAX_TENSOR_BYTES))
            state: dict[str, Any] = torch.load(content, weights_only=True, map_location="cpu")
        except (RuntimeError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
            raise _damaged(self.resume_path, error) from error
        return state

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the content of another file next to the weights.

        Raises:
            CheckpointError: the file is damaged.
        """
        path = self.folder / name
        try:
            content: dict[str, Any] = json.loads(read_file(path, max_bytes=MAX_JSON_BYTES))
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged(path, error) from error
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write another file next to the weights."""
        self._write(name, content)

    def _write(self, name: str, content: bytes) -> None:
        save_file(self.folder / name, content)

    def lock(self) -> FileLock | None:
        """Lock the stage against other jobs; None if another job has it.

        Raises:
            StorageError: the disk cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write in {self.folder}: {error.strerror}") from error
        lock = FileLock(self.folder / ".lock", folder=self.folder)
        return lock if lock.acquire() else None


def _damaged(path: Path, error: Exception) -> CheckpointError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return CheckpointError(f"{path} is damaged; remove it and run again: {reason}")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        CheckpointError: it is damaged, or the hosts' work folders differ.
    """
    try:
        return parse_safetensors(read_file(path, max_bytes=MAX_TENSOR_BYTES))
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def save_file(path: Path, content: bytes) -> None:
    """Write a file atomically; its folder is created if absent, and an old file stays until then.

    Raises:
        StorageError: the disk cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; the last checkpoint is kept"
        ) from error


def artefact(root: Path, stage: str, identity: dict[str, Any]) -> Artefact:
    """Return the artefact of a stage with these settings and inputs."""
    identity = {"stage": stage, "revision": REVISION, **identity}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Artefact(root / f"{stage}-{digest[:12]}", digest, identity)
