"""Folders and options of which no data set of one's own can be made: one line each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.datasets.own_sets import prepare_own
from semcom.errors import ConfigurationError
from tests.orchestrator.datasets.own_images import CLASSES, fill, image, made


def damage(*files: Path) -> None:
    for path in files:
        path.write_bytes(b"x")


def all_but_one(folder: Path) -> None:
    for path in sorted((folder / CLASSES[1]).iterdir())[1:]:
        path.unlink()


def copies_only(folder: Path) -> None:
    files = sorted((folder / CLASSES[1]).iterdir())
    for path in files[1:]:
        shutil.copy(files[0], path)


def one_class_beside_images(folder: Path) -> None:
    shutil.rmtree(folder / CLASSES[1])
    for seed in (1, 2):
        image(seed).save(folder / f"{seed}.png")


def other_classes(folder: Path) -> None:
    folder.rename(folder.with_name("x"))
    folder.mkdir()
    folder.with_name("x").rename(folder / "train")
    fill(folder / "test")
    (folder / "test" / CLASSES[0]).rename(folder / "test" / "dog")


# What leaves a folder of which no data set can be made.
SPOILED = {
    "empty": lambda folder: [shutil.rmtree(folder / name) for name in CLASSES],
    "no images": lambda folder: [p.rename(p.with_suffix(".txt")) for p in folder.glob("*/*")],
    "one class": lambda folder: shutil.rmtree(folder / CLASSES[1]),
    "one class beside images": one_class_beside_images,
    "damaged class": lambda folder: damage(*(folder / CLASSES[1]).iterdir()),
    "all damaged": lambda folder: damage(*folder.glob("*/*.png")),
    "one image of a class": all_but_one,
    "copies only": copies_only,
    "other classes": other_classes,
    "blank name": lambda folder: (folder / CLASSES[0]).rename(folder / " "),
}


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("empty", "holds no images: PNG, JPEG, WEBP or BMP in <class>/"),
        ("no images", "holds no images"),
        ("one class", "has only one class, the folder 'cat 2'; .*--from .*from/cat 2"),
        ("one class beside images", "only one class, the folder 'cat 2' beside 2 images"),
        ("damaged class", "class 'cat 10' has no training images that can be used: 5 left out"),
        ("all damaged", "no train images that can be used: 10 left out: not PNG"),
        ("one image of a class", "class 'cat 10' has only one image; at least two"),
        ("copies only", "class 'cat 10' has only one image; at least two different"),
        ("other classes", "train has no images of class 'dog', which .*test has"),
        ("blank name", "class ' ' needs a name of 1 to 1000 characters"),
    ],
)
def test_a_folder_of_which_no_set_can_be_made_is_one_line(tmp_path, kind, told):
    SPOILED[kind](fill(tmp_path / "from"))
    with pytest.raises(ConfigurationError, match=told) as raised:
        made(tmp_path, tmp_path / "from")
    assert len(str(raised.value).splitlines()) == 1
    assert not (tmp_path / "data" / "mine" / "dataset.json").exists()


def test_class_names_that_are_not_utf_8_are_told(tmp_path):
    fill(tmp_path / "from")
    (tmp_path / "from" / CLASSES[0]).rename(tmp_path / "from" / os.fsdecode(b"\xff"))
    with pytest.raises(ConfigurationError, match=r"class folder '\?' is not named in UTF-8"):
        made(tmp_path, tmp_path / "from")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"size": 7}, "--size 7: images have 8 to 1,024 pixels"),
        ({"size": 2000}, "--size 2000"),
        ({"test_share": 0.0}, "--test-share 0: must lie between 0 and 1"),
        ({"test_share": 1.0}, "--test-share 1"),
        ({"test_share": float("nan")}, "--test-share nan"),
    ],
)
def test_options_that_cannot_be_are_told(tmp_path, options, told):
    with pytest.raises(ConfigurationError, match=told):
        made(tmp_path, fill(tmp_path / "from"), **options)


def test_a_share_has_no_effect_where_the_source_is_split(tmp_path):
    fill(tmp_path / "from" / "train")
    fill(tmp_path / "from" / "test", first=50)
    with pytest.raises(ConfigurationError, match=r"--test-share has no effect: .* test images"):
        made(tmp_path, tmp_path / "from", test_share=0.2)


def test_known_names_and_shards_among_the_images_are_refused(tmp_path):
    source = fill(tmp_path / "from")
    with pytest.raises(ConfigurationError, match="'cifar10' is a known data set"):
        prepare_own("cifar10", root=tmp_path / "cifar10", source=source)
    with pytest.raises(ConfigurationError, match="the images are read from"):
        prepare_own("mine", root=source, source=source)
    with pytest.raises(ConfigurationError, match="no folder or archive"):
        made(tmp_path, tmp_path / "nowhere")
    (tmp_path / "t.txt").write_text("a sentence\n")
    with pytest.raises(ConfigurationError, match="not a zip or tar archive"):
        made(tmp_path, tmp_path / "t.txt")
