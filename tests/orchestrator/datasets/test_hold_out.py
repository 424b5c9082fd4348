"""Which images are test images depends on their files alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.datasets.hold_out import held_out
from semcom.errors import ConfigurationError


def digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


FILES = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=60
)  # class and content; copies are likely


@given(files=FILES, share=st.floats(0.01, 0.99), turn=st.randoms(use_true_random=False))
def test_shares_are_kept_by_class_and_order_does_not_matter(files, share, turn):
    labels_N = np.array([label for label, _ in files], dtype=np.uint16)
    digests = [digest(content) for _, content in files]
    contents = defaultdict(set)
    for label, content in files:
        contents[label].add(content)
    if min(map(len, contents.values())) < 2:
        with pytest.raises(ConfigurationError, match="only one image"):
            held_out(labels_N, digests, share, list("abcd"))
        return
    test_N = held_out(labels_N, digests, share, list("abcd"))
    order = list(range(len(files)))
    turn.shuffle(order)
    turned = held_out(labels_N[order], [digests[place] for place in order], share, list("abcd"))
    assert turned.tolist() == test_N[order].tolist()
    for label, of_class in contents.items():
        chosen = {
            c for (at, c), is_test in zip(files, test_N, strict=True) if at == label and is_test
        }
        rest = {
            c for (at, c), is_test in zip(files, test_N, strict=True) if at == label and not is_test
        }
        assert chosen
        assert rest
        assert not chosen & rest
        assert chosen | rest == of_class


def test_the_choice_is_pinned():
    test_N = held_out(np.zeros(10, np.uint16), [digest(number) for number in range(10)], 0.3, [])
    assert np.flatnonzero(test_N).tolist() == [4, 8, 9]
