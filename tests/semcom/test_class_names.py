"""Class names: what counts as one class, and that other classes are told."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.datasets.procedural import DRAWN_SETS
from semcom.checkpoints import CodecManifest, name_classes, open_checkpoint
from semcom.class_names import (
    canonical_names,
    check_classes,
    first_difference,
    label_numbers,
    labels_of,
    natural_key,
)
from semcom.errors import CheckpointError, ConfigurationError
from semcom.known_classes import known_classes
from semcom.shards import DatasetManifest
from semcom.tasks.classification import OfClasses

CODECS = Path(__file__).resolve().parents[2] / "codecs"
CIFAR10 = canonical_names("cifar10") or []
CIFAR100 = canonical_names("cifar100") or []
KNOWN = {"cifar10": 10, "cifar100": 100, "tiny-imagenet": 200} | {
    name: len(drawn.classes) for name, drawn in DRAWN_SETS.items()
}

NAMES = st.lists(st.text(max_size=8), unique=True)
NAMES_TWICE = NAMES.flatmap(lambda names: st.tuples(st.just(names), st.permutations(names)))


def codec(shipped: str = "cifar10", **edits: object) -> CodecManifest:
    """The manifest of a shipped codec, edited."""
    content = json.loads((CODECS / shipped / "manifest.json").read_text())
    return CodecManifest.model_validate(content | edits)


def data(names: list[str], dataset: str = "cifar10") -> DatasetManifest:
    return DatasetManifest(name=dataset, image_size=32, classes=names, source="x", splits={})


@pytest.mark.parametrize(("dataset", "count"), KNOWN.items())
def test_names_of_known_sets_are_their_own_labels(dataset, count):
    names = canonical_names(dataset)
    assert names is not None
    assert len(set(names)) == count
    assert labels_of(dataset, names) == list(range(count))


def test_drawn_sets_are_called_as_they_are_drawn():
    for name, drawn in DRAWN_SETS.items():
        assert canonical_names(name) == drawn.classes


def test_cifar_is_in_alphabetical_and_tiny_imagenet_in_wordnet_order():
    assert sorted(CIFAR100) == CIFAR100
    ids = [names[-1] for names in known_classes("tiny-imagenet") or ()]
    assert sorted(ids) == ids
    assert labels_of("tiny-imagenet", ids) == list(range(200))


@pytest.mark.parametrize(
    ("dataset", "name", "label"),
    [
        ("cifar10", "plane", 0),
        ("cifar10", "Car", 1),
        ("cifar10", "3_cat", 3),
        ("cifar10", "09 - Truck", 9),
        ("cifar10", "zebra", None),
        ("cifar10", "3", None),
        ("cifar100", "Aquarium Fish", 1),
        ("cifar100", "pickup-truck", 58),
        ("tiny-imagenet", "n01443537", 0),
        ("tiny-imagenet", "Carassius auratus", 0),
        ("tiny-imagenet", "wagon", None),  # of two classes
        ("mine", "cat", None),
    ],
)
def test_a_class_is_known_by_any_of_its_names(dataset, name, label):
    assert labels_of(dataset, [name]) == [label]


@pytest.mark.parametrize("form", ["{}", "{:03d}", "class_{}", "label {}"])
@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_the_labels_of_a_known_set_in_order(form, first):
    names = sorted(form.format(number) for number in range(first, 100 + first))
    labels = labels_of("cifar100", names)
    assert sorted(labels) == list(range(100))
    assert all(
        form.format(label + first) == name for label, name in zip(labels, names, strict=True)
    )


@pytest.mark.parametrize(
    "names", [[], ["0", "2"], ["2", "3"], ["0", "00"], ["a0", "b1"], ["0", "cat"], ["1" * 5000]]
)
def test_numbers_with_gaps_are_no_labels(names):
    assert label_numbers(names) is None


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_whole_numbers_sort_as_numbers(numbers):
    names = sorted(map(str, numbers), key=natural_key)
    assert names == [str(number) for number in sorted(numbers)]


@given(NAMES_TWICE)
def test_any_names_have_one_order(both):
    names, turned = both
    assert sorted(names, key=natural_key) == sorted(turned, key=natural_key)


@given(st.permutations(range(10)))
def test_any_other_order_of_classes_is_found(order):
    turned = [CIFAR10[label] for label in order]
    found = first_difference("cifar10", CIFAR10, turned)
    wrong = [label for label, other in enumerate(order) if label != other]
    assert found == (wrong[0] if wrong else None)


@pytest.mark.parametrize(
    "names",
    [
        CIFAR10,
        [name.upper() for name in CIFAR10],
        ["plane", "car", *CIFAR10[2:]],
        [str(label) for label in range(10)],
        [str(label) for label in range(1, 11)],
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_the_same_classes_by_other_names_are_accepted(names, named, caplog):
    check_classes("link x", "c", codec() if named else codec(classes=None), data(names))
    assert not caplog.records


@pytest.mark.parametrize("named", [True, False])
def test_the_first_class_that_differs_is_named(named):
    manifest = codec() if named else codec(classes=None)
    order = sorted(["plane", "car", *CIFAR10[2:]])
    with pytest.raises(
        ConfigurationError,
        match=r"^link x: label 0 is 'airplane' for codec c, but 'bird' in data set cifar10; .*$",
    ) as told:
        check_classes("link x", "c", manifest, data(order))
    assert told.value.exit_code == 2


def test_numbers_that_were_sorted_as_text_are_told():
    names = sorted(map(str, range(100)))
    with pytest.raises(ConfigurationError, match="label 2 is 'baby' for codec c, but '10' in"):
        check_classes("link x", "c", codec("cifar100"), data(names, "cifar100"))


def test_another_number_of_classes_is_told():
    with pytest.raises(ConfigurationError, match="codec c has 10 classes, data set x has 9"):
        check_classes("link x", "c", codec(), data(CIFAR10[:9], "x"))


def test_own_classes_are_compared_by_name():
    own = [f"part {label}" for label in range(10)]
    manifest = codec(dataset="mine", classes=own)
    check_classes("link x", "c", manifest, data([name.title() for name in own], "mine"))
    with pytest.raises(ConfigurationError, match=r"label 0 is 'part 0' .* but 'part 1' in"):
        check_classes("link x", "c", manifest, data(own[1:] + own[:1], "mine"))
    with pytest.raises(ConfigurationError, match=r"label 9 is 'part 9' for codec c, but 'two.line"):
        check_classes("link x", "c", manifest, data([*own[:9], "two\nlines" * 20], "mine"))


def test_a_codec_of_an_unknown_set_without_names_is_said_in_one_line(caplog):
    own = [f"part {label}" for label in range(10)]
    with caplog.at_level(logging.WARNING):
        check_classes("link x", "c", codec(dataset="mine", classes=None), data(own, "mine"))
    (record,) = caplog.records
    assert "only their number was compared with data set mine" in record.getMessage()


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in CODECS.glob("*/manifest.json"))
)
def test_shipped_codecs_name_the_classes_of_their_set(name):
    manifest = open_checkpoint(CODECS / name).manifest
    classes = canonical_names(manifest.dataset) if isinstance(manifest.task, OfClasses) else None
    assert manifest.classes == classes


def old_codec(folder: Path) -> Path:
    content = json.loads((CODECS / "cifar10" / "manifest.json").read_text())
    del content["classes"]
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(content, indent=1))
    return folder


def test_naming_classes_gives_the_shipped_manifest_and_keeps_the_digest(tmp_path):
    old = open_checkpoint(old_codec(tmp_path / "c"))
    named = name_classes(old, CIFAR10)
    assert named.digest == old.digest == open_checkpoint(CODECS / "cifar10").digest
    shipped = (CODECS / "cifar10" / "manifest.json").read_bytes()
    assert (tmp_path / "c" / "manifest.json").read_bytes() == shipped == named.manifest.as_json()
    assert name_classes(named, CIFAR10) == named


def test_an_old_manifest_is_written_as_it_was(tmp_path):
    old = open_checkpoint(old_codec(tmp_path / "c"))
    assert old.manifest.classes is None
    assert old.manifest.as_json() == (tmp_path / "c" / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    "classes", [[], CIFAR10[:9], ["", *CIFAR10[1:]], ["x" * 1001, *CIFAR10[1:]]]
)
def test_names_that_do_not_fit_are_refused(classes, tmp_path):
    with pytest.raises(ConfigurationError, match=r"^codec .*: classes[^\n]*$"):
        name_classes(open_checkpoint(old_codec(tmp_path / "c")), classes)
    content = json.loads((CODECS / "cifar10" / "manifest.json").read_text())
    (tmp_path / "c" / "manifest.json").write_text(json.dumps(content | {"classes": classes}))
    with pytest.raises(CheckpointError, match=r"classes[^\n]*$"):
        open_checkpoint(tmp_path / "c")
