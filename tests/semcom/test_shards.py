"""Image shards: canonical order, digests, and refusal of what is not whole."""

from __future__ import annotations

import errno
import hashlib
import json
import os

import numpy as np
import pytest

from semcom.errors import ConfigurationError, StorageError
from semcom.shards import Shard, canonical_order, read_manifest, split_digest, write_dataset

DICE = np.random.default_rng(0)
IMAGES_NHWC = DICE.integers(0, 256, size=(12, 8, 8, 3), dtype=np.uint8)
LABELS_N = (np.arange(12) % 3).astype(np.uint16)
CLASSES = ["ant", "bee", "cat"]


def written(root, images=IMAGES_NHWC, labels=LABELS_N, splits=("train", "test")):
    """A data set on disk, the same images in every split."""
    return write_dataset(
        root,
        name="insects",
        classes=CLASSES,
        source="a test",
        splits=dict.fromkeys(splits, (images, labels)),
    )


def pairs(images, labels):
    """Each image with its label, whatever the order."""
    return {(i.tobytes(), int(n)) for i, n in zip(images, labels, strict=True)}


def test_images_keep_their_labels_in_canonical_order(tmp_path):
    written(tmp_path)
    shard = Shard(tmp_path, "test")
    keys = [
        hashlib.sha256(int(label).to_bytes(2, "little") + image.tobytes()).digest()
        for image, label in zip(shard.images_NHWC, shard.labels_N, strict=True)
    ]
    assert keys == sorted(keys)
    assert pairs(shard.images_NHWC, shard.labels_N) == pairs(IMAGES_NHWC, LABELS_N)
    assert len(shard) == 12


def test_shard_is_read_only_and_typed(tmp_path):
    written(tmp_path)
    shard = Shard(tmp_path, "train")
    assert shard.images_NHWC.dtype == np.uint8
    assert shard.labels_N.dtype == np.uint16
    with pytest.raises(ValueError, match="read-only"):
        shard.images_NHWC[0] = 0


def test_order_of_arrival_changes_neither_order_nor_digest(tmp_path):
    first = written(tmp_path / "a")
    turned = written(tmp_path / "b", IMAGES_NHWC[::-1], LABELS_N[::-1])
    assert first == turned
    shards = [Shard(tmp_path / name, "test") for name in "ab"]
    assert np.array_equal(shards[0].images_NHWC, shards[1].images_NHWC)
    assert shards[0].digest == shards[1].digest == first.splits["test"].sha256


def test_digest_is_over_labels_then_pixels(tmp_path):
    written(tmp_path)
    shard = Shard(tmp_path, "test")
    content = shard.labels_N.astype("<u2").tobytes() + shard.images_NHWC.tobytes()
    assert shard.digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("what", ["pixel", "label", "order"])
def test_digest_changes_with(what):
    images, labels = IMAGES_NHWC.copy(), LABELS_N.copy()
    if what == "pixel":
        images[3, 4, 5, 1] ^= 1
    elif what == "label":
        labels[3] += 1
    else:
        images, labels = images[::-1], labels[::-1]
    assert split_digest(images, labels) != split_digest(IMAGES_NHWC, LABELS_N)


def test_digest_does_not_depend_on_memory_layout_or_chunks():
    many = np.resize(IMAGES_NHWC, (5000, 8, 8, 3))
    labels = np.resize(LABELS_N, 5000)
    whole = hashlib.sha256(labels.tobytes() + many.tobytes()).hexdigest()
    assert split_digest(np.asfortranarray(many), labels.astype(">u2")) == whole


def test_canonical_order_of_equal_images_goes_by_the_digest_with_the_label():
    images = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    order = canonical_order(images, np.array([0, 1], dtype=np.uint16))
    turned = canonical_order(images, np.array([1, 0], dtype=np.uint16))
    assert order.tolist() == turned.tolist()[::-1]


def test_manifest_says_what_is_there(tmp_path):
    manifest = written(tmp_path, splits=("test",))
    assert read_manifest(tmp_path) == manifest
    assert manifest.image_size == 8
    assert manifest.classes == CLASSES
    assert manifest.splits["test"].images == 12
    with pytest.raises(ConfigurationError, match="no split 'train'"):
        Shard(tmp_path, "train")


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (IMAGES_NHWC.astype(np.float32), LABELS_N, "must be square uint8"),
        (IMAGES_NHWC[:, :4], LABELS_N, "must be square uint8"),
        (IMAGES_NHWC[0], LABELS_N, "must be square uint8"),
        (IMAGES_NHWC, LABELS_N[:-1], "12 images but 11 labels"),
        (IMAGES_NHWC[:0], LABELS_N[:0], "0 images but 0 labels"),
        (IMAGES_NHWC, LABELS_N + 1, "label 3 but only 3 classes"),
    ],
)
def test_refuses_arrays_that_do_not_fit(tmp_path, images, labels, expected):
    with pytest.raises(ConfigurationError, match=f"insects/train: .*{expected}"):
        written(tmp_path, images, labels)
    with pytest.raises(ConfigurationError, match="no data set at"):
        read_manifest(tmp_path)


def test_missing_data_set_says_how_to_get_it(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"make it with: semcom data prepare cifar10 .*\w$"
    ):
        Shard(tmp_path / "cifar10", "test")
    with pytest.raises(ConfigurationError, match=r"semcom data prepare mine .*--from DIR$"):
        Shard(tmp_path / "mine", "test")


def test_images_without_classes_have_a_format_of_their_own(tmp_path):
    labels_N = np.zeros(12, dtype=np.uint16)
    splits = {"test": (IMAGES_NHWC, labels_N)}
    manifest = write_dataset(tmp_path, name="x", classes=[], source="a test", splits=splits)
    assert (manifest.format, manifest.classes) == (2, [])
    assert read_manifest(tmp_path) == manifest
    shard = Shard(tmp_path, "test")
    assert shard.digest == split_digest(shard.images_NHWC, labels_N)
    with pytest.raises(ConfigurationError, match="label 2 but only 0 classes"):
        write_dataset(
            tmp_path, name="x", classes=[], source="x", splits={"test": (IMAGES_NHWC, LABELS_N)}
        )


def test_a_manifest_with_classes_is_written_as_ever(tmp_path):
    manifest = written(tmp_path, splits=("test",))
    fields = {
        "format": 1,
        "name": "insects",
        "image_size": 8,
        "classes": CLASSES,
        "source": "a test",
        "splits": {"test": {"images": 12, "sha256": manifest.splits["test"].sha256}},
    }
    assert (tmp_path / "dataset.json").read_text() == json.dumps(fields, indent=1)


@pytest.mark.parametrize(
    ("format_", "classes", "told"),
    [
        (1, [], "classes: 0, format 1 has at least 2"),
        (1, ["ant"], "classes: 1, format 1 has at least 2"),
        (2, CLASSES, "format 2 is for items without any"),
        (3, [], "sentences: required in format 3"),
        (4, [], "splits.(test|train).tiled: required in format 4"),
        (5, CLASSES, "format: Input should be 1, 2, 3 or 4"),
    ],
)
def test_classes_that_the_format_does_not_have_are_told(tmp_path, format_, classes, told):
    written(tmp_path)
    path = tmp_path / "dataset.json"
    content = {**json.loads(path.read_text()), "format": format_, "classes": classes}
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=told) as raised:
        read_manifest(tmp_path)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "no-header", "pickle", "shorter"])
def test_damaged_shard_says_to_prepare_it_again(tmp_path, name, damage):
    written(tmp_path)
    path = tmp_path / "test" / name
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(whole[:-1])
    elif damage == "no-header":
        path.write_bytes(b"not an array at all")
    elif damage == "pickle":
        np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    else:
        np.save(path, np.load(path)[:-1])
    with pytest.raises(
        ConfigurationError, match="prepare it again with: semcom data prepare insects"
    ):
        Shard(tmp_path, "test")
    Shard(tmp_path, "train")


@pytest.mark.parametrize(
    "edit",
    [
        {"format": 2},
        {"extra": 1},
        {"image_size": 7},
        {"classes": ["one"]},
        {"splits": {"valid": {"images": 1, "sha256": "0" * 64}}},
        {"splits": {"test": {"images": 0, "sha256": "0" * 64}}},
        {"splits": {"test": {"images": 1, "sha256": "xyz"}}},
    ],
)
def test_refuses_manifest_that_is_not_valid(tmp_path, edit):
    written(tmp_path)
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **edit}))
    with pytest.raises(ConfigurationError, match="is not a data set manifest"):
        read_manifest(tmp_path)


def test_data_set_that_is_written_again_is_absent_until_it_is_whole(tmp_path, monkeypatch):
    written(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"cannot write data set .*: No space left on device"):
        written(tmp_path)

    def short(*_arguments: object, **_options: object) -> None:
        raise OSError("3 requested and 1 written")

    monkeypatch.setattr(np, "save", short)
    with pytest.raises(StorageError, match=r"cannot write data set .*: 3 requested and 1 written"):
        written(tmp_path)
    assert not list(tmp_path.glob("*/.*"))
    with pytest.raises(ConfigurationError, match="no data set at"):
        read_manifest(tmp_path)


@pytest.mark.timeout(10)
@pytest.mark.parametrize("name", ["dataset.json", "test/images.npy", "test/labels.npy"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, name, kind):
    images = np.zeros((2, 8, 8, 3), np.uint8)
    splits = {"test": (images, np.array([0, 1]))}
    write_dataset(tmp_path, name="d", classes=["a", "b"], source="s", splits=splits)
    Shard(tmp_path, "test")
    path = tmp_path / name
    path.unlink()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            path.mkdir()
    with pytest.raises(ConfigurationError, match="regular file"):
        Shard(tmp_path, "test")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_arrays_of_the_formats_that_we_write_are_mapped(tmp_path, version):
    images = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), np.uint8)
    splits = {"test": (images, np.array([0, 1]))}
    write_dataset(tmp_path, name="d", classes=["a", "b"], source="s", splits=splits)
    kept = np.array(Shard(tmp_path, "test").images_NHWC)
    with (tmp_path / "test" / "images.npy").open("wb") as file:
        np.lib.format.write_array(file, kept, version=version)
    if version == (3, 0):
        with pytest.raises(ConfigurationError, match="format"):
            Shard(tmp_path, "test")
        return
    shard = Shard(tmp_path, "test")
    assert isinstance(shard.images_NHWC, np.memmap)
    assert not shard.images_NHWC.flags.writeable
    assert np.array_equal(shard.images_NHWC, kept)
