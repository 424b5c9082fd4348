"""Lines of one kind are logged once in a while."""

from __future__ import annotations

from semcom.log_limit import LINES_PER_S, MAX_KINDS, KindLimit


def test_each_kind_is_due_once_in_a_while():
    limit = KindLimit(every_s=10.0)
    due = [second for second in range(60) if limit.due("a", float(second))]
    assert due == [0, 10, 20, 30, 40, 50]
    assert limit.due("b", 55.0)


def test_kinds_are_remembered_up_to_a_bound():
    limit = KindLimit(every_s=10.0)
    for number in range(3 * MAX_KINDS):
        assert limit.due(str(number), float(number))
    assert len(limit._next_s) <= MAX_KINDS


def test_kinds_that_are_new_each_time_get_no_more_lines_than_one_may_have():
    limit = KindLimit(every_s=10.0)
    due = [limit.due(f"peer {number}", number / 1000) for number in range(5000)]
    assert sum(due) == 5 * LINES_PER_S
    assert limit.due("peer 4999", 5.0), "a line that was held back is due later"
