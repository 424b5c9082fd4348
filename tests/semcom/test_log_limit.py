"""Lines of one kind are logged once in a while."""

from __future__ import annotations

from semcom.log_limit import MAX_KINDS, KindLimit


def test_each_kind_is_due_once_in_a_while():
    limit = KindLimit(every_s=10.0)
    due = [second for second in range(60) if limit.due("a", float(second))]
    assert due == [0, 10, 20, 30, 40, 50]
    assert limit.due("b", 55.0)


def test_kinds_are_remembered_up_to_a_bound():
    limit = KindLimit(every_s=10.0)
    for number in range(3 * MAX_KINDS):
        assert limit.due(str(number), 0.0)
    assert len(limit._next_s) <= MAX_KINDS
