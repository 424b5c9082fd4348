"""Codecs on disk: whole, unaltered, finite and of the right shape, or refused in one line."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import save
from torch import nn

from semcom.checkpoints import (
    CODECS_SHIPPED,
    MAX_MANIFEST_BYTES,
    Checkpoint,
    CodecManifest,
    open_checkpoint,
    write_checkpoint,
)
from semcom.errors import CheckpointError, StorageError
from semcom.nn.weights import load_arrays, to_arrays
from tests.semcom.small_codec import ARCHITECTURE, fitting_arrays

TRANSMITTER, RECEIVER = fitting_arrays("transmitter"), fitting_arrays("receiver")


def written(folder: Path, **changed: Any) -> Checkpoint:
    """A codec on disk."""
    fields: dict[str, Any] = {
        "name": "codec-1",
        "dataset": "cifar10",
        "architecture": ARCHITECTURE,
        "weights": {"transmitter": TRANSMITTER, "receiver": RECEIVER},
        "training": {"seed": 0},
        "results": {"accuracy": 0.9},
    }
    return write_checkpoint(folder, **{**fields, **changed})


def edit_manifest(folder: Path, edit: dict[str, Any]) -> None:
    """Change keys of the manifest; a dotted key leads into it, None takes it out."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    for key, value in edit.items():
        *parents, last = key.split(".")
        inner = content
        for parent in parents:
            inner = inner[parent]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    path.write_text(json.dumps(content))


def pass_off(folder: Path, content: bytes) -> None:
    """Put other content in place of the receiver's weights, under an honest manifest."""
    (folder / "receiver.safetensors").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_manifest(
        folder, {"weights.receiver.bytes": len(content), "weights.receiver.sha256": digest}
    )


def refusal(folder: Path, **options: Any) -> str:
    """The one line with which a codec is refused on opening or verifying."""
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(folder, **options).verify()
    line = str(caught.value)
    assert "\n" not in line
    assert str(folder) in line
    return line


def test_codec_comes_back_as_it_was_written(tmp_path):
    wrote = written(tmp_path / "a")
    read = open_checkpoint(tmp_path / "a", expected_digest=wrote.digest)
    assert read.manifest == wrote.manifest
    assert read.manifest.training == {"seed": 0}
    for end, expected in (("transmitter", TRANSMITTER), ("receiver", RECEIVER)):
        arrays = read.read_weights(end)
        assert arrays.keys() == expected.keys()
        for name, array in expected.items():
            assert arrays[name].dtype == array.dtype
            assert np.array_equal(arrays[name], array)
    read.verify()


def test_nothing_but_the_codec_is_left_in_its_folder(tmp_path):
    written(tmp_path / "a")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["manifest.json", "receiver.safetensors", "transmitter.safetensors"]


def test_digest_is_that_of_architecture_and_weights_and_of_nothing_else(tmp_path):
    digest = written(tmp_path / "a").digest
    record = {"name": "other", "dataset": "mnist", "training": {}, "results": {"x": 1}}
    assert written(tmp_path / "b", **record).digest == digest
    sizes = {end: tmp_path / "a" / f"{end}.safetensors" for end in ("receiver", "transmitter")}
    identity = {
        "architecture": ARCHITECTURE.model_dump(mode="json"),
        "weights": {
            end: hashlib.sha256(path.read_bytes()).hexdigest() for end, path in sizes.items()
        },
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    assert digest == hashlib.sha256(text.encode()).hexdigest()


def test_digest_tells_weights_and_architectures_apart(tmp_path):
    other = {**RECEIVER, "head.linear.bias": RECEIVER["head.linear.bias"] + np.float16(0.001)}
    codecs = [
        written(tmp_path / "a"),
        written(tmp_path / "b", weights={"transmitter": TRANSMITTER, "receiver": other}),
        written(tmp_path / "c", architecture=ARCHITECTURE.model_copy(update={"classes": 11})),
    ]
    assert len({codec.digest for codec in codecs}) == 3


def test_refuses_another_codec_than_expected(tmp_path):
    digest = written(tmp_path / "a").digest
    line = refusal(tmp_path / "a", expected_digest="0" * 64)
    assert digest[:12] in line
    assert "000000000000" in line
    assert "both ends must use the same codec" in line


@pytest.mark.parametrize("end", ["transmitter", "receiver"])
def test_refuses_missing_end(tmp_path, end):
    written(tmp_path)
    (tmp_path / f"{end}.safetensors").unlink()
    assert "no such file" in refusal(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[:-1], lambda whole: whole + b"\0", lambda whole: b""],
    ids=["truncated", "longer", "empty"],
)
def test_refuses_weights_of_another_size(tmp_path, damage):
    written(tmp_path)
    path = tmp_path / "receiver.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert "its manifest says" in refusal(tmp_path)


def test_refuses_weights_with_any_flipped_bit(tmp_path):
    written(tmp_path)
    path = tmp_path / "transmitter.safetensors"
    whole = path.read_bytes()
    for place in {*range(400), *range(0, len(whole), 101), len(whole) - 1}:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(bytes(flipped))
        assert "does not match the SHA-256" in refusal(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_refuses_weights_that_are_not_finite(tmp_path, value, dtype):
    written(tmp_path)
    bias = np.array([*range(9), value], dtype=dtype)
    pass_off(tmp_path, save({**RECEIVER, "head.linear.bias": bias}))
    assert "head.linear.bias holds NaN or Inf" in refusal(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"head.w": [1.0]}),
        b"PK\x03\x04" + bytes(60),
        bytes(64),
        b"\xff" * 64,
        (10).to_bytes(8, "little") + b'{"a": 1}  ',
        save({"head.w": np.ones(4)})[:-1],
    ],
    ids=["pickle", "zip", "zeros", "ones", "no-tensor", "short"],
)
def test_refuses_what_is_not_safetensors_even_under_an_honest_manifest(tmp_path, content):
    written(tmp_path)
    pass_off(tmp_path, content)
    assert "is not safetensors" in refusal(tmp_path)


def test_pickle_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    written(tmp_path)
    pass_off(tmp_path, pickle.dumps(Bomb()))
    refusal(tmp_path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"weights.receiver.md5": "0"}, "weights.receiver.md5: Extra inputs"),
        ({"architecture.encoder.layers": 3}, "architecture.encoder.student.layers: Extra inputs"),
        ({"format": 3}, "format: Input should be 1"),
        ({"name": "../up"}, "name: String should match"),
        ({"dataset": None}, "dataset: Field required"),
        ({"architecture.classes": 1}, "architecture.classes: Input should be greater"),
        (
            {"architecture.encoder.depths": [1, 2, 2]},
            "architecture.encoder.student.depths.3: Field",
        ),
        (
            {"architecture.encoder.depths": [1, 2, 2, 6]},
            "architecture.encoder.student.depths.3: Input",
        ),
        ({"architecture.channel.compression_ratio": 0.999}, "leaves no codeword"),
        ({"architecture.channel.feature_dim": 256}, "feature_dim"),
        ({"weights.receiver": None}, "must name transmitter and receiver"),
        ({"weights.middle": {"bytes": 1, "sha256": "0" * 64}}, "weights.middle"),
        ({"weights.receiver.sha256": "0" * 63}, "weights.receiver.sha256: String should match"),
        ({"weights.receiver.bytes": 0}, "weights.receiver.bytes: Input should be greater"),
        ({"weights.receiver.bytes": 2**31}, "weights.receiver.bytes: Input should be less"),
    ],
)
def test_refuses_manifest_that_is_not_valid(tmp_path, edit, expected):
    written(tmp_path)
    edit_manifest(tmp_path, edit)
    assert expected in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "document: Invalid JSON"),
        (b"{", "document: Invalid JSON"),
        (b"[]", "document: "),
        (b"\xff", "document: Invalid JSON"),
        (b"[" * 100_000, "document: Invalid JSON"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "larger than"),
    ],
)
def test_refuses_manifest_that_is_no_document(tmp_path, content, expected):
    written(tmp_path)
    (tmp_path / "manifest.json").write_bytes(content)
    assert expected in refusal(tmp_path)


def test_refuses_folder_without_manifest(tmp_path):
    assert "no such file" in refusal(tmp_path)
    (tmp_path / "manifest.json").mkdir()
    assert "cannot read" in refusal(tmp_path)


def fail_at(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let the disk be full when the `count`-th file is written."""
    calls = iter(range(1, 100))
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if next(calls) == count:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_full_disk_leaves_no_codec_that_could_be_opened(tmp_path, monkeypatch, count):
    fail_at(monkeypatch, count)
    with pytest.raises(StorageError, match=r"cannot write codec .*No space left"):
        written(tmp_path)
    assert "no such file" in refusal(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_full_disk_leaves_the_older_codec_serving_while_its_weights_are_there(
    tmp_path, monkeypatch
):
    older = written(tmp_path)
    fail_at(monkeypatch, 1)
    with pytest.raises(StorageError):
        written(tmp_path, weights={"transmitter": {}, "receiver": {}})
    open_checkpoint(tmp_path, expected_digest=older.digest).verify()


def test_weights_are_stored_in_half_and_computed_in_single_precision():
    source, target = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    nn.init.normal_(source.weight)
    arrays = to_arrays({"norm": source})
    assert arrays["norm.weight"].dtype == np.float16
    assert arrays["norm.num_batches_tracked"].dtype == np.int64
    load_arrays({"norm": target}, arrays)
    assert target.weight.dtype == source.weight.dtype
    assert target.weight.equal(source.weight.detach().half().float())


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_refuses_to_store_weights_that_are_not_finite(value):
    linear = nn.Linear(2, 1)
    nn.init.constant_(linear.bias, value)
    with pytest.raises(CheckpointError, match=r"head\.bias does not fit into float16"):
        to_arrays({"head": linear})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"head.weight": np.ones((2, 1))}, "weights do not fit the head: size mismatch for weight"),
        ({"head.weight": np.ones(2)}, "weights do not fit the head: size mismatch for weight"),
        ({"head.bias": None}, "weights do not fit the head: Missing key"),
        ({"head.extra": np.ones(1)}, "weights do not fit the head: Unexpected key"),
        ({"tail.bias": np.ones(1)}, "'tail.bias' belong to no part of this codec"),
        ({"bias": np.ones(1)}, "'bias' belong to no part of this codec"),
    ],
)
def test_refuses_weights_that_do_not_fit(changed, expected):
    linear = nn.Linear(2, 1)
    arrays = {**to_arrays({"head": linear}), **changed}
    with pytest.raises(CheckpointError) as caught:
        load_arrays({"head": linear}, {n: a for n, a in arrays.items() if a is not None})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["manifest.json", "transmitter.safetensors"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, name, kind):
    written(tmp_path)
    path = tmp_path / name
    path.unlink()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            path.mkdir()
    assert "not a regular file" in refusal(tmp_path)


@pytest.mark.parametrize("classes", [["a", "a"], ["a", " "]])
def test_names_of_classes_are_told_apart(classes):
    shipped = open_checkpoint(CODECS_SHIPPED / "shapes10").manifest.model_dump(mode="json")
    shipped["classes"] = classes * 5
    with pytest.raises(ValidationError, match="classes"):
        CodecManifest.model_validate(shipped)
