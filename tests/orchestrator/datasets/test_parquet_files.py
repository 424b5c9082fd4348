"""Parquet files as `datasets` writes them; what is missing or wrong is one line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.datasets.own_sets import prepare_own
from semcom.errors import ConfigurationError
from semcom.shards import Shard
from tests.orchestrator.datasets.test_own_sets import CLASSES, fill, image, sizes

NAMES = ["cat 10", "cat 2", "dog"]  # in the order of the labels; nobody is a dog


@pytest.fixture
def arrow():
    return pytest.importorskip("pyarrow", reason="reads parquet files: pip install pyarrow")


def encoded(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def write(path: Path, rows, *, names=NAMES, kind="struct", label="label"):
    """Rows of (bytes, label); without names, labels are what they are."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    contents, labels = zip(*rows, strict=True)
    features = {"image": {"_type": "Image"}}
    if names:
        features[label] = {"_type": "ClassLabel", "names": names}
    pictures = [{"bytes": content, "path": "x.png"} for content in contents]
    table = pa.table(
        {"image": pictures if kind == "struct" else list(contents), label: list(labels)}
    )
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    parquet.write_table(table.replace_schema_metadata(metadata if names else {}), path)


def rows(seeds, label=None):
    """Images of `fill`, labelled by NAMES, or all alike."""
    return [(encoded(image(seed)), int(seed < 1000) if label is None else label) for seed in seeds]


def made(tmp_path, source, **options):
    return prepare_own("mine", root=tmp_path / "data" / "mine", source=source, **options)


SEEDS = [*range(5), *range(1000, 1005)]  # the images of `fill`


def test_parquet_gives_the_digests_of_class_folders(tmp_path, arrow, caplog):
    folders = made(tmp_path, fill(tmp_path / "from"))
    caplog.clear()
    write(tmp_path / "one.parquet", rows(SEEDS))
    found = made(tmp_path, tmp_path / "one.parquet")
    assert (found.classes, found.splits) == (folders.classes, folders.splits)
    assert "mine: classes without images left out: 1, as dog" in caplog.messages


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
        ("train.parquet", "validation.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
    ],
)
def test_splits_are_told_by_the_names(tmp_path, arrow, train, test):
    write(tmp_path / "from" / train, rows(SEEDS))
    write(tmp_path / "from" / test, rows([50, 1050, 1051]))
    manifest = made(tmp_path, tmp_path / "from")
    assert (sizes(manifest), manifest.classes) == ({"train": 10, "test": 3}, CLASSES)


def test_several_files_of_a_split_are_one(tmp_path, arrow):
    write(tmp_path / "from" / "train-00000-of-00002.parquet", rows(SEEDS[:5]))
    write(tmp_path / "from" / "train-00001-of-00002.parquet", rows(SEEDS[5:]))
    assert (
        made(tmp_path, tmp_path / "from").splits
        == made(tmp_path, fill(tmp_path / "folders")).splits
    )


def test_labels_without_names_are_names_and_bytes_are_images(tmp_path, arrow):
    labelled = [(content, ["a 2", "a 10"][label]) for content, label in rows(SEEDS)]
    write(tmp_path / "x.parquet", labelled, names=None, kind="bytes")
    assert made(tmp_path, tmp_path / "x.parquet").classes == ["a 2", "a 10"]


def test_a_test_split_without_labels_is_passed_over(tmp_path, arrow, caplog):
    write(tmp_path / "from" / "train.parquet", rows(SEEDS))
    write(tmp_path / "from" / "test.parquet", rows([50, 51], label=-1))
    assert sizes(made(tmp_path, tmp_path / "from")) == {"train": 8, "test": 2}
    assert "mine: the test files have no labels and are skipped" in caplog.messages


def test_no_label_column_is_no_classes(tmp_path, arrow):
    write(tmp_path / "x.parquet", rows(SEEDS), names=None, label="other")
    manifest = made(tmp_path, tmp_path / "x.parquet")
    assert (manifest.classes, sizes(manifest)) == ([], {"train": 8, "test": 2})
    assert np.array_equal(Shard(tmp_path / "data" / "mine", "test").labels_N, [0, 0])


def test_rows_that_cannot_be_used_are_counted(tmp_path, arrow, caplog):
    bad = [(None, 0), (b"x", 1), (encoded(image(70)), -1), (encoded(image(71)), 9)]
    write(tmp_path / "x.parquet", [*rows(SEEDS), *bad])
    assert sizes(made(tmp_path, tmp_path / "x.parquet")) == {"train": 8, "test": 2}
    for line in (
        "1 left out: rows without an image; it is x.parquet, row 10",
        "1 left out: not PNG, JPEG, WEBP or BMP images; it is x.parquet, row 11",
        "2 left out: rows without a known label; the first is x.parquet, row 12",
    ):
        assert f"mine: {line}" in caplog.messages


def test_several_data_sets_in_one_folder_are_told(tmp_path, arrow):
    for name in ("a", "b"):
        write(tmp_path / "from" / name / "train.parquet", rows(SEEDS))
    with pytest.raises(ConfigurationError, match=r"of several data sets \(a, b\); name"):
        made(tmp_path, tmp_path / "from")


@pytest.mark.parametrize("what", ["text", "no images", "one class", "cut"])
def test_other_files_are_one_line(tmp_path, arrow, what):
    path = tmp_path / "x.parquet"
    write(path, rows(SEEDS, label=0 if what == "one class" else None))
    if what == "text":
        path.write_text("not parquet")
    elif what == "no images":
        arrow.parquet.write_table(arrow.table({"a": [1, 2]}), path)
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:4] + path.read_bytes()[200:])
    with pytest.raises(ConfigurationError) as raised:
        made(tmp_path, path)
    assert len(str(raised.value).splitlines()) == 1


def test_without_pyarrow_a_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigurationError, match=r"train.parquet needs pyarrow: pip install pyarr"):
        made(tmp_path, tmp_path / "from")
