"""Codecs on disk: safetensors under a manifest with SHA-256 (no torch here).

    codecs/<name>/manifest.json              what it is, what it was trained on, the digests
    codecs/<name>/transmitter.safetensors    encoder.*, channel_encoder.*
    codecs/<name>/receiver.safetensors       decoder.*, head.*

The *digest* of a codec is the SHA-256 of its architecture and weights: two codecs with the same
digest compute the same. Every frame carries it, so both ends are known to belong together.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from semcom.architecture import CodecArchitecture
from semcom.codec_arrays import Arrays, End, format_arrays, parse_arrays
from semcom.codec_manifest import (
    MANIFESTS,
    MAX_WEIGHT_BYTES,
    AnyManifest,
    CodecManifest,
    WeightFile,
)
from semcom.errors import CheckpointError, ConfigurationError, StorageError
from semcom.families.family import ReceiverHalf, TransmitterHalf
from semcom.files import read_file, write_atomically
from semcom.settings import Engine
from semcom.shipped import shipped
from semcom.snr_rates import SnrRates

MANIFEST = "manifest.json"
CODECS_HERE = Path("codecs")
CODECS_SHIPPED = shipped("codecs")
MAX_MANIFEST_BYTES = 1 << 20
MAX_QUOTED = 300  # characters of a file's text in an error


def default_root() -> Path:
    """Return the folder `codecs` in the current folder if it exists, otherwise the shipped one."""
    return CODECS_HERE if CODECS_HERE.is_dir() else CODECS_SHIPPED


def find_codec(root: Path, name: str) -> Path:
    """Return the folder of a codec: `root`/`name`, else that of the shipped codec of this name.

    It need not exist. `root`/`name` takes precedence even if it is damaged, so that no other codec
    replaces it unnoticed.
    """
    own, shipped_one = root / name, CODECS_SHIPPED / name
    missing = not os.path.lexists(own) and os.path.exists(shipped_one / MANIFEST)  # noqa: PTH110
    return shipped_one if missing else own


def codec_folder(named: Path) -> Path:
    """Return a codec's folder, given as a path or by the name of one here or a shipped one.

    It need not exist.
    """
    if len(named.parts) > 1:
        return named
    for folder in (named, CODECS_HERE / named, CODECS_SHIPPED / named):
        if (folder / MANIFEST).exists():
            return folder
    return CODECS_HERE / named


def default_name(dataset: str, preset: str, system: str) -> str:
    """Return the default name of a codec: DATASET-PRESET[-SYSTEM]."""
    name = f"{dataset}-{preset.replace('_', '-')}"
    return name if system == "rkd-sc" else f"{name}-{system}"


@dataclass(frozen=True)
class Checkpoint:
    """A codec's folder with its validated manifest; weights are checked when they are read."""

    folder: Path
    manifest: AnyManifest

    @property
    def digest(self) -> str:
        """The codec's digest."""
        return self.manifest.digest

    @property
    def architecture(self) -> CodecArchitecture:
        """Return the architecture of a codec of the paper's families.

        Raises:
            CheckpointError: it is of another family.
        """
        if isinstance(self.manifest, CodecManifest):
            return self.manifest.architecture
        raise CheckpointError(
            f"codec {self.folder.name} is of the family {self.manifest.family_name}; this "
            "function takes "
            f"codecs of rkd and jscc"
        )

    def read_weights(self, end: End) -> Arrays:
        """Read one end's weights of a codec of the paper's families, checked as in `read_half`.

        Raises:
            CheckpointError: they cannot be trusted, or the codec is of another family.
        """
        self.architecture  # noqa: B018 - of another family there are none
        return parse_arrays(self.read_half(end))

    def read_half(self, end: End) -> bytes:
        """Read one end's file and check it against the manifest, without running a network.

        Raises:
            CheckpointError: it is missing, truncated, altered, or unusable for its family.
        """
        path = self.path(end)
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
        try:
            self.manifest.family.check_content(self.manifest, end, content)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        return content

    def verify(self) -> None:
        """Check both files; raise CheckpointError for the first that cannot be trusted."""
        for end in self.manifest.weights:
            self.read_half(end)

    def path(self, end: End) -> Path:
        """Return the path of an end's file."""
        return self.folder / self.manifest.family.files[end]

    def load_transmitter(self, *, engine: Engine = "torch", threads: int = 1) -> TransmitterHalf:
        """Load the transmitting half, ready for use; see `Family.load_transmitter`."""
        return self.manifest.family.load_transmitter(self, engine=engine, threads=threads)

    def load_receiver(
        self, *, engine: Engine = "torch", device: str = "cpu", threads: int = 1
    ) -> ReceiverHalf:
        """Load the receiving half, ready for use; see `Family.load_receiver`."""
        return self.manifest.family.load_receiver(
            self, engine=engine, device=device, threads=threads
        )


def open_checkpoint(folder: Path, *, expected_digest: str | None = None) -> Checkpoint:
    """Read and validate the manifest of a codec.

    Raises:
        CheckpointError: the manifest is missing, not valid, or not that of the expected codec.
    """
    path = folder / MANIFEST
    content = _read(path, MAX_MANIFEST_BYTES)
    try:
        manifest = MANIFESTS.validate_json(content)
    except ValidationError as error:
        places = error.errors()[0]["loc"]
        where = ".".join(str(part) for part in places[1:]) or "document"  # after the format
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
    """Write a codec: weights first, manifest last, each file complete or absent.

    Raises:
        StorageError: the disk is full or cannot be written; an older codec there stays readable
            only if its weights have not been replaced yet, so export to a new folder.
    """
    contents = {end: format_arrays(arrays) for end, arrays in weights.items()}
    manifest = CodecManifest(
        name=name,
        dataset=dataset,
        classes=classes,
        architecture=architecture,
        weights=weight_files(contents),
        training=training,
        results=results,
    )
    return write_codec(folder, manifest, contents)


def weight_files(contents: Mapping[End, bytes]) -> dict[End, WeightFile]:
    """Return the manifest's entries for the files of both ends."""
    return {
        end: WeightFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for end, content in contents.items()
    }


def write_codec(folder: Path, manifest: AnyManifest, contents: Mapping[End, bytes]) -> Checkpoint:
    """Write a codec of any family: its files first, the manifest last, each complete or absent.

    Raises:
        StorageError: as for `write_checkpoint`.
    """
    written = Checkpoint(folder=folder, manifest=manifest)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for end, content in contents.items():
            write_atomically(written.path(end), content)
        write_atomically(folder / MANIFEST, manifest.as_json())
    except OSError as error:
        raise StorageError(f"cannot write codec {folder}: {error.strerror}") from error
    return written


def name_classes(checkpoint: Checkpoint, classes: list[str]) -> Checkpoint:
    """Write class names into the manifest of a codec that has none; its digest does not change.

    Raises:
        ConfigurationError: the number of names is not the codec's number of classes.
        StorageError: the disk is full or cannot be written.
    """
    content: dict[str, Any] = {}
    for key, value in _as_written(checkpoint).items():
        if key != "classes":
            content[key] = value
        if key == "dataset":
            content["classes"] = classes
    return _rewritten(checkpoint, content)


def state_rates(checkpoint: Checkpoint, rates: SnrRates, made: Mapping[str, Any]) -> Checkpoint:
    """Write a table of increments by SNR into the manifest of a codec; its digest stays.

    Args:
        checkpoint: of an ordered codec.
        rates: the table; it replaces an earlier one.
        made: how it was made, for the record.

    Raises:
        ConfigurationError: the codec has fewer increments, or one length.
        StorageError: the disk is full or refuses.
    """
    content = _as_written(checkpoint)
    content["training"] = {**content.get("training", {}), "snr_rates": dict(made)}
    content["snr_rates"] = rates.model_dump(mode="json")
    return _rewritten(checkpoint, content)


def _as_written(checkpoint: Checkpoint) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_read(checkpoint.folder / MANIFEST, MAX_MANIFEST_BYTES))
    return content


def _rewritten(checkpoint: Checkpoint, content: dict[str, Any]) -> Checkpoint:
    """Write a manifest that names the same weights."""
    path = checkpoint.folder / MANIFEST
    try:
        manifest = MANIFESTS.validate_python(content)
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


def _reason(error: ValidationError) -> str:
    return _line(error.errors()[0]["msg"].removeprefix("Value error, "))


def _line(text: object) -> str:
    """Return text from a file in a form that fits into a one-line error."""
    return " ".join(str(text).split())[:MAX_QUOTED]
