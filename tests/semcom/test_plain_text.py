"""Text of others stays visible, on its line, and is given to a shell as it is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.plain_text import (
    command,
    one_line,
    option,
    take_every_character,
    tell_error,
    visible,
)
from tests.properties import examples

fuzz = examples(300)
ANY = st.text(st.characters(exclude_categories=["Cs"]))
# What an argument of a process may hold: no zero byte; undecodable bytes are lone surrogates.
WORD = st.binary(max_size=12).filter(lambda b: b"\0" not in b).map(os.fsdecode)


@fuzz
@given(ANY)
def test_no_character_steers_a_terminal(text):
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not any(letter < " " or "\x7f" <= letter <= "\x9f" for letter in shown)
    assert one_line(shown) == shown
    assert visible(text).replace("\n", r"\n").replace("\t", r"\t") == shown


def test_escapes_are_those_of_python():
    assert one_line("a\x1b[31m\r\n\u202eb") == r"a\x1b[31m\r\n\u202eb"
    assert visible("a\tb\nc") == "a\tb\nc"
    assert one_line("é 中 ± \N{NARROW NO-BREAK SPACE}") == "é 中 ± \N{NARROW NO-BREAK SPACE}"


def test_a_shell_takes_commands_apart_into_the_same_words():
    """All examples in one shell: it prints each word that it is given with a zero byte behind."""
    words: list[str] = []

    @examples(150)
    @given(st.lists(WORD, min_size=1, max_size=4))
    def collect(found):
        words.extend(found)

    collect()
    words += ["[a] b", "it's", 'say "hi"', "$HOME `id` $(id)", "a\nb", "~", "*", "", "\\", "!x"]
    line = command("printf", r"%s\0", *words)
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"".join(os.fsencode(word) + b"\0" for word in words)
    assert len(line.splitlines()) == 1


def test_a_path_is_no_option():
    assert command("semcom", Path("-x.yaml"), "--out", "-") == "semcom ./-x.yaml --out -"


def test_an_option_is_left_out_where_it_says_nothing():
    assert option("--data", Path("data"), Path("data")) == []
    assert option("--data", Path("d"), Path("data")) == ["--data", Path("d")]
    assert option("--seeds", None) == []


def test_errors_are_one_line_without_colours_off_a_terminal(capsys):
    tell_error("cannot read [bold]\x1b[31m\nb")
    assert capsys.readouterr().err == "error: cannot read [bold]\\x1b[31m\\nb\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_streams_take_every_character(encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", None)
    take_every_character()
    sys.stdout.write("é 中 \udcff")
    sys.stdout.flush()
    assert raw.getvalue().decode(encoding).endswith(r"\udcff")
    sys.stderr.write("nobody reads it")
    sys.stderr.close()
