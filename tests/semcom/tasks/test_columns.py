"""Tables of results keep scores as they are: what is read back is what was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.tasks.classification import Classification
from semcom.tasks.columns import cells, columns, score_of
from semcom.tasks.reconstruction import Reconstruction
from semcom.tasks.registry import all_tasks
from semcom.tasks.score import MAX_SUM

CLASSES, IMAGES = Classification(classes=10), Reconstruction(shape=(16, 16, 1))
ITEMS = st.integers(1, 10**9)
SUMS = st.integers(0, MAX_SUM)


def row(task, score):
    return cells(task, score) | {"images": str(score["items"]), "task": task.kind}


def test_classification_has_the_columns_of_all_earlier_versions():
    assert columns(CLASSES) == ("correct", "accuracy", "ci95_low", "ci95_high")
    assert cells(CLASSES, {"items": 4, "correct": 3}) == {
        "correct": "3", "accuracy": "0.750000", "ci95_low": "0.300642", "ci95_high": "0.954413",
    }  # fmt: skip


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.__name__)
def test_no_two_columns_of_a_task_are_called_alike(task):
    assert len(set(columns(task))) == len(columns(task))
    assert len(columns(task)) == len(task.SUMS) - 1 + 3 * len(task.METRICS)


@given(items=ITEMS, share=st.floats(0, 1))
def test_score_of_classification_is_read_back(items, share):
    score = {"items": items, "correct": int(items * share)}
    assert score_of(row(CLASSES, score)) == ("classification", score)
    earlier = {name: text for name, text in row(CLASSES, score).items() if name != "task"}
    assert score_of(earlier) == ("classification", score)


@given(items=ITEMS, sums=st.lists(SUMS, min_size=6, max_size=6))
def test_score_of_images_is_read_back_to_the_last_digit(items, sums):
    score = dict(zip(IMAGES.SUMS, (items, *sums), strict=True))
    blank = dict.fromkeys(columns(CLASSES), "")
    assert score_of(row(IMAGES, score) | blank) == ("reconstruction", score)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"task": "reconstruction"}, "a row of reconstruction has nothing in the column sum_psnr"),
        ({"correct": ""}, "a row of classification has nothing in the column correct"),
        ({"images": ""}, "nothing in the column images"),
        ({"correct": "many"}, "invalid literal"),
        (
            {"task": "telepathy"},
            "no task 'telepathy'; available: classification, ordered_classification",
        ),
    ],
)
def test_a_row_without_a_score_is_refused(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        score_of(row(CLASSES, {"items": 4, "correct": 3}) | changes)
