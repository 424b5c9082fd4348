import dataclasses
import hashlib
import tarfile

import pytest

from orchestrator.datasets import prepare as preparing
from orchestrator.datasets import procedural
from orchestrator.datasets.download import Archive
from orchestrator.datasets.prepare import DATASETS, ensure, prepare
from semcom.errors import ConfigurationError
from semcom.shards import Shard, read_manifest
from tests.orchestrator.datasets import fakes

NAMES = fakes.CIFAR10_NAMES


@pytest.fixture
def source(tmp_path):
    """A tiny CIFAR-10 in the binary layout."""
    splits = {"train": fakes.random_split(20, 10), "test": fakes.random_split(10, 10, seed=1)}
    folder = tmp_path / "from" / "cifar-10-batches-bin"
    fakes.write_cifar10_binary(folder, NAMES, splits)
    return folder


@pytest.fixture(autouse=True)
def small_drawings(monkeypatch):
    for name, drawn in procedural.DRAWN_SETS.items():
        small = dataclasses.replace(drawn, train_images=20, test_images=10)
        monkeypatch.setitem(procedural.DRAWN_SETS, name, small)


def test_copies_a_real_set_and_notes_what_it_is(tmp_path, source):
    manifest = prepare("cifar10", root=tmp_path / "cifar10", source=source)
    assert manifest == read_manifest(tmp_path / "cifar10")
    assert manifest.classes == NAMES
    assert manifest.source == (
        "copy of cifar-10-batches-bin (CIFAR-10 binary), "
        "20 of 50000 train images, 10 of 10000 test images"
    )


def test_fewer_images_are_the_first_in_canonical_order(tmp_path, source):
    prepare("cifar10", root=tmp_path / "all", source=source)
    prepare("cifar10", root=tmp_path / "few", source=source, train_images=7, test_images=3)
    for split, images in (("train", 7), ("test", 3)):
        few, whole = Shard(tmp_path / "few", split), Shard(tmp_path / "all", split)
        assert few.images_NHWC.tobytes() == whole.images_NHWC[:images].tobytes()


def test_downloads_checks_and_unpacks_a_real_set(tmp_path, source, monkeypatch):
    packed = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(source, arcname=source.name)
    archive = Archive(packed.as_uri(), hashlib.md5(packed.read_bytes()).hexdigest())
    real = dataclasses.replace(preparing.REAL_SETS["cifar10"], archive=archive)
    monkeypatch.setitem(preparing.REAL_SETS, "cifar10", real)
    downloaded = prepare("cifar10", root=tmp_path / "data" / "cifar10", source=None)
    copied = prepare("cifar10", root=tmp_path / "copied", source=source)
    assert downloaded.splits == copied.splits
    assert archive.url in downloaded.source
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["cifar10", "downloads"]


def test_takes_an_archive_as_source(tmp_path, source):
    packed = tmp_path / "sample.tar.xz"
    with tarfile.open(packed, "w:xz") as tar:
        tar.add(source, arcname="anything")
    manifest = prepare("cifar10", root=tmp_path / "cifar10", source=packed)
    assert manifest.splits == prepare("cifar10", root=tmp_path / "x", source=source).splits


def test_refuses_another_data_set_as_source(tmp_path, source):
    with pytest.raises(ConfigurationError, match="10 classes, but cifar100 has 100"):
        prepare("cifar100", root=tmp_path / "x", source=source)
    assert not (tmp_path / "x").exists()


def test_refuses_images_of_another_size(tmp_path):
    splits = {"train": fakes.random_split(10, 10, 16), "test": fakes.random_split(10, 10, 16)}
    fakes.write_class_folders(tmp_path / "d", NAMES, splits)
    with pytest.raises(ConfigurationError, match="16x16 pixels, but cifar10 has 32x32"):
        prepare("cifar10", root=tmp_path / "x", source=tmp_path / "d")


def test_refuses_more_images_than_were_published(tmp_path, source, monkeypatch):
    small = dataclasses.replace(preparing.REAL_SETS["cifar10"], images={"train": 19, "test": 10})
    monkeypatch.setitem(preparing.REAL_SETS, "cifar10", small)
    with pytest.raises(ConfigurationError, match="20 train images, but cifar10 has 19"):
        prepare("cifar10", root=tmp_path / "x", source=source)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [(0, "at least 1 train image"), (21, "21 images requested, but the source has 20")],
)
def test_refuses_a_number_of_images_that_cannot_be(tmp_path, source, wanted, message):
    with pytest.raises(ConfigurationError, match=message):
        prepare("cifar10", root=tmp_path / "x", source=source, train_images=wanted)


def test_unknown_name_lists_the_known_ones(tmp_path):
    assert DATASETS == (
        "cifar10",
        "cifar100",
        "tiny-imagenet",
        "shapes10",
        "shapes100",
        "shapes200",
        "sentences",
    )
    with pytest.raises(ConfigurationError, match=r"'mnist'; available: cifar10, .*shapes200"):
        prepare("mnist", root=tmp_path, source=None)
    with pytest.raises(ConfigurationError, match=r"make it with: .* mnist .*--from DIR"):
        ensure("mnist", tmp_path / "mnist")
    for name in ("Mnist", "a/b", "..", "", "x" * 65):
        for look in (ensure, lambda name, root: prepare(name, root=root, source=None)):
            with pytest.raises(ConfigurationError, match="is not a valid name"):
                look(name, tmp_path)


def test_drawn_set_takes_no_source(tmp_path, source):
    with pytest.raises(ConfigurationError, match="leave out '--from'"):
        prepare("shapes10", root=tmp_path / "x", source=source)


def test_prepare_draws_as_many_as_asked_for(tmp_path):
    manifest = prepare("shapes10", root=tmp_path / "x", source=None, train_images=12)
    assert {split: part.images for split, part in manifest.splits.items()} == {
        "train": 12,
        "test": 10,
    }


def test_ensure_draws_once(tmp_path):
    root = tmp_path / "shapes10"
    first = ensure("shapes10", root)
    written = (root / "dataset.json").stat().st_mtime_ns
    assert ensure("shapes10", root) == first
    assert (root / "dataset.json").stat().st_mtime_ns == written


def test_ensure_keeps_a_drawing_of_another_size(tmp_path):
    small = prepare("shapes10", root=tmp_path, source=None, train_images=11)
    assert ensure("shapes10", tmp_path) == small


def test_ensure_draws_again_for_another_seed_or_version(tmp_path, monkeypatch):
    first = ensure("shapes10", tmp_path)
    second = ensure("shapes10", tmp_path, seed=1)
    assert second.splits != first.splits
    monkeypatch.setattr(procedural, "DRAWING_VERSION", 999)
    third = ensure("shapes10", tmp_path, seed=1)
    assert "version 999" in third.source
    assert third.splits != second.splits


def test_ensure_repairs_a_damaged_drawing(tmp_path):
    ensure("shapes10", tmp_path)
    (tmp_path / "train" / "labels.npy").unlink()
    ensure("shapes10", tmp_path)
    assert len(Shard(tmp_path, "train")) == 20


def test_ensure_never_fetches_a_real_set(tmp_path, source):
    root = tmp_path / "cifar10"
    with pytest.raises(ConfigurationError, match="semcom data prepare cifar10"):
        ensure("cifar10", root)
    manifest = prepare("cifar10", root=root, source=source)
    assert ensure("cifar10", root) == manifest
    (root / "train" / "images.npy").unlink()
    with pytest.raises(ConfigurationError, match="damaged"):
        ensure("cifar10", root)


def test_ensure_leaves_another_data_set_alone(tmp_path, source):
    prepare("cifar10", root=tmp_path / "x", source=source)
    with pytest.raises(ConfigurationError, match="holds 'cifar10'"):
        ensure("shapes10", tmp_path / "x")
    assert read_manifest(tmp_path / "x").name == "cifar10"
