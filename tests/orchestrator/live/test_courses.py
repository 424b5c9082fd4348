"""SNR courses: pure, within bounds, in steps of 0.1 dB, and what each kind promises."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from orchestrator.live.courses import Course, RandomWalk, Trace, snr_at

COURSE = TypeAdapter(Course)
SNRS = st.floats(-30, 60)
TIMES_S = st.floats(0, 1e6)
SEEDS = st.integers(0, 2**62 - 1)


def course(kind, **fields):
    return COURSE.validate_python({"kind": kind, **fields})


COURSES = st.one_of(
    st.builds(lambda snr: course("constant", snr_db=snr), SNRS),
    st.builds(
        lambda snrs, hold: course("steps", snr_db=snrs, hold_s=hold),
        st.lists(SNRS, min_size=1, max_size=5),
        st.floats(0.1, 1000),
    ),
    st.builds(lambda a, b: course("ramp", start=a, stop=b, period_s=7.0), SNRS, SNRS),
    st.builds(
        lambda mean, swing: course("sine", mean=mean, amplitude=swing, period_s=3.0),
        st.floats(0, 30),
        st.floats(0, 30),
    ),
    st.just(course("random_walk", start=5, low=-10, high=25, step_db=2.0, every_s=60)),
)


@given(COURSES, TIMES_S, SEEDS)
def test_course_is_a_function_of_time_and_seed_within_bounds_in_tenths(wanted, at_s, seed):
    snr_db = snr_at(wanted, at_s, seed=seed)
    assert snr_db == snr_at(COURSE.validate_python(wanted.model_dump()), at_s, seed=seed)
    assert -30 <= snr_db <= 60
    assert snr_db == round(snr_db, 1)


@given(SEEDS, st.floats(0, 1e5))
def test_random_walk_stays_between_its_bounds(seed, at_s):
    walk = RandomWalk(kind="random_walk", start=0, low=-3, high=4.5, step_db=5.0, every_s=2.0)
    assert -3 <= snr_at(walk, at_s, seed=seed) <= 4.5


def test_random_walk_takes_steps_of_its_width_and_goes_on_over_the_end_of_a_block():
    walk = course("random_walk", start=0, low=-30, high=60, step_db=0.5)
    values = [snr_at(walk, at_s, seed=3) for at_s in range(1000, 1060)]
    steps = [abs(b - a) for a, b in pairwise(values)]
    assert max(steps) < 3
    assert len(set(values)) > 10
    assert values != [snr_at(walk, at_s, seed=4) for at_s in range(1000, 1060)]


@pytest.mark.parametrize(("at_s", "snr_db"), [(0, 5), (9.9, 5), (10, -5), (20, 5), (35, -5)])
def test_steps_hold_and_come_round(at_s, snr_db):
    assert snr_at(course("steps", snr_db=[5, -5], hold_s=10), at_s, seed=0) == snr_db


@pytest.mark.parametrize(("at_s", "snr_db"), [(0, -10), (5, 0), (10, 10), (15, 0), (20, -10)])
def test_ramp_goes_up_and_down(at_s, snr_db):
    assert snr_at(course("ramp", start=-10, stop=10, period_s=10), at_s, seed=0) == snr_db


def test_sine_reaches_its_amplitude_up_to_the_bounds():
    wave = course("sine", mean=40, amplitude=20, period_s=4)
    assert [snr_at(wave, at_s, seed=0) for at_s in range(4)] == [40, 60, 40, 20]


def test_trace_holds_each_value_and_begins_again(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text("seconds,snr_db\n0,10\n2,-3.25\n5,10\n")
    trace = Trace(kind="trace", file=file)
    found = [snr_at(trace, at_s, seed=0) for at_s in (0, 1.9, 2, 4.9, 5, 7)]
    assert found == [10, 10, -3.2, -3.2, 10, -3.2]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "constant", "snr_db": 61},
        {"kind": "steps", "snr_db": [], "hold_s": 1},
        {"kind": "ramp", "start": 0, "stop": 1, "period_s": 0},
        {"kind": "random_walk", "start": 9, "low": 0, "high": 5, "step_db": 1},
        {"kind": "random_walk", "start": 5, "low": 5, "high": 5, "step_db": 1},
        {"kind": "sine", "mean": 50, "amplitude": 20, "period_s": 4},
        {"kind": "sine", "mean": -20, "amplitude": 10.5, "period_s": 4},
        {"kind": "unheard_of"},
    ],
)
def test_courses_that_cannot_be_are_refused(fields):
    with pytest.raises(ValueError, match="validation error"):
        COURSE.validate_python(fields)
