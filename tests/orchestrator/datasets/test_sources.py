import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orchestrator.datasets import cifar
from orchestrator.datasets.sources import read_source
from semcom.errors import ConfigurationError
from semcom.shards import split_digest, write_dataset
from tests.orchestrator.datasets import fakes
from tests.properties import examples

NAMES = fakes.CIFAR10_NAMES
FINE = [f"fine_{number:02d}" for number in range(100)]
IDS = ["n01443537", "n01629819", "n02002724"]


@pytest.fixture
def cifar10():
    return {"train": fakes.random_split(20, 10), "test": fakes.random_split(10, 10, seed=1)}


@pytest.fixture
def cifar100():
    return {"train": fakes.random_split(100, 100), "test": fakes.random_split(100, 100, seed=1)}


@pytest.fixture
def tiny():
    return {"train": fakes.random_split(9, 3, 64), "test": fakes.random_split(6, 3, 64, seed=1)}


def digests(tmp_path, found):
    manifest = write_dataset(
        tmp_path / "shards", name="x", classes=found.classes, source="x", splits=found.splits
    )
    return {split: part.sha256 for split, part in manifest.splits.items()}


def test_cifar10_has_one_digest_in_pickles_binary_and_class_folders(tmp_path, cifar10, monkeypatch):
    fakes.write_cifar10_pickles(tmp_path / "a", NAMES, cifar10, monkeypatch)
    fakes.write_cifar10_binary(tmp_path / "b", NAMES, cifar10)
    fakes.write_class_folders(tmp_path / "d", NAMES, cifar10)
    found = [read_source(tmp_path / folder) for folder in "abd"]
    assert [one.layout for one in found] == ["CIFAR-10 pickles", "CIFAR-10 binary", "class folders"]
    assert all(one.classes == NAMES for one in found)
    first, *others = [digests(tmp_path, one) for one in found]
    assert others == [first, first]


def test_cifar100_has_one_digest_in_pickles_binary_and_class_folders(
    tmp_path, cifar100, monkeypatch
):
    fakes.write_cifar100_pickles(tmp_path / "a", FINE, cifar100, monkeypatch)
    fakes.write_cifar100_binary(tmp_path / "b", FINE, cifar100)
    fakes.write_class_folders(tmp_path / "d", FINE, cifar100)
    found = [read_source(tmp_path / folder) for folder in "abd"]
    assert all(one.classes == FINE for one in found)
    first, *others = [digests(tmp_path, one) for one in found]
    assert others == [first, first]


def test_tiny_imagenet_has_one_digest_in_official_and_class_folders(tmp_path, tiny):
    fakes.write_tiny_imagenet(tmp_path / "c", IDS, tiny)
    for split, images in (("train", "train/*/images/*"), ("test", "val/images/*")):
        for path in (tmp_path / "c").glob(images):
            number = int(path.stem.rpartition("_")[2])
            name = IDS[tiny[split][1][number]]
            copy = tmp_path / "d" / split / name / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    official, copied = read_source(tmp_path / "c"), read_source(tmp_path / "d")
    assert official.layout == "Tiny-ImageNet folders"
    assert digests(tmp_path, official) == digests(tmp_path, copied)
    assert official.classes == ["thing 0", "thing 1", "thing 2"]
    assert copied.classes == IDS


def test_greyscale_jpeg_becomes_rgb(tmp_path, tiny):
    fakes.write_tiny_imagenet(tmp_path, IDS, tiny)
    images_NHWC, _ = read_source(tmp_path).splits["train"]
    grey = (images_NHWC == images_NHWC[..., :1]).all(axis=(1, 2, 3))
    assert grey.sum() == 3


def test_words_that_stand_for_two_classes_are_left_as_ids(tmp_path, tiny):
    fakes.write_tiny_imagenet(tmp_path, IDS, tiny)
    (tmp_path / "words.txt").write_text(f"{IDS[0]}\tcrane\n{IDS[1]}\tnewt\n{IDS[2]}\tcrane\n")
    assert read_source(tmp_path).classes == [IDS[0], "newt", IDS[2]]


def test_pixels_and_labels_survive_the_binary_layout(tmp_path, cifar10):
    fakes.write_cifar10_binary(tmp_path, NAMES, cifar10)
    found = read_source(tmp_path)
    for split, (images_NHWC, labels_N) in cifar10.items():
        assert np.array_equal(found.splits[split][0], images_NHWC)
        assert np.array_equal(found.splits[split][1], labels_N)


def test_finds_the_data_set_one_folder_below(tmp_path, cifar10):
    fakes.write_cifar10_binary(tmp_path / "cifar-10-batches-bin", NAMES, cifar10)
    assert read_source(tmp_path).layout == "CIFAR-10 binary"


def test_chooses_by_usual_name_among_several_below(tmp_path, cifar10, cifar100):
    fakes.write_cifar10_binary(tmp_path / "cifar-10-batches-bin", NAMES, cifar10)
    fakes.write_cifar100_binary(tmp_path / "cifar-100-binary", FINE, cifar100)
    assert read_source(tmp_path, ("cifar-100-binary",)).classes == FINE
    with pytest.raises(ConfigurationError, match="holds several data sets"):
        read_source(tmp_path)


def test_refuses_folder_in_no_known_layout(tmp_path):
    with pytest.raises(ConfigurationError, match="known layout"):
        read_source(tmp_path)
    with pytest.raises(ConfigurationError, match="no folder"):
        read_source(tmp_path / "absent")


def test_prepared_shards_do_not_pass_for_class_folders(tmp_path, cifar10):
    write_dataset(tmp_path / "ours", name="x", classes=NAMES, source="x", splits=cifar10)
    with pytest.raises(ConfigurationError, match="known layout"):
        read_source(tmp_path)


def test_pickle_that_is_not_the_official_file_stays_closed(tmp_path, cifar10, monkeypatch):
    fakes.write_cifar10_pickles(tmp_path, NAMES, cifar10, monkeypatch)
    path = tmp_path / "data_batch_3"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ConfigurationError, match=r"data_batch_3 is not the official file"):
        read_source(tmp_path)


class Malice:
    def __reduce__(self):
        return (print, ("run",))


def test_pickle_may_not_call_functions(tmp_path, cifar10, monkeypatch, capsys):
    fakes.write_cifar10_pickles(tmp_path, NAMES, cifar10, monkeypatch)
    (tmp_path / "test_batch").write_bytes(pickle.dumps({"data": Malice()}))
    fakes.accept_pickle(tmp_path / "test_batch", monkeypatch)
    with pytest.raises(ConfigurationError, match=r"refused '.*print'"):
        read_source(tmp_path)
    assert capsys.readouterr().out == ""


def test_official_checksums_are_in_force():
    assert cifar.OFFICIAL_MD5["test_batch"] == "40351d587109b95175f43aff81a1287e"
    assert len(cifar.OFFICIAL_MD5) == 10


def test_refuses_binary_file_cut_short(tmp_path, cifar10):
    fakes.write_cifar10_binary(tmp_path, NAMES, cifar10)
    path = tmp_path / "data_batch_2.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ConfigurationError, match=r"data_batch_2\.bin is damaged"):
        read_source(tmp_path)


def test_refuses_binary_label_beyond_the_classes(tmp_path, cifar10):
    fakes.write_cifar10_binary(tmp_path, NAMES[:4], cifar10)
    with pytest.raises(ConfigurationError, match="labels beyond its 4 classes"):
        read_source(tmp_path)


def test_names_missing_batch(tmp_path, cifar10):
    fakes.write_cifar10_binary(tmp_path, NAMES, cifar10)
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(ConfigurationError, match=r"cannot read .*data_batch_4\.bin"):
        read_source(tmp_path)


@pytest.mark.parametrize(
    ("side", "message"),
    [((32, 30), "must be square"), ((48, 48), "48x48, but the first image"), (None, "not a PNG")],
)
def test_names_the_image_that_does_not_fit(tmp_path, cifar10, side, message):
    fakes.write_class_folders(tmp_path, NAMES, cifar10)
    path = tmp_path / "train" / "cat" / "zz.png"
    if side is None:
        path.write_bytes(b"no image")
    else:
        Image.new("RGB", side).save(path)
    with pytest.raises(ConfigurationError, match=rf"zz\.png is .*{message}"):
        read_source(tmp_path)


def test_names_the_image_that_is_cut_short(tmp_path, cifar10):
    fakes.write_class_folders(tmp_path, NAMES, cifar10)
    path = next((tmp_path / "test" / "dog").iterdir())
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ConfigurationError, match=rf"cannot read image .*{path.name}"):
        read_source(tmp_path)


def test_refuses_other_files_among_images_but_passes_hidden_ones(tmp_path, cifar10):
    fakes.write_class_folders(tmp_path, NAMES, cifar10)
    (tmp_path / "train" / "cat" / ".DS_Store").write_text("x")
    assert len(read_source(tmp_path).splits["train"][1]) == 20
    (tmp_path / "train" / "cat" / "notes.txt").write_text("x")
    with pytest.raises(ConfigurationError, match=r"notes\.txt is not named like a PNG or JPEG"):
        read_source(tmp_path)


def test_refuses_class_of_test_unknown_in_train(tmp_path, cifar10):
    fakes.write_class_folders(tmp_path, NAMES, cifar10)
    (tmp_path / "test" / "zebra").mkdir()
    with pytest.raises(ConfigurationError, match="class 'zebra'"):
        read_source(tmp_path)


def test_refuses_annotation_of_unknown_class(tmp_path, tiny):
    fakes.write_tiny_imagenet(tmp_path, IDS, tiny)
    with (tmp_path / "val" / "val_annotations.txt").open("a") as file:
        file.write("val_0.JPEG\tn99999999\t0\t0\t1\t1\n")
    with pytest.raises(ConfigurationError, match=r"val_annotations\.txt, line 7"):
        read_source(tmp_path)


def test_reading_order_does_not_matter_to_the_digest(tmp_path, cifar10):
    images_NHWC, labels_N = cifar10["train"]
    first = digests(tmp_path, as_read(tmp_path / "one", cifar10))
    turned = {**cifar10, "train": (images_NHWC[::-1], labels_N[::-1])}
    assert digests(tmp_path, as_read(tmp_path / "two", turned)) == first
    assert split_digest(images_NHWC, labels_N) != first["train"]


def as_read(folder, splits):
    fakes.write_cifar10_binary(folder, NAMES, splits)
    return read_source(folder)


DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6)


@examples(60)
@given(
    name=st.sampled_from(["data_batch_1.bin", "test_batch.bin", "batches.meta.txt"]),
    damage=DAMAGE,
    keep=st.floats(0.5, 1.5),
)
def test_any_damage_to_cifar_files_is_read_or_told_in_one_line(
    tmp_path_factory, name, damage, keep
):
    folder = tmp_path_factory.mktemp("fuzz")
    splits = {"train": fakes.random_split(5, 5), "test": fakes.random_split(5, 5, seed=1)}
    fakes.write_cifar10_binary(folder, NAMES, splits)
    content = bytearray((folder / name).read_bytes())
    content = content[: int(keep * len(content))]
    for place, value in damage:
        content[int(place * len(content))] = value
    (folder / name).write_bytes(content)
    told = ""
    try:
        read_source(folder)
    except ConfigurationError as error:
        told = str(error)
    assert "\n" not in told
