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
    st.integers(0, 50), st.lists(st.booleans(), min_size=1, max_size=60),
    st.lists(st.integers(0, 59), max_size=60),
)  # fmt: skip
def test_numbers_of_shed_frames_leave_no_gap_behind(first, shed, repeated):
    """In a group a frame that is shed has a number, which no result will ever have."""
    account = Account()
    account.begin()
    account.starts_with(first)
    sent = [first + slot for slot, dropped in enumerate(shed) if not dropped]
    assert all(account.record(frame) for frame in sent)
    end = first + len(shed)
    account.report(offered=len(shed), shed=sum(shed), unrecorded=0, lowest=end)
    assert (account.offered, account.open, account.unaccounted) == (len(shed), 0, 0)
    again = [account.record(first + slot) for slot in repeated if slot < len(shed)]
    assert not any(again)
    assert account.record(end + MAX_EARLY - 1), "what is behind counts against nobody"


def test_frames_that_did_not_meet_all_are_counted_by_who_was_absent():
    account = Account()
    for absent in (["bob"], [], ["bob", "carol"]):
        account.met_without(absent)
    assert (account.incomplete, account.absent) == (2, {"bob": 2, "carol": 1})


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
    assert account.record(0), "numbers begin at 0 again"
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
    with pytest.raises(ValueError, match="is still missing"):
        Account().record(MAX_EARLY)
