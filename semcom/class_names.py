"""Class names of data sets and codecs: check that a label means the same to both.

Two names are one class if they are equal but for case, spaces, dashes and underscores, or if both
are names of one class of a known data set (`plane` is `airplane`, `n01443537` is `goldfish`). Whole
numbers, as folders of exports are often called, stand for the labels of a known data set.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from semcom.codec_manifest import AnyManifest
from semcom.errors import ConfigurationError
from semcom.known_classes import known_classes
from semcom.shards import DatasetManifest
from semcom.tasks.classification import OfClasses

logger = logging.getLogger("semcom.class_names")

MAX_SHOWN = 60  # characters of a name in a message
_NUMBERED = re.compile(r"(\D*?)(\d{1,9})")
_AFTER_A_NUMBER = re.compile(r"\d+[\W_]+(?=\w)")


def canonical_names(dataset: str) -> list[str] | None:
    """Return a known data set's class names in label order; None if it is not known."""
    known = known_classes(dataset)
    return None if known is None else [names[0] for names in known]


def labels_of(dataset: str, names: Sequence[str]) -> list[int | None]:
    """Return the label that each name has in a known data set; None for a name that it lacks.

    A number before the name, as in `3_cat`, is ignored. If no name is known, but the names are
    numbered from 0 or 1 without a gap, the numbers are the labels in order.
    """
    known = _labels_by_key(dataset)
    labels = [known.get(class_key(name), _without_number(name, known)) for name in names]
    if known and all(label is None for label in labels):
        numbers = label_numbers(names)
        if numbers is not None and len(numbers) == len(known_classes(dataset) or ()):
            return [*numbers]
    return labels


def label_numbers(names: Sequence[str]) -> list[int] | None:
    """Return labels from 0 if the names differ only in a number, without a gap; else None."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    if not names or None in found or len({match[1] for match in found if match}) > 1:
        return None
    numbers = [int(match[2]) for match in found if match]
    first = min(numbers)
    if first > 1 or sorted(numbers) != list(range(first, first + len(numbers))):
        return None
    return [number - first for number in numbers]


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names by the whole numbers in them: `2` before `10`."""
    parts = re.split(r"(\d+)", name, flags=re.ASCII)
    key = [(0, int(part), part) if place % 2 else (1, 0, part) for place, part in enumerate(parts)]
    return [*key[not parts[0] :], (2, 0, name)]


def class_key(name: str) -> str:
    """Return what spellings of a class have in common: letters and digits, without case."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in folded if letter.isalnum()) or name


def first_difference(dataset: str, ours: Sequence[str], theirs: Sequence[str]) -> int | None:
    """Return the first label of different classes in `ours` and `theirs`; None if none.

    `dataset` names the data set, whose official class names are used if it is a known one.
    """
    our_labels, their_labels = labels_of(dataset, ours), labels_of(dataset, theirs)
    for label, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if class_key(one) == class_key(other):
            continue
        if our_labels[label] is None or our_labels[label] != their_labels[label]:
            return label
    return None


def check_classes(where: str, codec: str, manifest: AnyManifest, dataset: DatasetManifest) -> None:
    """Check that a codec's labels mean the classes that the data set's labels mean.

    A codec that was written before codecs named their classes has those of the data set on which it
    was trained, if that is a known one; otherwise only their number is compared, and a line says
    so.

    Args:
        where: begins the message, such as "link cifar10".
        codec: the codec's name in its catalogue.
        manifest: the codec's.
        dataset: the data set whose items it will classify.

    Raises:
        ConfigurationError: the numbers of classes differ, or a class differs; the first one is
            named.
    """
    task, theirs = manifest.task, dataset.classes
    if not isinstance(task, OfClasses):
        return
    count = task.classes
    if not theirs:
        raise ConfigurationError(
            f"{where}: codec {codec} distinguishes {count} classes, data set "
            f"{dataset.name} has images "
            "without classes"
        )
    if count != len(theirs):
        raise ConfigurationError(
            f"{where}: codec {codec} has {count} classes, data set {dataset.name} has {len(theirs)}"
        )
    ours = manifest.classes or canonical_names(manifest.dataset)
    if ours is None or len(ours) != count:
        logger.warning(
            "%s: codec %s does not name its classes, so only their number was compared with data "
            "set %s; semcom checkpoints classes %s adds them",
            *(where, codec, dataset.name, codec),
        )
        return
    label = first_difference(manifest.dataset, ours, theirs)
    if label is not None:
        raise ConfigurationError(
            f"{where}: label {label} is '{shown(ours[label])}' for codec {codec}, but "
            f"'{shown(theirs[label])}' in data set {dataset.name}; prepare the data set again, or "
            f"choose another codec"
        )


def shown(name: str) -> str:
    """Return a name as one short line of printable characters, for a message."""
    line = "".join(letter if letter.isprintable() else "?" for letter in name)
    return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 3] + "..."


def _without_number(name: str, known: dict[str, int]) -> int | None:
    before = _AFTER_A_NUMBER.match(name)
    return None if before is None else known.get(class_key(name[before.end() :]))


@cache
def _labels_by_key(dataset: str) -> dict[str, int]:
    """Return labels by every unambiguous name."""
    labels: dict[str, set[int]] = {}
    for label, names in enumerate(known_classes(dataset) or ()):
        for name in names:
            labels.setdefault(class_key(name), set()).add(label)
    return {key: label for key, found in labels.items() if len(found) == 1 for label in found}
