"""A pickle of arrays is read; a pickle of anything else is refused before it runs."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orchestrator.measures.numpy_pickle import read_arrays
from semcom.errors import ConfigurationError

ARRAYS = hnp.arrays(
    st.sampled_from(["<f4", "<f8", "<u2", "<i8"]), hnp.array_shapes(max_side=4, min_dims=1)
)
MAPS = st.recursive(
    ARRAYS, lambda inner: st.dictionaries(st.text("abc", min_size=1), inner, min_size=1, max_size=3)
)


class Command:
    """Runs a command where it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/never",)


def flat(found, prefix=""):
    if isinstance(found, np.ndarray):
        return {prefix: found}
    each = [flat(v, f"{prefix}.{k}" if prefix else k) for k, v in found.items()]
    return {name: array for arrays in each for name, array in arrays.items()}


@given(st.dictionaries(st.text("abc", min_size=1), MAPS, min_size=1, max_size=3), st.integers(3, 4))
def test_arrays_come_back_under_the_names_of_their_maps(content, protocol):
    found = read_arrays(pickle.dumps(content, protocol=protocol), where="it")
    wanted = flat(content)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Command(), "posix.system, which is not part of an array"),
        ({"a": np.array([Command()], dtype=object)}, "posix.system, which is not part of an array"),
        ({"a": np.array([{}], dtype=object)}, "it holds other objects"),
        ({"a": "text"}, "it holds a str"),
        ([np.zeros(2)], "it holds a list"),
    ],
)
def test_anything_else_is_refused_in_one_line(content, words):
    with pytest.raises(ConfigurationError, match="is no pickle of arrays") as refused:
        read_arrays(pickle.dumps(content, protocol=4), where="it")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@given(st.data())
def test_a_damaged_pickle_is_refused_or_read(data):
    content = bytearray(pickle.dumps({"a": np.arange(6.0)}, protocol=4))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    try:
        found = read_arrays(bytes(content), where="it")
    except ConfigurationError:
        return
    assert all(isinstance(array, np.ndarray) for array in found.values())
