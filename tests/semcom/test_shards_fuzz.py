"""Data sets on disk with any damage: read, or told in one line."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.errors import ConfigurationError
from semcom.shards import Shard, write_dataset
from tests.properties import examples

FILES = ("dataset.json", "test/images.npy", "test/labels.npy")
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "insects"
    images_NHWC = np.zeros((4, 8, 8, 3), np.uint8)
    labels_N = np.array([0, 1, 0, 1], np.uint16)
    splits = {"test": (images_NHWC, labels_N)}
    write_dataset(folder, name="insects", classes=["ant", "bee"], source="x", splits=splits)
    return folder


@examples(150)
@given(
    name=st.sampled_from(FILES),
    damage=DAMAGE,
    keep=st.floats(0.5, 1.5),
    early=st.booleans(),
    added=st.sampled_from([b"", b"x", bytes(100)]),
)
def test_any_damage_is_read_or_told_in_one_line(
    whole, tmp_path_factory, name, damage, keep, early, added
):
    folder = tmp_path_factory.mktemp("fuzz") / "insects"
    shutil.copytree(whole, folder)
    content = bytearray((folder / name).read_bytes())
    content = content[: int(keep * len(content))] + added
    for place, value in damage:
        content[int(place * (min(128, len(content)) if early else len(content)))] = value
    (folder / name).write_bytes(content)
    told = ""
    try:
        shard = Shard(folder, "test")
        assert len(shard) == len(shard.images_NHWC) == 4
    except ConfigurationError as error:
        told = str(error)
    assert "\n" not in told
    assert not told or str(folder) in told


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_told_at_once(whole, tmp_path, name, kind):
    shutil.copytree(whole, tmp_path / "insects")
    path = tmp_path / "insects" / name
    path.unlink()
    os.mkfifo(path) if kind == "fifo" else path.mkdir()
    with pytest.raises(ConfigurationError, match="not a regular file"):
        Shard(tmp_path / "insects", "test")


def test_a_label_beyond_the_classes_is_told(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "insects")
    np.save(tmp_path / "insects" / "test" / "labels.npy", np.array([0, 1, 2, 1], np.uint16))
    with pytest.raises(ConfigurationError, match=r"it has label 2, but 2 classes"):
        Shard(tmp_path / "insects", "test")


def test_classes_of_one_name_are_refused(tmp_path):
    splits = {"test": (np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 1], np.uint16))}
    with pytest.raises(ConfigurationError, match="two classes have the same name"):
        write_dataset(tmp_path / "x", name="x", classes=["a", "a"], source="x", splits=splits)
