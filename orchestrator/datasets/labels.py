"""Map the labels of a source to those of the data set as which it is prepared."""

from __future__ import annotations

import dataclasses
import difflib

import numpy as np

from orchestrator.datasets.pictures import SourceImages
from semcom.class_names import canonical_names, class_key, labels_of, shown
from semcom.errors import ConfigurationError
from semcom.known_classes import known_classes

MAX_NAMED = 4  # classes with other names listed in a note


def in_order_of(dataset: str, found: SourceImages) -> SourceImages:
    """Return the images with the labels and class names of a known data set.

    A class is recognised by any of its names; whole numbers are labels. The mapping is noted.

    Raises:
        ConfigurationError: the data set lacks a class, or two classes map to the same one.
    """
    names = canonical_names(dataset)
    assert names is not None
    labels = labels_of(dataset, found.classes)
    by_label: dict[int, str] = {}
    for name, label in zip(found.classes, labels, strict=True):
        if label is None:
            raise ConfigurationError(_unknown(dataset, name, names))
        if label in by_label:
            raise ConfigurationError(
                f"classes '{shown(by_label[label])}' and '{shown(name)}' of the source are both "
                f"'{names[label]}' of {dataset}; put them into one folder"
            )
        by_label[label] = name
    of_source = np.array(labels, dtype=np.uint16)
    splits = {
        split: (images_NHWC, of_source[labels_N])
        for split, (images_NHWC, labels_N) in found.splits.items()
    }
    notes = (*_renamed(dataset, by_label), *found.notes)
    return dataclasses.replace(found, classes=names, splits=splits, notes=notes)


def _unknown(dataset: str, name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"its classes are {', '.join(names[:3])}, ..."
    return f"class '{shown(name)}' of the source is not a class of {dataset}; {hint}"


def _renamed(dataset: str, by_label: dict[int, str]) -> tuple[str, ...]:
    """Return a note on classes that have other names in the source; none for WordNet ids."""
    known = known_classes(dataset) or ()
    others = [
        f"{shown(name)} is {known[label][0]}"
        for label, name in sorted(by_label.items())
        if class_key(name) not in map(class_key, (known[label][0], *_wordnet_id(known[label])))
    ]
    if not others:
        return ()
    more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
    return (f"classes recognised under another name: {', '.join(others[:MAX_NAMED])}{more}",)


def _wordnet_id(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name[0] == "n" and name[1:].isdecimal())
