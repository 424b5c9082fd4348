"""Classes of a source: whatever its folders are called, labels are those of the known data set."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orchestrator.datasets.class_folders import readable_names
from orchestrator.datasets.labels import in_order_of
from orchestrator.datasets.pictures import SourceImages
from orchestrator.datasets.prepare import prepare
from orchestrator.datasets.sources import read_source
from semcom.class_names import canonical_names
from semcom.errors import ConfigurationError
from semcom.known_classes import known_classes
from semcom.shards import DatasetManifest
from tests.orchestrator.datasets import fakes
from tests.properties import examples

NAMES = fakes.CIFAR10_NAMES
CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


@pytest.fixture(scope="module")
def splits():
    return {"train": fakes.random_split(20, 10), "test": fakes.random_split(10, 10, seed=1)}


@pytest.fixture(scope="module")
def official(splits, tmp_path_factory) -> DatasetManifest:
    """The data set from class folders with the official names."""
    return prepared(tmp_path_factory.mktemp("official"), NAMES, splits)


def prepared(folder: Path, names: list[str], splits) -> DatasetManifest:
    fakes.write_class_folders(folder / "from", names, splits)
    return prepare("cifar10", root=folder / "cifar10", source=folder / "from")


@pytest.mark.parametrize(
    "names",
    [
        ["plane", "car", *NAMES[2:]],
        [name.upper() for name in NAMES],
        [str(label) for label in range(10)],
        [f"{label:05d}" for label in range(1, 11)],
        [f"class{label}" for label in range(10)],
        [f"{9 - label}_{name}" for label, name in enumerate(NAMES)],
    ],
)
def test_folders_by_other_names_give_the_official_set(tmp_path, splits, official, names, caplog):
    with caplog.at_level(logging.WARNING):
        found = prepared(tmp_path, names, splits)
    assert found.splits == official.splits
    assert found.classes == official.classes == NAMES
    said = [record.getMessage() for record in caplog.records]
    if names[0].lower() == "airplane":
        assert said == []
    else:
        (line,) = said
        assert f"{names[0]} is airplane" in line
        assert line.removeprefix("cifar10: ") in found.source


def test_a_hundred_folders_sort_as_numbers(tmp_path):
    hundred = {"train": fakes.random_split(100, 100), "test": fakes.random_split(100, 100, seed=1)}
    names = canonical_names("cifar100")
    assert names is not None
    for folder, called in (("a", names), ("b", [str(label) for label in range(100)])):
        fakes.write_class_folders(tmp_path / folder, called, hundred)
    one, other = (
        prepare("cifar100", root=tmp_path / "x", source=tmp_path / folder) for folder in "ab"
    )
    assert one.splits == other.splits
    assert one.classes == other.classes == names


def test_wordnet_ids_words_and_first_words_are_one_class():
    known = known_classes("tiny-imagenet") or ()
    labels = np.arange(200, dtype=np.uint16)
    images = np.zeros((200, 8, 8, 3), np.uint8)
    for place in (0, -1):
        called = [names[place] for names in known]
        turned = SourceImages("x", called[::-1], {"test": (images, labels)})
        found = in_order_of("tiny-imagenet", turned)
        assert found.classes == canonical_names("tiny-imagenet")
        assert found.splits["test"][1].tolist() == labels[::-1].tolist()
        assert found.notes == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"cat": "zebra"},
            "class 'zebra' of the source is not a class of cifar10; its classes are",
        ),
        ({"cat": "aeroplan"}, "did you mean 'airplane'"),
        ({"cat": "Plane"}, r"classes 'Plane' and 'airplane' .* are both 'airplane' of cifar10"),
        ({"cat": "3"}, "class '3' of the source is not a class of cifar10"),
        ({"cat": "two\nlines"}, "class 'two?lines'"),
    ],
)
def test_a_class_that_is_none_of_the_set_is_told(tmp_path, splits, change, told):
    with pytest.raises(ConfigurationError, match=told.replace("?", "[?]")) as error:
        prepared(tmp_path, [change.get(name, name) for name in NAMES], splits)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "cifar10").exists()


def test_system_files_are_passed_over_and_said(tmp_path, splits, official, caplog):
    fakes.write_class_folders(tmp_path / "from", NAMES, splits)
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "._0.png"):
        (tmp_path / "from" / "train" / "cat" / name).write_bytes(b"x")
    (tmp_path / "from" / "train" / "__MACOSX").mkdir()
    (tmp_path / "from" / "train" / ".ipynb_checkpoints").mkdir()
    found = prepare("cifar10", root=tmp_path / "cifar10", source=tmp_path / "from")
    assert found.splits == official.splits
    assert "4 hidden or system files skipped" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda at: (at / "train/cat/README.txt").write_text("x"),
            r"README\.txt is not "
            "named like a PNG",
        ),
        (
            lambda at: (at / "train/cat/more").mkdir(),
            r"more is a folder; images must lie "
            "directly in",
        ),
        (lambda at: (at / "train/x.png").write_bytes(b"x"), r"x\.png is next to the class"),
        (lambda at: empty(at / "train/cat"), r"train/cat holds no PNG or JPEG images"),
        (lambda at: empty(at / "test/cat"), r"test/cat holds no PNG or JPEG images"),
        (lambda at: removed(at / "test/cat"), r"train has class 'cat', which .*test lacks"),
        (lambda at: removed(at / "train/cat"), r"test has class 'cat', which .*train lacks"),
        (lambda at: (at / "test").rename(at / "val"), r"and here is only train"),
        (lambda at: os.mkfifo(at / "train/cat/x.png"), r"x\.png: a FIFO, not a regular file"),
        (lambda at: os.mkfifo(at / "words.txt"), r"words\.txt: a FIFO, not a regular file"),
        (lambda at: (at / "words.txt").mkdir(), r"words\.txt: a folder, not a regular file"),
    ],
)
def test_folders_that_are_not_as_they_should_be_are_told(tmp_path, splits, spoil, told):
    fakes.write_class_folders(tmp_path / "from", NAMES, splits)
    spoil(tmp_path / "from")
    with pytest.raises(ConfigurationError, match=told) as error:
        prepare("cifar10", root=tmp_path / "cifar10", source=tmp_path / "from")
    assert "\n" not in str(error.value)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def removed(folder: Path) -> None:
    empty(folder)
    folder.rmdir()


@pytest.mark.parametrize("root", ["from", "from/train/cifar10", "."])
def test_images_are_not_read_from_where_shards_are_written(tmp_path, splits, root):
    fakes.write_class_folders(tmp_path / "from", NAMES, splits)
    with pytest.raises(ConfigurationError, match="the images are read from"):
        prepare("cifar10", root=tmp_path / root, source=tmp_path / "from")
    assert not list((tmp_path / "from").rglob("*.npy"))


def test_shards_may_be_written_beside_the_images(tmp_path, splits, official):
    fakes.write_class_folders(tmp_path, NAMES, splits)
    for _ in range(2):
        found = prepare("cifar10", root=tmp_path / "data" / "cifar10", source=tmp_path)
        assert found.splits == official.splits


def test_what_is_wrong_in_an_archive_is_told_by_its_place_in_it(tmp_path, splits):
    fakes.write_class_folders(tmp_path / "from", NAMES, splits)
    (tmp_path / "from" / "train" / "cat" / "x.png").write_bytes(b"x")
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "from")
    with pytest.raises(ConfigurationError, match=rf"^{tmp_path}/a\.zip/train/cat/x\.png is not"):
        prepare("cifar10", root=tmp_path / "data" / "cifar10", source=tmp_path / "a.zip")
    assert not list((tmp_path / "data").iterdir())


IDS = ["n01443537", "n01629819", "n02002724"]


@pytest.fixture
def tiny(tmp_path):
    splits = {"train": fakes.random_split(9, 3, 64), "test": fakes.random_split(6, 3, 64, seed=1)}
    fakes.write_tiny_imagenet(tmp_path / "tiny", IDS, splits)
    return tmp_path / "tiny"


def same(one: SourceImages, other: SourceImages) -> bool:
    return one.classes == other.classes and all(
        sorted(map(bytes, one.splits[split][0])) == sorted(map(bytes, other.splits[split][0]))
        and sorted(one.splits[split][1]) == sorted(other.splits[split][1])
        for split in one.splits
    )


def test_tiny_imagenet_without_images_folders_is_taken(tiny):
    whole = read_source(tiny)
    for name in IDS:
        for path in (tiny / "train" / name / "images").iterdir():
            path.rename(tiny / "train" / name / path.name)
        (tiny / "train" / name / "images").rmdir()
    assert same(read_source(tiny), whole)


@pytest.mark.parametrize("inside", ["", "images"])
@pytest.mark.parametrize("annotated", [True, False])
def test_tiny_imagenet_whose_val_has_class_folders_is_taken(tiny, inside, annotated):
    whole = read_source(tiny)
    for line in (tiny / "val" / "val_annotations.txt").read_text().splitlines():
        file_name, name, *_ = line.split("\t")
        (tiny / "val" / name / inside).mkdir(parents=True, exist_ok=True)
        (tiny / "val" / "images" / file_name).rename(tiny / "val" / name / inside / file_name)
    (tiny / "val" / "images").rmdir()
    if not annotated:
        (tiny / "val" / "val_annotations.txt").unlink()
    assert same(read_source(tiny), whole)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda at: (at / "wnids.txt").write_text("\n"), "lists no classes"),
        (
            lambda at: (at / "wnids.txt").write_text(IDS[0]),
            "has class .*, which is not in wnids.txt",
        ),
        (lambda at: (at / "wnids.txt").write_bytes(b"\xff\xfen\0\0\xd8"), "is not text in UTF-8"),
        (lambda at: (at / "train").rename(at / "training"), "has no folder train"),
        (lambda at: (at / "val" / "val_annotations.txt").unlink(), r"cannot read .*annotations"),
        (lambda at: (at / "val/val_annotations.txt").write_text("\n\n"), "lists no images"),
        (lambda at: twice(at / "val/val_annotations.txt"), r"line 7: val_0\.JPEG occurs twice"),
        (lambda at: (at / "words.txt").write_bytes(b"a\tcr\xeape\n"), "byte 0xea in line 1"),
    ],
)
def test_tiny_imagenet_that_is_not_as_it_should_be_is_told(tiny, spoil, told):
    spoil(tiny)
    with pytest.raises(ConfigurationError, match=told) as error:
        read_source(tiny)
    assert "\n" not in str(error.value)


def twice(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[0]]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_words_in_any_unicode_are_read(tmp_path, encoding):
    (tmp_path / "words.txt").write_text("a\tcrêpe, x\r\nb\tplane\n", encoding=encoding)
    assert readable_names(tmp_path, ["a", "b", "c"]) == ["crêpe", "plane", "c"]


@examples(200)
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_any_words_are_read_or_told_in_one_line(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("words")
    (folder / "words.txt").write_bytes(content)
    told = ""
    try:
        assert len(readable_names(folder, ["a", "b"])) == 2
    except ConfigurationError as error:
        told = str(error)
    assert "\n" not in told


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not there: {CASES.name}")
@pytest.mark.parametrize(
    ("name", "told"), [("latin1.txt", "byte 0xea in line 1"), ("utf16.txt", "")]
)
def test_cases_of_words(tmp_path, splits, official, name, told):
    fakes.write_class_folders(tmp_path / "from", NAMES, splits)
    (tmp_path / "from" / "words.txt").write_bytes((CASES / "words" / name).read_bytes())
    if told:
        with pytest.raises(ConfigurationError, match=told):
            prepare("cifar10", root=tmp_path / "cifar10", source=tmp_path / "from")
    else:
        found = prepare("cifar10", root=tmp_path / "cifar10", source=tmp_path / "from")
        assert found.splits == official.splits


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not there: {CASES.name}")
def test_case_of_an_image(tmp_path, splits):
    fakes.write_class_folders(tmp_path / "from", NAMES, splits)
    case = CASES / "images" / "grey-16-bit.png"
    (tmp_path / "from" / "train" / "cat" / "x.png").write_bytes(case.read_bytes())
    images_NHWC, _ = read_source(tmp_path / "from").splits["train"]
    with Image.open(case) as image:
        expected = np.asarray(image.convert("RGB")) if image.mode == "RGB" else None
    assert len(images_NHWC) == 21
    if expected is not None:
        assert any(np.array_equal(expected, found) for found in images_NHWC)
    assert (images_NHWC == 255).mean(axis=(1, 2, 3)).max() < 0.5
