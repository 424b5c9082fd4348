"""Manifests and headers of weights that nobody wrote on purpose: a codec, or refused in a line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.checkpoints import open_checkpoint
from semcom.errors import CheckpointError
from tests.properties import examples
from tests.semcom.test_checkpoints import pass_off, written

fuzz = examples(80)

scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
DTYPES = [
    "BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F4", "I16", "F16", "BF16", "I32", "F32", "F64",
    "I64", "U64", "C64", "nothing",
]  # fmt: skip
sizes = st.integers(0, 40) | st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -1])
tensors = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(DTYPES),
        "shape": st.lists(sizes, max_size=5),
        "data_offsets": st.tuples(sizes, sizes),
    }
)


@pytest.fixture(scope="module")
def codec(tmp_path_factory) -> Path:
    """A good codec; each example damages it in another way."""
    folder = tmp_path_factory.mktemp("codec") / "codec"
    written(folder)
    shutil.copytree(folder, folder.with_name("good"))
    return folder


def opened_or_refused(folder: Path) -> bool:
    try:
        open_checkpoint(folder).verify()
    except CheckpointError as error:
        line = str(error)
    else:
        return True
    assert "\n" not in line
    assert len(line) < 2000
    return False


@fuzz
@given(data=st.data())
def test_any_value_anywhere_in_a_manifest_is_taken_or_refused(codec, data):
    manifest = json.loads((codec.with_name("good") / "manifest.json").read_text())
    inner = manifest
    while True:
        key = data.draw(st.sampled_from(sorted(inner)) | st.text(max_size=5))
        if isinstance(inner.get(key), dict) and inner[key] and data.draw(st.booleans()):
            inner = inner[key]
            continue
        inner[key] = data.draw(trees)
        break
    (codec / "manifest.json").write_text(json.dumps(manifest))
    opened_or_refused(codec)


@fuzz
@given(content=st.binary(max_size=80) | trees.map(lambda tree: json.dumps(tree).encode()))
def test_any_document_is_a_manifest_or_refused(codec, content):
    (codec / "manifest.json").write_bytes(content)
    assert not opened_or_refused(codec)


@fuzz
@given(
    header=st.dictionaries(st.text(max_size=6), tensors | trees, max_size=3)
    | st.dictionaries(st.just("__metadata__"), trees),
    body=st.binary(max_size=40),
)
def test_any_header_under_an_honest_manifest_is_taken_or_refused(codec, header, body):
    shutil.copy(codec.with_name("good") / "manifest.json", codec)
    text = json.dumps(header).encode()
    pass_off(codec, len(text).to_bytes(8, "little") + text + body)
    opened_or_refused(codec)


@fuzz
@given(length=sizes.filter(lambda n: n >= 0), content=st.binary(max_size=60))
def test_any_length_and_bytes_of_a_header_are_refused(codec, length, content):
    shutil.copy(codec.with_name("good") / "manifest.json", codec)
    pass_off(codec, min(length, 2**64 - 1).to_bytes(8, "little") + content)
    assert not opened_or_refused(codec)


def test_name_of_weights_cannot_break_the_line(codec):
    shutil.copy(codec.with_name("good") / "manifest.json", codec)
    value = np.array([1.0], dtype="<f4").tobytes()
    header = {"a\nb": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps(header).encode()
    pass_off(codec, len(text).to_bytes(8, "little") + text + value)
    assert not opened_or_refused(codec)
