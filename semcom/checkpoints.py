"""Codecs on disk: safetensors under a manifest with SHA-256 (no torch here).

    codecs/<name>/manifest.json              what it is, what it was trained on, the digests
    codecs/<name>/transmitter.safetensors    encoder.*, channel_encoder.*
    codecs/<name>/receiver.safetensors       decoder.*, head.*

The *digest* of a codec is the SHA-256 of its architecture and weights: two codecs with one digest
compute the same. It travels with every frame, so both ends are known to be of one piece.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as format_safetensors

from semcom.architecture import CodecArchitecture
from semcom.errors import CheckpointError, StorageError
from semcom.files import write_atomically
from semcom.identity import codec_digest
from semcom.shipped import shipped

MANIFEST = "manifest.json"
CODECS_HERE = Path("codecs")
CODECS_SHIPPED = shipped("codecs")
MAX_MANIFEST_BYTES = 1 << 20
MAX_WEIGHT_BYTES = 1 << 30
MAX_QUOTED = 300  # characters of what a file says, in an error

End = Literal["transmitter", "receiver"]
Arrays = dict[str, npt.NDArray[np.generic]]


def default_root() -> Path:
    """The codecs of the folder where a command is given, else those that ship with the project."""
    return CODECS_HERE if CODECS_HERE.is_dir() else CODECS_SHIPPED


def codec_folder(named: Path) -> Path:
    """A codec's folder, named itself or by the codec's name: one of those here, else a shipped one.

    It need not be there.
    """
    if len(named.parts) > 1:
        return named
    for folder in (named, CODECS_HERE / named, CODECS_SHIPPED / named):
        if (folder / MANIFEST).exists():
            return folder
    return CODECS_HERE / named


def default_name(dataset: str, preset: str, system: str) -> str:
    """What a codec is called that nobody named: DATASET-PRESET[-SYSTEM]."""
    name = f"{dataset}-{preset.replace('_', '-')}"
    return name if system == "rkd-sc" else f"{name}-{system}"


class WeightFile(BaseModel):
    """Size and identity of one file of weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(ge=1, le=MAX_WEIGHT_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class CodecManifest(BaseModel):
    """What `manifest.json` holds. `training` and `results` are the record, not the identity."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")
    dataset: str = Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")
    architecture: CodecArchitecture
    weights: dict[End, WeightFile]
    training: dict[str, Any] = {}
    results: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        """SHA-256 over architecture and weights, hexadecimal."""
        weights = {str(end): file.sha256 for end, file in self.weights.items()}
        return codec_digest(self.architecture, weights)


@dataclass(frozen=True)
class Checkpoint:
    """A codec's folder with its manifest, read and valid; weights are checked when read."""

    folder: Path
    manifest: CodecManifest

    @property
    def digest(self) -> str:
        """The codec's digest."""
        return self.manifest.digest

    def read_weights(self, end: End) -> Arrays:
        """Read one end's weights, checked against the manifest and for values that are finite.

        Raises:
            CheckpointError: missing, truncated, altered, not safetensors, or NaN/Inf inside.
        """
        path = weight_path(self.folder, end)
        expected = self.manifest.weights.get(end)
        if expected is None:
            raise CheckpointError(f"codec {self.folder} has no weights for the {end}")
        content = _read(path, MAX_WEIGHT_BYTES)
        if len(content) != expected.bytes:
            raise CheckpointError(
                f"{path} has {len(content)} bytes, its manifest says {expected.bytes}: "
                f"truncated or replaced, copy it again"
            )
        if hashlib.sha256(content).hexdigest() != expected.sha256:
            raise CheckpointError(f"{path} does not match the SHA-256 of its manifest")
        return _parse(content, path)

    def verify(self) -> None:
        """Check all weights. Raises CheckpointError on the first that cannot be trusted."""
        for end in self.manifest.weights:
            self.read_weights(end)


def weight_path(folder: Path, end: End) -> Path:
    """Where an end's weights lie."""
    return folder / f"{end}.safetensors"


def open_checkpoint(folder: Path, *, expected_digest: str | None = None) -> Checkpoint:
    """Read and validate the manifest of a codec.

    Raises:
        CheckpointError: missing, not valid, or not the codec that was expected.
    """
    path = folder / MANIFEST
    content = _read(path, MAX_MANIFEST_BYTES)
    try:
        manifest = CodecManifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise CheckpointError(f"{path}: {_line(where)}: {_line(first['msg'])}") from error
    if set(manifest.weights) != {"transmitter", "receiver"}:
        raise CheckpointError(f"{path}: weights must name transmitter and receiver")
    if expected_digest is not None and manifest.digest != expected_digest:
        raise CheckpointError(
            f"codec {folder} has digest {manifest.digest[:12]}, expected {expected_digest[:12]}: "
            f"both ends must use the same codec"
        )
    return Checkpoint(folder=folder, manifest=manifest)


def write_checkpoint(
    folder: Path,
    *,
    name: str,
    dataset: str,
    architecture: CodecArchitecture,
    weights: dict[End, Arrays],
    training: dict[str, Any],
    results: dict[str, Any],
) -> Checkpoint:
    """Write a codec: weights first, manifest last, each file whole or absent.

    Raises:
        StorageError: the disk is full or refuses; an older codec there stays readable only if
            its weights were not yet replaced, so export into a new folder.
    """
    files: dict[End, WeightFile] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for end, arrays in weights.items():
            content = format_safetensors(dict(arrays))
            write_atomically(weight_path(folder, end), content)
            files[end] = WeightFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        manifest = CodecManifest(
            name=name,
            dataset=dataset,
            architecture=architecture,
            weights=files,
            training=training,
            results=results,
        )
        text = json.dumps(manifest.model_dump(mode="json"), indent=1)
        write_atomically(folder / MANIFEST, text.encode())
    except OSError as error:
        raise StorageError(f"cannot write codec {folder}: {error.strerror}") from error
    return Checkpoint(folder=folder, manifest=manifest)


def _read(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise CheckpointError(f"{path} is larger than {limit} bytes")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"no such file: {path}") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:  # a zero byte in the name
        raise CheckpointError(f"cannot read {_line(repr(str(path)))}: {error}") from error


def _parse(content: bytes, path: Path) -> Arrays:
    try:
        arrays: Arrays = parse_safetensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not safetensors: {_line(error)}") from error
    for name, array in arrays.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {_line(name)} holds NaN or Inf")
    return arrays


def _line(text: object) -> str:
    """What a file says, fit for an error of one line."""
    return " ".join(str(text).split())[:MAX_QUOTED]
