"""Ordered codewords: what is sent of them, round after round, and how it is judged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from semcom.errors import ProtocolError
from semcom.increments import (
    CERTAIN,
    Rate,
    as_kept,
    confidences_of,
    cut,
    first_counts,
    further_counts,
)
from semcom.points import PointSpec
from semcom.tasks.columns import cells, score_of
from semcom.tasks.ordered_classification import OrderedClassification
from semcom.tasks.registry import task_of
from semcom.used_symbols import check_used, parse_used

LENGTHS = (2, 5, 9)
TASK = OrderedClassification(classes=4, lengths=LENGTHS)


def codewords(items: int) -> np.ndarray:
    dice = np.random.default_rng(items)
    return (dice.standard_normal((items, 9)) + 1j).astype(np.complex64)


@pytest.mark.parametrize("fields", [{}, {"increments": 1, "confidence": 0.5}])
def test_rate_is_a_number_or_a_confidence(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="either increments or confidence"):
        Rate(**fields)  # type: ignore[arg-type]


def test_rate_names_a_curve_and_leaves_the_noise_alone() -> None:
    points = [
        PointSpec(snr_db=0.0, rate=rate)
        for rate in (None, Rate(increments=2), Rate(confidence=0.9))
    ]
    labels = [point.label for point in points]
    assert labels == ["awgn", "awgn increments=2", "awgn confidence=0.9"]
    assert len({point.key_text for point in points}) == 1


@pytest.mark.parametrize(("rate", "counts"), [(None, 3), (Rate(increments=2), 2)])
def test_fixed_rate_sends_the_first_increments(rate: Rate | None, counts: int) -> None:
    counts_N = first_counts(rate, 4, increments=3)
    sent, used = cut(codewords(4), counts_N, LENGTHS)
    check_used(used, sent)
    assert (parse_used(used, rows=4, symbols=9) == LENGTHS[counts - 1]).all()
    assert np.array_equal(sent[:, : LENGTHS[counts - 1]], codewords(4)[:, : LENGTHS[counts - 1]])
    assert not sent[:, LENGTHS[counts - 1] :].any()
    unsure = np.zeros(4, np.uint16)
    assert further_counts(rate, counts_N, unsure, increments=3) is None


@given(
    confidences=st.lists(st.lists(st.integers(0, CERTAIN), min_size=3, max_size=3), min_size=1),
    threshold=st.floats(0.01, 1.0),
)
def test_item_gets_increments_until_it_is_sure(
    confidences: list[list[int]], threshold: float
) -> None:
    rate = Rate(confidence=threshold)
    answered = np.array(confidences, dtype=np.uint16)  # to 1, 2 and 3 increments
    rows = np.arange(len(answered))
    more = first_counts(rate, len(answered), increments=3)
    rounds = 0
    while more is not None:
        counts, rounds = more, rounds + 1
        more = further_counts(rate, counts, answered[rows, counts - 1], increments=3)
    assert rounds == counts.max()
    sure = answered >= CERTAIN * threshold
    expected = np.where(sure[:, 0], 1, np.where(sure[:, 1], 2, 3))
    assert counts.tolist() == expected.tolist()


def test_confidence_is_the_probability_of_the_answered_class() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], dtype=np.float32))
    assert confidences_of(logits) / CERTAIN == pytest.approx([0.5, 0.8], abs=1e-4)
    huge = np.array([[1e4, -1e4, 0.0]], dtype=np.float32)
    assert confidences_of(huge).tolist() == [CERTAIN]


def test_right_answers_and_symbols_are_counted_of_what_is_kept() -> None:
    answers = np.array([[1, 9], [3, 60_000], [0, 0]], dtype=np.uint16)
    kept = as_kept(answers, np.array([1, 3, 2], dtype=np.uint16))
    labels = np.array([1, 2, 0], dtype=np.uint16)
    score = TASK.judge(kept, labels)
    assert score == {"items": 3, "correct": 2, "symbols": 16, "symbols_squares": 4 + 81 + 25}
    content = TASK.form.format(kept)
    TASK.check_kept(content, 3)
    assert TASK.rejudge(content, labels) == score
    assert TASK.check_score(score, 3) == ""
    means = {metric.name: metric.value(score) for metric in TASK.METRICS}
    assert means == pytest.approx({"accuracy": 2 / 3, "mean_symbols": 16 / 3})
    row = {"images": "3", "task": TASK.kind, **cells(TASK, score)}
    assert score_of(row) == (TASK.kind, score)


@pytest.mark.parametrize("count", [0, 4])
def test_increments_that_there_are_not_are_refused(count: int) -> None:
    kept = TASK.form.format(np.array([[1, count]], dtype=np.uint16))
    with pytest.raises(ProtocolError, match="increments beyond 1 to 3"):
        TASK.check_kept(kept, 1)


def test_more_symbols_than_codewords_have_are_refused() -> None:
    score = {"items": 2, "correct": 1, "symbols": 19, "symbols_squares": 0}
    assert TASK.check_score(score, 2) == "has 19 symbols of 2 items"


def test_task_is_read_from_what_states_it() -> None:
    assert task_of(TASK.model_dump(mode="json")) == TASK
