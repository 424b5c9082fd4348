"""SNR points of scenarios: the stop of a range is in it, or the range is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.plan.snr_points import SnrPoints, values_of
from semcom.errors import ConfigurationError
from semcom.settings import Settings, validate


class Holder(Settings):
    snr_db: SnrPoints


def read(written: object) -> list[float]:
    return values_of(validate(Holder, {"snr_db": written}, where="s.yaml").snr_db)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ([0, 10.5], [0, 10.5]),
        ({"start": -10, "stop": 25, "step": 17.5}, [-10, 7.5, 25]),
        ({"start": 0, "stop": 0.3, "step": 0.1}, [0, 0.1, 0.2, 0.3]),
        ({"start": 5, "stop": 5, "step": 2}, [5]),
    ],
)
def test_points_are_those_that_are_written(written, expected):
    assert read(written) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            {"start": 0, "stop": 10, "step": 3},
            "snr_db: stop 10 is not reached: from start 0 in steps of 3 come 9 and 12",
        ),
        ({"start": 0, "stop": 10, "step": 20}, "come 0 and 20"),
        (
            {"start": 10, "stop": 0, "step": -2},
            "stop 0 is below start 10; a range must rise: write start: 0, stop: 10, step: 2",
        ),
        ({"start": 10, "stop": 0, "step": 2}, "write start: 0, stop: 10, step: 2"),
        (
            {"start": 0, "stop": 10, "step": 0},
            "snr_db.step: must be a number above 0 to 100, got 0",
        ),
        (
            {"start": 0, "stop": 10, "step": -1},
            "snr_db.step: must be a number above 0 to 100, got -1",
        ),
        ({"start": 0, "stop": 10, "step": "2"}, "snr_db.step: must be a number, got '2'"),
        ({"start": 0, "stop": 10, "step": True}, "snr_db.step: must be a number, got true"),
        ({"start": 0, "stop": 10}, "snr_db.step: missing; it must be a number above 0 to 100"),
        (
            {"start": -31, "stop": 10, "step": 1},
            "snr_db.start: must be a number from -30 to 60, got -31",
        ),
        ({"start": 0, "end": 10, "step": 1}, "snr_db.end: unknown key; allowed: start, step, stop"),
        ({"start": 0, "stop": 1, "step": 1e-9}, "gives more than 100,000 points"),
        (
            10,
            "each a number from -30 to 60, or a map of start, stop, step, got 10",
        ),
        ("-10:10:5", "or a map of start, stop, step, got '-10:10:5'"),
        (None, "or a map of start, stop, step, got null"),
        ([], "snr_db: must be a list of 1 or more, each a number from -30 to 60, got []"),
        ([0, 99], "snr_db.1: must be a number from -30 to 60, got 99"),
        ([0, "1"], "snr_db.1: must be a number, got '1'"),
        ([[0]], "snr_db.0: must be a number from -30 to 60, got [0]"),
        ({}, "snr_db.start: missing"),
    ],
)
def test_what_is_wrong_with_start_stop_or_step_is_said(written, expected):
    with pytest.raises(ConfigurationError) as caught:
        read(written)
    line = str(caught.value)
    assert expected in line
    assert "constrained" not in line


TENTHS = st.integers(-300, 600).map(lambda tenths: tenths / 10)


@given(TENTHS, TENTHS, st.sampled_from([0.1, 0.25, 0.3, 0.7, 1, 2.5, 3, 5, 7.5, 100]))
def test_range_ends_at_its_stop_or_is_refused(start, stop, step):
    points = None
    try:
        points = read({"start": start, "stop": stop, "step": step})
    except ConfigurationError:
        steps = (stop - start) / step
        missed = stop < start or abs(steps - round(steps)) > 1e-9
    else:
        missed = False
        assert (points[0], points[-1]) == (start, stop)
        assert all(abs(b - a - step) < 1e-6 for a, b in pairwise(points))
    assert missed == (points is None)


THOUSANDTHS = st.integers(-30_000, 60_000).map(lambda thousandths: thousandths / 1000)


@given(THOUSANDTHS, st.integers(1, 100_000).map(lambda step: step / 1000), st.integers(0, 200))
def test_points_are_those_of_earlier_versions(start, step, steps):
    stop = round(start + steps * step, 9)
    assume(stop <= 60)
    points = read({"start": start, "stop": stop, "step": step})
    earlier = int((stop - start) / step + 1e-9) + 1
    assert points == [round(start + index * step, 9) for index in range(earlier)]
