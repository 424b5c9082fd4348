"""Intervals and percentiles against published and hand-made values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom.metrics import percentile, wilson_interval

fuzz = settings(max_examples=200, derandomize=True, deadline=None, database=None)


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
    assert 0.0 <= low <= correct / total + 1e-12
    assert correct / total - 1e-12 <= high <= 1.0
    assert wilson_interval(total - correct, total) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(
    ("share", "expected"), [(0, 1.0), (50, 2.5), (99, 3.97), (100, 4.0), (25, 1.75)]
)
def test_percentile_is_linear_between_neighbours(share, expected):
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == pytest.approx(expected)


def test_percentile_of_nothing_is_zero():
    assert percentile([], 99) == 0.0
