"""Settings files: what is wrong with one is said in one line that names the key."""

from __future__ import annotations

import os
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from semcom.errors import ConfigurationError
from semcom.settings import (
    MAX_SETTINGS_BYTES,
    Address,
    ProcessSettings,
    Settings,
    read_yaml,
    validate,
)
from tests.properties import examples

fuzz = examples(100)


class Image(Settings):
    size: int = Field(default=32, ge=8)
    mean: float = 0.5


class Range(Settings):
    start: float
    stop: float

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.stop < self.start:
            raise ValueError("stop must not be below start")
        return self


class Sweep(Settings):
    name: str = Field(pattern="^[a-z]+$")
    seeds: list[int] = Field(default=[0])
    image: Image = Image()
    images: dict[str, Image] = Field(default={})
    ranges: list[Range] = Field(default=[])
    maybe: Image | None = None


GOOD = {"name": "demo"}


def complaint(content: object) -> str:
    """The one line with which a sweep's settings are refused."""
    with pytest.raises(ConfigurationError) as caught:
        validate(Sweep, content, where="sweep.yaml")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("sweep.yaml: ")
    return line.removeprefix("sweep.yaml: ")


def test_good_settings_are_taken_with_their_defaults():
    sweep = validate(Sweep, {**GOOD, "image": {"size": 64}}, where="sweep.yaml")
    assert sweep.image == Image(size=64, mean=0.5)
    assert sweep.seeds == [0]


def test_settings_never_change():
    sweep = validate(Sweep, GOOD, where="sweep.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        sweep.name = "other"


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (
            {"sede": [1]},
            "sede: unknown key (did you mean seeds?); allowed: image, images, maybe, ",
        ),
        (
            {"image": {"siez": 3}},
            "image.siez: unknown key (did you mean size?); allowed: mean, size",
        ),
        (
            {"images": {"cifar10": {"siez": 3}}},
            "images.cifar10.siez: unknown key (did you mean size?); allowed: ",
        ),
        (
            {"maybe": {"siez": 3}},
            "maybe.siez: unknown key (did you mean size?); allowed: mean, size",
        ),
        (
            {"ranges": [{"start": 0, "stop": 1, "step": 2}]},
            "ranges.0.step: unknown key (did you mean stop?); allowed: start, ",
        ),
    ],
)
def test_unknown_key_is_named_with_what_is_allowed_there(extra, expected):
    assert complaint({**GOOD, **extra}).startswith(expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "name: missing; it must be a string that matches ^[a-z]+$"),
        ({**GOOD, "image": {"size": 7}}, "image.size: must be a whole number from 8, got 7"),
        ({**GOOD, "seeds": [0, "x"]}, "seeds.1: must be a whole number, got 'x'"),
        ({"name": "Demo 1"}, "name: must be a string that matches ^[a-z]+$, got 'Demo 1'"),
        ({**GOOD, "ranges": [{"start": 2, "stop": 1}]}, "ranges.0: stop must not be below start"),
        ({**GOOD, "image": None}, "image: must be a map of size, mean, got null"),
        ([], "settings: must be a map of name, seeds, image, images, ranges, maybe, got []"),
        (None, "settings: must be a map of name, seeds, "),
        ("name: demo", "settings: must be a map of name, seeds, "),
    ],
)
def test_wrong_value_is_named_with_its_key(content, expected):
    assert complaint(content).startswith(expected)


def test_wrong_value_is_quoted():
    assert complaint({**GOOD, "image": {"size": 7}}).endswith(", got 7")
    assert complaint({"name": "Demo\n1"}).endswith(r", got 'Demo\n1'")


def test_further_errors_are_counted():
    assert complaint({"image": {"size": 7}, "seeds": "x"}).endswith("(and 2 more)")
    assert "more" not in complaint({**GOOD, "image": {"size": 7}})


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:5555", "tcp://*:0", "tcp://edge-1.example.org:65535"],
)
def test_takes_address(address):
    assert TypeAdapter(Address).validate_python(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:5555", "tcp://127.0.0.1", "tcp://:5555", "tcp://host:port", "ipc:///tmp/x",
        "tcp://a b:1", "tcp://host:1\n", "tcp://host:123456", "http://host:80", "",
    ],
)  # fmt: skip
def test_refuses_what_is_no_address(address):
    with pytest.raises(
        ConfigurationError, match="control: must be an address tcp://HOST:PORT, got"
    ):
        validate(ProcessSettings, {"control": address}, where="f")


@pytest.mark.parametrize("port", [-1, 65536, "http", None])
def test_refuses_port_out_of_range(port):
    with pytest.raises(ConfigurationError, match="metrics_port"):
        validate(ProcessSettings, {"metrics_port": port}, where="f")


def test_reads_map(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: übung\nseeds: [1, 2]\n", encoding="utf-8")
    assert read_yaml(path) == {"name": "übung", "seeds": [1, 2]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "must hold a map of settings, with one 'name: value' per line; it holds nothing"),
        (
            b"- 1\n- 2\n",
            "must hold a map of settings, with one 'name: value' per line; it holds [1, 2]",
        ),
        (b"just text", "it holds 'just text'"),
        (b"a: [1", ", line 1, column 4: '[' is not closed"),
        (b"a: \xff\xfe", ", line 1, column 4: the byte 0xff is not UTF-8"),
        (b"#" * (MAX_SETTINGS_BYTES + 1), "larger than 1048576 bytes"),
    ],
)
def test_file_that_is_no_map_is_refused_in_one_line(tmp_path, content, expected):
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_yaml(path)
    assert expected in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_is_missing_or_a_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match="a folder, not a regular file"):
        read_yaml(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigurationError, match="a FIFO, not a regular file"):
        read_yaml(tmp_path / "fifo")


keys = st.text("abcdefghijklmnopqrstuvwxyz_ -.äß", max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def workfile(tmp_path_factory):
    """One file for all examples of a test."""
    return tmp_path_factory.mktemp("yaml") / "s.yaml"


wanted = st.sampled_from(sorted(Sweep.model_fields))


@fuzz
@given(content=st.dictionaries(wanted | keys, values, max_size=4))
def test_any_map_is_taken_or_refused_in_one_line(content):
    try:
        sweep = validate(Sweep, content, where="sweep.yaml")
    except ConfigurationError:
        unknown = sorted(content.keys() - Sweep.model_fields.keys())
        line = complaint(content)
        if unknown and content.keys() == {*unknown, "name"} and content["name"] == "demo":
            assert "unknown key" in line
        return
    assert validate(Sweep, sweep.model_dump(), where="sweep.yaml") == sweep


@fuzz
@given(text=st.text(max_size=60) | st.text("abc:-[]{}&*!|>'\"#%@,? \n", max_size=60))
def test_any_text_is_a_map_or_refused_in_one_line(workfile, text):
    workfile.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        content = read_yaml(workfile)
    except ConfigurationError as error:
        line = str(error)
        content = {}
    else:
        line = ""
    assert isinstance(content, dict)
    assert "\n" not in line
