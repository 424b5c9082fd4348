"""Each frame is counted once, and every frame offered is somewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.live.accounts import MAX_EARLY, Account


def balanced(account):
    return account.offered == account.recorded + account.shed + account.lost + account.open


@given(st.lists(st.integers(0, 30), max_size=80))
def test_each_frame_counts_once_in_any_order(frames):
    account = Account()
    new = [account.record(frame) for frame in frames]
    assert sum(new) == account.recorded == len(set(frames))
    assert account.duplicates == len(frames) - len(set(frames))
    assert balanced(account)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("record"), st.integers(0, 20)),
            st.tuples(st.just("report"), st.integers(0, 40)),
            st.just(("begin", 0)),
        ),
        max_size=60,
    )
)
def test_every_offered_frame_is_recorded_shed_lost_or_open(events):
    account = Account()
    for kind, number in events:
        if kind == "record":
            account.record(number)
        elif kind == "report":
            account.report(offered=number, shed=number // 4, unrecorded=number)
        else:
            account.begin()
            assert account.open == 0
        assert balanced(account)
        assert account.open >= 0


def test_what_a_killed_transmitter_left_open_is_lost():
    account = Account()
    account.report(offered=10, shed=2, unrecorded=5)
    for frame in range(3):
        account.record(frame)
    assert account.begin() == 5
    assert (account.offered, account.recorded, account.shed, account.lost) == (10, 3, 2, 5)
    assert account.record(0), "numbers begin anew"
    assert account.recorded == 4


def test_frames_that_nobody_has_any_more_are_not_accounted_for():
    account = Account()
    account.report(offered=10, shed=0, unrecorded=8)
    assert account.unaccounted == 2
    account.record(0)
    account.record(1)
    account.report(offered=10, shed=0, unrecorded=8)
    assert account.unaccounted == 0


def test_report_that_was_overtaken_changes_nothing():
    account = Account()
    account.report(offered=10, shed=1, unrecorded=9)
    account.report(offered=4, shed=0, unrecorded=4)
    assert (account.offered, account.shed) == (10, 1)


def test_numbers_from_nowhere_cannot_fill_the_memory():
    with pytest.raises(ValueError, match="still to come"):
        Account().record(MAX_EARLY)
