"""YAML of settings: values of the core schema of YAML 1.2, errors with line, column and key."""

from __future__ import annotations

import math
import time
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from semcom.yaml_text import MAX_DEPTH, MAX_VALUES, YamlError, decode, parse
from tests.properties import examples

fuzz = examples(300)


def complaint(text: str) -> str:
    """The one line with which a text is refused."""
    with pytest.raises(YamlError) as caught:
        parse(text)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 600
    return line


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12", 12),
        ("+1", 1),
        ("-0", 0),
        ("0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e-2", 0.01),
        ("-1.5E+3", -1500.0),
        ("1e5", 1e5),
        ("+.5e1", 5.0),
        ("00.5", 0.5),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("Null", None),
        ("2026-01-01", "2026-01-01"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("y", "y"),
        ("n", "n"),
        ("=", "="),
        ("12:5x", "12:5x"),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("e5", "e5"),
        ("0o8", "0o8"),
        ("tcp://a:1", "tcp://a:1"),
        ("trUe", "trUe"),
        ("'010'", "010"),
        ('"yes"', "yes"),
        ("'1:30'", "1:30"),
        ("10:70", "10:70"),
        ("a_1", "a_1"),
        ("'~'", "~"),
    ],
)
def test_value_is_that_of_the_core_schema(written, expected):
    found = parse(f"a: {written}\n")["a"]
    assert (found, type(found)) == (expected, type(expected))


def test_value_that_is_no_number_is_one():
    assert math.isnan(parse("a: .nan")["a"])


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("010", "write 10, 0o"),
        ("-07", "write -7,"),
        ("08", "write 8,"),
        ("00", "write 0,"),
        ("1:30", "in YAML 1.1 only"),
        ("-10:10:5", "in YAML 1.1 only"),
        ("1:30.5", "1.1 only"),
        ("1_000", "in YAML 1.1 only"),
        ("1_0.5", "in YAML 1.1 only"),
        ("0b101", "in YAML 1.1 only"),
        ("-0x1f", "in YAML 1.1 only"),
        ("0x_f", "in YAML 1.1 only"),
        ("1__e5", "in YAML 1.1 only"),
        ("yes", "write true"),
        ("On", "write true"),
        ("NO", "write false"),
        ("off", "write false"),
        ("1e400", "too large for a number"),
        ("-1e999", "too large for a number"),
        ("9" * 41, "a number of 41 digits"),
        ("9" * 5000, "a number of 5000 digits"),
        ("!!int 3", "tags ('!...')"),
        ("! 3", "tags ('!...')"),
        ("!!python/name:os.system", "tags"),
        ("*nobody", "no '&nobody' before it"),
        ("&a [*a]", "is inside the value that it refers to"),
        ('"\\0"', "U+0000"),
        ('"\\ud800"', "U+D800"),
        ('"\\U00110000"', "cannot be read"),
    ],
)
def test_value_of_two_meanings_or_none_is_refused(written, hint):
    line = complaint(f"deep:\n  a: {written}\n")
    assert line.startswith("line 2, column ")
    assert hint in line
    assert "(in deep.a" in line


# The resolver of PyYAML is that of YAML 1.1: whatever it takes for another value is refused here.
plain = st.from_regex(r"[-+]?[0-9][0-9_.:eExob+a-f-]{0,8}", fullmatch=True)


@fuzz
@given(written=plain | st.sampled_from(["yes", "No", "ON", "off", "~", "null", "true"]))
def test_no_value_has_another_meaning_in_yaml_1_1_unless_text_or_number_is_sure(written):
    try:
        found = parse(f"a: {written}")["a"]
    except YamlError:
        return
    try:
        other = yaml.safe_load(f"a: {written}")["a"]
    except (yaml.YAMLError, ValueError):
        assert isinstance(found, str)
        return
    if isinstance(other, str) and not isinstance(found, str):  # 1e5 and 0o17, texts in YAML 1.1
        assert found == (int(written, 0) if isinstance(found, int) else float(written))
    elif isinstance(found, str):
        assert isinstance(other, str | date)  # a date is a text here
    else:
        assert (found, type(found)) == (other, type(other))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1", "line 2, column 1: a tab; indent with spaces (in a)"),
        (
            "a: {b: 1, c: 2\nd: 3",
            "line 1, column 4: '{' is not closed: ',' or '}' is missing in line 2",
        ),
        (
            "a: [1, 2",
            "line 1, column 4: '[' is not closed: ',' or ']' is missing in line 1, column 9",
        ),
        ("a: [", "line 1, column 5: the file ends inside a list or map"),
        ("a: [1,,2]", "line 1, column 7: a key or value is missing before ','"),
        ("a: b: c", "line 1, column 5: this colon is out of place"),
        (
            "a:\n  - b: 1\n   c: 2",
            "line 3, column 4: this does not belong to the list that begins in line 2, column 3",
        ),
        ("a: 1\n...\nb: 2", "line 3, column 1: this does not belong to the lines above"),
        ("a: 1\nb\nc: 2", "line 2, column 1: a key without a colon"),
        ("a: {b:1}", "line 1, column 5: a space is missing after the colon: b: 1 (in a)"),
        ("a: 'x", "line 1, column 4: the quotes that open here are not closed (in a)"),
        ('a: "\\q"', r"line 1, column 6: '\q' is not an escape"),
        ("a: @x", "line 1, column 4: '@' cannot begin a value"),
        ("a: %x", "line 1, column 4: '%' cannot begin a value"),
        ("a: -", "line 1, column 4: '-' cannot begin a list here"),
        ("a: |x", "line 1, column 5: '|' and '>' begin a string of several lines"),
        ("a: &", "line 1, column 5: a name must follow '&' and '*'"),
        ("a: !<", "a tag ('!') or directive ('%') is not accepted"),
        (
            "%YAML 9.1\n---\na: 1",
            "line 1, column 1: the directive %YAML must occur once, with 1.1 or 1.2",
        ),
        ("a: 1\n---\nb: 2", "line 2, column 1: a second document begins here"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' is given twice, first in line 1"),
        (
            "x:\n  a: 1\n  'a': 3",
            "line 3, column 3: the key 'a' is given twice, first in line 2 (in x)",
        ),
        ("1: 2\n'1': 3", "line 2, column 1: the key '1' is given twice"),
        ("? [1]\n: 2", "a key must be a string, not a list, map or alias"),
        ("a: &b x\n*b : 1", "a key must be a string, not a list, map or alias"),
        ("{: 1}", "line 1, column 2: a key or value is missing before ':'"),
        ("<<: {a: 1}", "line 1, column 1: merge keys ('<<') are not accepted"),
        ("a: \x01", "line 1, column 4: the character U+0001"),
        (
            "a: 1\nb: \0",
            "line 2, column 4: the character U+0000 is not allowed in text; is the file in UTF-16?",
        ),
        ("[" * 1500, f"more than {MAX_DEPTH} levels of nesting"),
    ],
)
def test_mistake_is_told_with_its_place_and_its_key(text, expected):
    assert expected in complaint(text)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: 1".encode("utf-16"), "line 1, column 1: the file is in UTF-16"),
        ("a: 1".encode("utf-32"), "line 1, column 1: the file is in UTF-32"),
        ("a: 1\nb: für".encode("latin-1"), "line 2, column 5: the byte 0xfc is not UTF-8"),
    ],
)
def test_other_encodings_are_named(content, expected):
    with pytest.raises(YamlError) as caught:
        decode(content)
    assert expected in str(caught.value)


def test_byte_order_mark_and_windows_line_ends_are_taken():
    assert parse(decode(b"\xef\xbb\xbfa: 1\r\nb: \xc3\xbc\r\n")) == {"a": 1, "b": "ü"}
    assert parse("\ufeffa: 1") == {"a": 1}


def test_keys_are_texts_whatever_they_look_like():
    assert parse("no: 1\n010: 2\n1.5: 3\n~: 4") == {"no": 1, "010": 2, "1.5": 3, "~": 4}


def test_empty_text_is_nothing():
    assert parse("") is parse("# a remark\n") is parse("---\n...\n") is None


def test_aliases_are_taken_where_they_stay_small():
    assert parse("a: &x {k: 1}\nb: *x\nc: [*x]") == {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}]}


@pytest.mark.parametrize("empty", [False, True])
def test_bomb_of_aliases_is_refused_at_once(empty):
    levels = [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    first = "a0: &a0 []" if empty else "a0: &a0 [1, 1]"
    started_s = time.process_time()
    assert f"more than {MAX_VALUES:,} values" in complaint("\n".join([first, *levels]))
    assert time.process_time() - started_s < 5


def one_line(error):
    assert "\n" not in str(error)
    assert len(str(error)) < 600
    assert error.line >= 1
    assert error.column >= 1


texts = st.text(max_size=60) | st.text("abc:-[]{}&*!|>'\"#%@,?<=~. \t\n0129_", max_size=60)


@fuzz
@given(text=texts)
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        parse(text)
    except YamlError as error:
        one_line(error)


@fuzz
@given(content=st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_in_one_line(content):
    try:
        parse(decode(content))
    except YamlError as error:
        one_line(error)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text("abcä:-#'", min_size=1, max_size=6), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@fuzz
@given(value=values)
def test_what_pyyaml_writes_is_read_as_it_was(value):
    """Process files and scenarios of a soak are written so."""
    assert parse(yaml.safe_dump(value)) == value
