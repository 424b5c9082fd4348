"""Intervals and percentiles against published and hand-made values."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.statistics import percentile, wilson_interval
from tests.properties import examples

fuzz = examples(200)


@pytest.mark.parametrize(
    ("correct", "total", "expected"),
    [
        # R. G. Newcombe, Statistics in Medicine 17 (1998), Table I, method 3.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0000, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        # The same turned round, and the middle.
        (20, 20, (0.8389, 1.0000)),
        (5, 10, (0.2366, 0.7634)),
    ],
)
def test_interval_agrees_with_published_values(correct, total, expected):
    assert wilson_interval(correct, total) == pytest.approx(expected, abs=5e-5)


def test_interval_of_nothing_is_everything():
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("z", [1.0, 1.959963984540054, 2.5758293035489004])
def test_ends_of_the_interval_lie_z_standard_errors_away(z):
    """The score equation that defines the interval: its ends are the shares it just allows."""
    for end in wilson_interval(30, 100, z):
        assert (0.3 - end) ** 2 == pytest.approx(z * z * end * (1 - end) / 100, rel=1e-9)


@fuzz
@given(total=st.integers(1, 10**6), share=st.floats(0, 1))
def test_interval_holds_the_share_and_mirrors(total, share):
    correct = round(share * total)
    low, high = wilson_interval(correct, total)
    assert 0.0 <= low <= correct / total <= high <= 1.0
    assert wilson_interval(total - correct, total) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def shares(total):
    """Numbers of right answers: the ends, their neighbours, and some between."""
    between = (total * part // 7 for part in range(1, 7))
    return sorted({0, 1, *between, total - 1, total})


def test_interval_contains_its_share_for_every_number_of_images():
    for total in range(1, 20_001):
        for correct in shares(total):
            low, high = wilson_interval(correct, total)
            assert 0.0 <= low <= correct / total <= high <= 1.0, (correct, total)
            assert (low == 0.0) == (correct == 0), (correct, total)
            assert (high == 1.0) == (correct == total), (correct, total)


def test_interval_contains_every_share_of_some_numbers_of_images():
    for total in (1, 2, 3, 10, 97, 250, 1000, 9973):
        for correct in range(total + 1):
            low, high = wilson_interval(correct, total)
            assert low <= correct / total <= high, (correct, total)


def rounded_freely(correct, total, z=1.959963984540054):
    """The interval as it was computed when the first ledgers were written."""
    share = correct / total
    scale = 1.0 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z / scale * sqrt(share * (1.0 - share) / total + z * z / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def test_interval_has_the_six_digits_of_earlier_results_csv():
    """`semcom verify` compares results.csv of old runs letter by letter."""
    for total in range(1, 20_001):
        for correct in (0, total // 3, total):
            before, now = rounded_freely(correct, total), wilson_interval(correct, total)
            assert [f"{end:.6f}" for end in before] == [f"{end:.6f}" for end in now]


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1.0), (50, 2.5), (99, 3.97), (100, 4.0), (25, 1.75)]
)
def test_percentile_is_linear_between_neighbours(share, expected):
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == pytest.approx(expected)


def test_percentile_of_nothing_is_zero():
    assert percentile([], 99) == 0.0
