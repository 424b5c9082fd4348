"""Images of a user's own: every layout, mode and size, and what is said of what cannot be used."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orchestrator.datasets import own_pictures, pictures
from orchestrator.datasets.prepare import draw_missing, ensure
from semcom.errors import ConfigurationError, SemcomError
from semcom.shards import Shard, read_manifest, split_digest
from tests.orchestrator.datasets import fakes
from tests.orchestrator.datasets.own_images import CLASSES, fill, image, made, sizes
from tests.properties import examples


def test_class_folders_without_a_split_hold_test_images_out(tmp_path):
    manifest = made(tmp_path, fill(tmp_path / "from"))
    assert manifest.classes == CLASSES
    assert (manifest.name, manifest.image_size) == ("mine", 16)
    assert sizes(manifest) == {"train": 8, "test": 2}
    assert "2 test images held out, a share of 0.2" in manifest.source
    for split in ("train", "test"):
        assert set(Shard(tmp_path / "data" / "mine", split).labels_N) == {0, 1}
    assert ensure("mine", tmp_path / "data" / "mine") == manifest
    draw_missing(["mine"], tmp_path / "data")


def test_held_out_images_are_the_same_whatever_their_files_are_called(tmp_path):
    first = made(tmp_path, fill(tmp_path / "from"), test_share=0.4)
    for path in (tmp_path / "from").glob("*/*.png"):
        path.rename(path.with_name(f"{hashlib.md5(path.name.encode()).hexdigest()}.png"))
    again = made(tmp_path, tmp_path / "from", test_share=0.4)
    assert sizes(again) == {"train": 6, "test": 4}
    assert again.splits == first.splits


@pytest.mark.parametrize("test", ["test", "Testing", "val", "valid", "validation", "dev"])
def test_a_split_of_the_source_is_kept(tmp_path, caplog, test):
    fill(tmp_path / "from" / "train", 4)
    fill(tmp_path / "from" / test, 3, first=50)
    manifest = made(tmp_path, tmp_path / "from")
    assert sizes(manifest) == {"train": 8, "test": 6}
    assert caplog.messages == []


def test_of_test_and_val_the_first_is_taken_and_the_other_said(tmp_path, caplog):
    for number, split in enumerate(("train", "val", "test")):
        fill(tmp_path / "from" / split, 2 + number, first=50 * number)
    assert sizes(made(tmp_path, tmp_path / "from")) == {"train": 4, "test": 8}
    assert caplog.messages == ["mine: skipped next to the training images: val"]


def test_a_test_folder_without_classes_is_passed_over(tmp_path, caplog):
    fill(tmp_path / "from" / "train")
    (tmp_path / "from" / "test").mkdir()
    image(7).save(tmp_path / "from" / "test" / "7.png")
    assert sizes(made(tmp_path, tmp_path / "from")) == {"train": 8, "test": 2}
    assert "mine: skipped next to the training images: test" in caplog.messages


def test_images_lie_any_number_of_folders_below_their_class(tmp_path):
    plain = made(tmp_path, fill(tmp_path / "from"))
    for path in [*(tmp_path / "from").glob("*/*.png")]:
        deep = path.parent / "a" / "b"
        deep.mkdir(parents=True, exist_ok=True)
        path.rename(deep / path.name)
    assert made(tmp_path, tmp_path / "from").splits == plain.splits


@pytest.mark.parametrize("how", ["folder", "zip", "one folder below", "train alone"])
def test_one_digest_from_folder_archive_and_parent(tmp_path, how):
    plain = made(tmp_path, fill(tmp_path / "from" / "photos"))
    source = tmp_path / "from" / "photos"
    if how == "zip":
        source = Path(shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "from"))
    elif how == "one folder below":
        source = tmp_path / "from"
    elif how == "train alone":
        source = source.rename(tmp_path / "from" / "train").parent
    assert made(tmp_path, source).splits == plain.splits


def test_a_flat_folder_has_no_classes_and_a_format_of_its_own(tmp_path):
    (tmp_path / "from").mkdir()
    for seed in range(10):
        image(seed).save(tmp_path / "from" / f"{seed}.png")
    manifest = made(tmp_path, tmp_path / "from")
    assert sizes(manifest) == {"train": 8, "test": 2}
    written = json.loads((tmp_path / "data" / "mine" / "dataset.json").read_text())
    assert (written["format"], written["classes"]) == (2, [])
    shard = Shard(tmp_path / "data" / "mine", "test")
    assert set(shard.labels_N) == {0}
    assert shard.digest == split_digest(shard.images_NHWC, shard.labels_N)


def test_flat_folders_may_be_split(tmp_path):
    for number, split in enumerate(("train", "test")):
        (tmp_path / "from" / split).mkdir(parents=True)
        for seed in range(3 - number):
            image(10 * number + seed).save(tmp_path / "from" / split / f"{seed}.png")
    manifest = made(tmp_path, tmp_path / "from")
    assert (sizes(manifest), manifest.classes) == ({"train": 3, "test": 2}, [])


@pytest.mark.parametrize("layout", ["CIFAR binary", "torchvision's pickles"])
def test_published_layouts_are_taken_under_another_name(tmp_path, monkeypatch, layout):
    splits = {"train": fakes.random_split(20, 10), "test": fakes.random_split(10, 10, seed=1)}
    folder = tmp_path / "from" / "cifar"
    if layout == "CIFAR binary":
        fakes.write_cifar10_binary(folder, fakes.CIFAR10_NAMES, splits)
    else:
        fakes.write_cifar10_pickles(folder, fakes.CIFAR10_NAMES, splits, monkeypatch)
    manifest = made(tmp_path, tmp_path / "from")
    assert manifest.classes == fakes.CIFAR10_NAMES
    assert sizes(manifest) == {"train": 20, "test": 10}
    with pytest.raises(ConfigurationError, match="--size has no effect on CIFAR-10"):
        made(tmp_path, tmp_path / "from", size=16)


def to_mode(picture: Image.Image, path: Path, mode: str) -> None:
    match mode:
        case "grey":
            picture.convert("L").save(path)
        case "16 bit":
            deep = np.asarray(picture.convert("L")).astype(np.uint16) << 8
            Image.fromarray(deep).save(path)
        case "palette":
            picture.quantize(16).save(path)
        case "transparent":
            picture.putalpha(128)
            picture.save(path)
        case "CMYK":
            picture.convert("CMYK").save(path.with_suffix(".jpg"))
        case "WebP" | "BMP":
            picture.save(path.with_suffix(f".{mode.lower()}"))


@pytest.mark.parametrize(
    ("mode", "side", "told"),
    [
        ("grey", 28, "converted from grey to RGB"),
        ("16 bit", 16, "converted from 16 bit to 8 bit"),
        ("palette", 48, "converted from a palette to RGB"),
        ("transparent", 48, "with transparency composited on white"),
        ("CMYK", 48, "converted from CMYK to RGB"),
        ("WebP", 48, None),
        ("BMP", 48, None),
    ],
)
def test_every_mode_becomes_a_data_set_and_is_said(tmp_path, caplog, mode, side, told):
    for path in fill(tmp_path / "from", 3, size=(side, side)).glob("*/*.png"):
        picture = Image.open(path).copy()
        path.unlink()
        to_mode(picture, path, mode)
    manifest = made(tmp_path, tmp_path / "from")
    assert manifest.image_size == side
    assert sizes(manifest) == {"train": 4, "test": 2}
    if told is None:
        assert len(caplog.messages) == 1  # of the test images
    else:
        assert f"mine: 6 images {told}" in caplog.messages
        assert f"6 images {told}" in manifest.source


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        ([(16, 16), (24, 24)], r"images of 2 sizes, 16x16 \(4\), 24x24 \(4\); .*'--size N'"),
        ([(16, 24), (16, 24)], "images of 16x24 pixels, which are not square; .*--size 16"),
        ([(1040, 1040)], "of 1040x1040 pixels, more than 1,024 per side; .*--size 1024"),
        ([(s, s) for s in range(10, 16)], r"of 6 sizes, .* and 2 more; .*'--size N'"),
    ],
)
def test_other_sizes_are_told_with_the_remedy(tmp_path, shapes, told):
    for number, shape in enumerate(shapes):
        fill(tmp_path / "from", 2, first=10 * number, size=shape)
    with pytest.raises(ConfigurationError, match=told):
        made(tmp_path, tmp_path / "from")
    assert not (tmp_path / "data" / "mine").exists()
    assert made(tmp_path, tmp_path / "from", size=16).image_size == 16


def test_resized_images_are_the_centre_and_are_counted(tmp_path, caplog):
    folder = fill(tmp_path / "from", 3)
    half = np.zeros((32, 96, 3), dtype=np.uint8)
    half[:, 32:64] = (10, 200, 30)  # the square in the centre
    Image.fromarray(half).save(folder / CLASSES[0] / "wide.png")
    image(99, (9, 9)).save(folder / CLASSES[0] / "little.png")
    made(tmp_path, folder, size=16)
    for line in (
        "mine: 1 image cropped to the square in the centre",
        "mine: 1 image reduced to 16x16",
        "mine: 1 image enlarged to 16x16",
    ):
        assert line in caplog.messages
    images = np.concatenate(
        [Shard(tmp_path / "data" / "mine", split).images_NHWC for split in ("train", "test")]
    )
    green = np.abs(images.astype(int) - (10, 200, 30)).max(axis=(1, 2, 3))
    assert (green <= 40).sum() == 1


def test_what_cannot_be_used_is_a_line_of_each_kind(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(own_pictures, "MAX_FILE_BYTES", 100_000)
    monkeypatch.setattr(own_pictures, "MAX_PIXELS", 10_000)
    folder = fill(tmp_path / "from")
    place = folder / CLASSES[0]
    for name in ("1.txt", "2.pdf"):
        (place / name).write_text("x")
    (place / "cut.png").write_bytes((place / "0.png").read_bytes()[:-30])
    (place / "empty.png").touch()
    (place / "text.jpg").write_text("not an image")
    image(1, (4, 20)).save(place / "thin.png")
    image(1, (120, 120)).save(place / "huge.png")
    (place / "heavy.png").write_bytes(bytes(100_001))
    image(1).save(place / "many.webp", save_all=True, append_images=[image(2)], lossless=True)
    os.mkfifo(place / "fifo.png")
    (place / ".DS_Store").touch()
    image(5).save(folder / "astray.png")
    manifest = made(tmp_path, folder)
    assert sizes(manifest) == {"train": 8, "test": 2}
    assert {line.removeprefix("mine: ") for line in caplog.messages} == {
        "1 hidden or system file skipped",
        "1 image next to the class folders skipped; it is astray.png",
        "1 left out: damaged; it is cat 2/cut.png",
        "1 left out: empty; it is cat 2/empty.png",
        "1 left out: larger than 0 MiB; it is cat 2/heavy.png",
        "1 left out: larger than 10,000 pixels; it is cat 2/huge.png",
        "1 left out: not PNG, JPEG, WEBP or BMP images; it is cat 2/text.jpg",
        "1 left out: not readable; it is cat 2/fifo.png",
        "1 left out: several frames or images in one file; it is cat 2/many.webp",
        "1 left out: smaller than 8x8 pixels; it is cat 2/thin.png",
        "2 left out: not named like images; the first is cat 2/1.txt",
        "2 test images held out, a share of 0.2",
    }


def test_images_in_two_classes_or_in_both_splits_are_said(tmp_path, caplog):
    fill(tmp_path / "from" / "train")
    fill(tmp_path / "from" / "test", 1, first=50)
    train, test = (tmp_path / "from" / split for split in ("train", "test"))
    shutil.copy(train / CLASSES[0] / "0.png", train / CLASSES[1] / "copy.png")
    shutil.copy(train / CLASSES[0] / "1.png", test / CLASSES[0] / "copy.png")
    made(tmp_path, tmp_path / "from")
    assert "mine: 1 file found in more than one class" in caplog.messages
    assert "mine: 1 test image also among the training images" in caplog.messages


def test_a_renamed_folder_of_shards_is_not_taken_for_another_set(tmp_path):
    made(tmp_path, fill(tmp_path / "from"))
    (tmp_path / "data" / "mine").rename(tmp_path / "data" / "other")
    with pytest.raises(ConfigurationError, match=r"other holds 'mine' .*not 'other'"):
        ensure("other", tmp_path / "data" / "other")


@examples(40)
@given(
    name=st.sampled_from(["x.png", "x.jpg", "x.webp", "x.bmp", "x"]),
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP"]),
    keep=st.floats(0, 1),
    damage=st.binary(max_size=12),
)
def test_any_damaged_file_is_used_or_left_out(tmp_path_factory, name, kind, keep, damage):
    tmp_path = tmp_path_factory.mktemp("own")
    folder = fill(tmp_path / "from", 2)
    path = folder / CLASSES[0] / name
    image(3).save(path, kind)
    content = path.read_bytes()
    end = int(keep * len(content))
    path.write_bytes(content[:end] + damage + content[end + len(damage) :])
    told, manifest = "", None
    try:
        manifest = made(tmp_path, folder)
    except SemcomError as error:
        told = str(error)
    if manifest is None:  # another size by its damaged header
        assert "sizes" in told
        assert len(told.splitlines()) == 1
    else:
        taken = sum(sizes(manifest).values())
        assert taken == 5 or (taken == 4 and "1 left out" in manifest.source)
        assert read_manifest(tmp_path / "data" / "mine") == manifest
    shutil.rmtree(tmp_path)


def test_known_layouts_take_the_formats_they_always_took():
    assert pictures.FORMATS == ("PNG", "JPEG")
    assert set(pictures.FORMATS) < set(own_pictures.FORMATS)
