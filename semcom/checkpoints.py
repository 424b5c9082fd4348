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
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as format_safetensors

from semcom.architecture import CodecArchitecture
from semcom.codec_arrays import Arrays, End, check_arrays
from semcom.errors import CheckpointError, ConfigurationError, StorageError
from semcom.files import read_file, write_atomically
from semcom.identity import codec_digest
from semcom.shipped import shipped
from semcom.tasks.classification import Classification
from semcom.tasks.task import Task

MANIFEST = "manifest.json"
CODECS_HERE = Path("codecs")
CODECS_SHIPPED = shipped("codecs")
MAX_MANIFEST_BYTES = 1 << 20
MAX_WEIGHT_BYTES = 1 << 30
MAX_CLASS_NAME = 1000
MAX_QUOTED = 300  # characters of what a file says, in an error


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
    """What `manifest.json` holds. Architecture and weights are the identity, the rest is record.

    `classes` are the names of the classes in label order; None in codecs from before they had any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")
    dataset: str = Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")
    classes: list[str] | None = None
    architecture: CodecArchitecture
    weights: dict[End, WeightFile]
    training: dict[str, Any] = {}
    results: dict[str, Any] = {}

    @model_validator(mode="after")
    def _names_each_class(self) -> Self:
        names, count = self.classes, self.architecture.classes
        if names is None:
            return self
        if len(names) != count:
            raise ValueError(f"classes holds {len(names)} names, the architecture has {count}")
        if not all(name.strip() and len(name) <= MAX_CLASS_NAME for name in names):
            raise ValueError(f"classes: names have 1 to {MAX_CLASS_NAME} characters, not all blank")
        if len(set(names)) != count:
            raise ValueError("classes holds a name twice")
        return self

    @property
    def task(self) -> Task:
        """What its answers are."""
        return Classification(classes=self.architecture.classes)

    def as_json(self) -> bytes:
        """The content of `manifest.json`."""
        left_out = {"classes"} if self.classes is None else set()
        return json.dumps(self.model_dump(mode="json", exclude=left_out), indent=1).encode()

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
        """Read one end's weights, checked against the manifest in every way that needs no network.

        Raises:
            CheckpointError: missing, truncated, altered, not safetensors, of another architecture,
                or with values that no network can use.
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
        arrays = _parse(content, path)
        try:
            check_arrays(self.manifest.architecture, end, arrays)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        return arrays

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
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "document"
        raise CheckpointError(f"{path}: {_line(where)}: {_reason(error)}") from error
    if set(manifest.weights) != {"transmitter", "receiver"}:
        raise CheckpointError(f"{path}: weights must name transmitter and receiver")
    if expected_digest is not None and manifest.digest != expected_digest:
        raise CheckpointError(
            f"codec {folder} has digest {manifest.digest[:12]}, expected {expected_digest[:12]}: "
            f"both ends must use the same codec"
        )
    return Checkpoint(folder=folder, manifest=manifest)


def write_checkpoint(  # noqa: PLR0913 - the fields of a manifest
    folder: Path,
    *,
    name: str,
    dataset: str,
    architecture: CodecArchitecture,
    weights: dict[End, Arrays],
    training: dict[str, Any],
    results: dict[str, Any],
    classes: list[str] | None = None,
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
            classes=classes,
            architecture=architecture,
            weights=files,
            training=training,
            results=results,
        )
        write_atomically(folder / MANIFEST, manifest.as_json())
    except OSError as error:
        raise StorageError(f"cannot write codec {folder}: {error.strerror}") from error
    return Checkpoint(folder=folder, manifest=manifest)


def name_classes(checkpoint: Checkpoint, classes: list[str]) -> Checkpoint:
    """Write class names into the manifest of a codec that has none; its digest stays.

    Raises:
        ConfigurationError: another number of names than the codec has classes.
        StorageError: the disk is full or refuses.
    """
    path = checkpoint.folder / MANIFEST
    content: dict[str, Any] = {}
    for key, value in json.loads(_read(path, MAX_MANIFEST_BYTES)).items():  # as it was written
        if key != "classes":
            content[key] = value
        if key == "dataset":
            content["classes"] = classes
    try:
        manifest = CodecManifest.model_validate(content)
        write_atomically(path, json.dumps(content, indent=1).encode())
    except ValidationError as error:
        raise ConfigurationError(f"codec {checkpoint.folder}: {_reason(error)}") from error
    except OSError as error:
        raise StorageError(f"cannot write {checkpoint.folder}: {error.strerror}") from error
    assert manifest.digest == checkpoint.digest
    return Checkpoint(folder=checkpoint.folder, manifest=manifest)


def _read(path: Path, limit: int) -> bytes:
    try:
        return read_file(path, max_bytes=limit)
    except FileNotFoundError as error:
        raise CheckpointError(f"no such file: {path}") from error
    except OSError as error:
        raise CheckpointError(f"cannot read {_line(path)}: {error.strerror}") from error


def _parse(content: bytes, path: Path) -> Arrays:
    try:
        arrays: Arrays = parse_safetensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is not safetensors: {_line(error)}") from error
    return arrays


def _reason(error: ValidationError) -> str:
    return _line(error.errors()[0]["msg"].removeprefix("Value error, "))


def _line(text: object) -> str:
    """What a file says, fit for an error of one line."""
    return " ".join(str(text).split())[:MAX_QUOTED]
