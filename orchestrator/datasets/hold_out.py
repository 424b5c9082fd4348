"""Choose test images if a source has none: the same ones on any machine.

For each class, files are taken in ascending order of the SHA-256 of their bytes until the share is
reached. Copies of one file go to the same split, and each class has at least one file in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from semcom.class_names import shown
from semcom.errors import ConfigurationError
from semcom.shards import LabelArray

TEST_SHARE = 0.2


def check_share(share: float) -> float:
    """Return the share of test images, if it is valid.

    Raises:
        ConfigurationError: not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ConfigurationError(f"--test-share {share:g}: must lie between 0 and 1, such as 0.2")
    return share


def held_out(
    labels_N: LabelArray, digests: Sequence[bytes], share: float, classes: Sequence[str]
) -> npt.NDArray[np.bool_]:
    """Return the mask of test images.

    Args:
        labels_N: the class of each image; 0 without classes.
        digests: SHA-256 of each image's file.
        share: of each class, between 0 and 1.
        classes: names for messages; none for images without labels.

    Raises:
        ConfigurationError: a class has fewer than two different files.
    """
    test_N = np.zeros(len(labels_N), dtype=np.bool_)
    for label in np.unique(labels_N):
        places = np.flatnonzero(labels_N == label).tolist()
        copies = Counter(digests[place] for place in places)
        if len(copies) < 2:
            what = f"class '{shown(classes[label])}' has" if classes else "there is"
            raise ConfigurationError(
                f"{what} only one image; at least two different ones are needed, one to train on "
                "and one to test with"
            )
        wanted = max(1, int(share * len(places) + 0.5))
        chosen: set[bytes] = set()
        taken = 0
        for digest in sorted(copies)[:-1]:
            if taken >= wanted:
                break
            chosen.add(digest)
            taken += copies[digest]
        test_N[[place for place in places if digests[place] in chosen]] = True
    return test_N
