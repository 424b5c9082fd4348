"""`--part`: written out, or taken from the array that a process belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.evaluation.part_choice import FOLDER, Part, parse_part
from semcom.errors import ConfigurationError

ARRAY = {
    "SLURM_ARRAY_TASK_ID": "6",
    "SLURM_ARRAY_TASK_COUNT": "4",
    "SLURM_ARRAY_TASK_MIN": "5",
    "SLURM_ARRAY_TASK_MAX": "8",
}
POD = {"JOB_COMPLETION_INDEX": "0"}


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_a_part_is_read_as_it_is_written(number, of):
    if number > of:
        with pytest.raises(ConfigurationError):
            parse_part(f"{number}/{of}", {})
        return
    part = parse_part(f"{number}/{of}", {})
    assert part == Part(number, of) == parse_part(str(part), {})
    assert FOLDER.fullmatch(part.folder)


@pytest.mark.parametrize(
    ("text", "environment", "wanted"),
    [
        ("auto", ARRAY, Part(2, 4)),
        ("auto", ARRAY | {"SLURM_ARRAY_TASK_ID": "5"}, Part(1, 4)),
        ("auto/10", ARRAY, Part(6, 10)),
        ("auto/10", {"SLURM_ARRAY_TASK_ID": "10"}, Part(10, 10)),
        ("auto/10", POD, Part(1, 10)),
        ("auto/3", {"JOB_COMPLETION_INDEX": "2"}, Part(3, 3)),
    ],
)
def test_an_array_says_which_part_it_is(text, environment, wanted):
    assert parse_part(text, environment) == wanted


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("auto", {}, "not a task of an array"),
        ("auto/4", {}, "not a task of an array"),
        ("auto", POD, "name the number of parts, such as --part auto/10"),
        ("auto", ARRAY | {"SLURM_ARRAY_TASK_COUNT": "2"}, "do not identify the parts"),
        ("auto/4", ARRAY, "part 6 of 4"),
        ("auto/4", {"SLURM_ARRAY_TASK_ID": "0"}, "counted from 1"),
        ("auto/4", {"SLURM_ARRAY_TASK_ID": "x"}, "not a number"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_COUNT is ''"),
    ],
)
def test_an_array_that_does_not_say_it_is_one_line(text, environment, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        parse_part(text, environment)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "3", "/", "3/", "/3", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "1.5/3", "auto/",
             "auto/x", "1/100001", "٣/4"]
)  # fmt: skip
def test_what_is_no_part_is_refused(text):
    with pytest.raises(ConfigurationError, match="--part"):
        parse_part(text, ARRAY)
