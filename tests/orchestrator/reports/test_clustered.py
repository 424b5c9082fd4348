"""Intervals and pairs over repeated items hold what they promise; of one seed it is McNemar's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.reports.clustered import (
    LEAST_CLUSTERS,
    clustered_interval,
    mean_error,
    paired_difference,
    wilson_of,
)
from orchestrator.results.cluster_sums import ClusterSums, by_frame
from semcom.statistics import wilson_interval
from semcom.tasks.classification import ACCURACY
from semcom.tasks.reconstruction import MSE, SSIM, Reconstruction
from semcom.tasks.text import BLEU_1

SEEDS, ITEMS = 3, 400


def clusters(right: np.ndarray, kind="item", size: int = 1) -> ClusterSums:
    sums = right.astype(np.int64).reshape(-1, size).sum(axis=1)
    return ClusterSums("d", kind, {"items": np.full(len(sums), size, np.int64), "correct": sums})


def drawn(dice: np.random.Generator, *, hard: float = 0.35) -> list[np.ndarray]:
    """Answers of several seeds to the same items, some of which are always hard."""
    chances = np.where(dice.random(ITEMS) < hard, 0.1, 0.9)
    return [dice.random(ITEMS) < chances for _ in range(SEEDS)]


def score(answers: list[np.ndarray]) -> dict[str, int]:
    return {"items": SEEDS * ITEMS, "correct": int(sum(each.sum() for each in answers))}


@pytest.mark.parametrize(("kind", "size"), [("item", 1), ("frame", 8)])
def test_interval_holds_the_truth_as_often_as_it_promises_and_the_pooled_one_does_not(kind, size):
    dice, truth = np.random.default_rng(5), 0.35 * 0.1 + 0.65 * 0.9
    held = pooled = 0
    rounds = 400
    for _ in range(rounds):
        answers = drawn(dice)
        points = [clusters(each, kind, size) for each in answers]
        low, high = clustered_interval(ACCURACY, score(answers), SEEDS, points)
        held += low <= truth <= high
        narrow = ACCURACY.interval(score(answers))
        pooled += narrow[0] <= truth <= narrow[1]
    assert held / rounds == pytest.approx(0.95, abs=0.035)
    assert pooled / rounds < 0.88


def test_without_clusters_each_item_counts_once_as_if_all_seeds_agreed():
    answers = drawn(np.random.default_rng(1))
    told = clustered_interval(ACCURACY, score(answers), SEEDS, [clusters(a) for a in answers])
    blind = clustered_interval(ACCURACY, score(answers), SEEDS, [])
    few = [clusters(each, "frame", ITEMS // 4) for each in answers]
    assert len(few[0].items) < LEAST_CLUSTERS
    assert clustered_interval(ACCURACY, score(answers), SEEDS, few) == blind
    share = ACCURACY.value(score(answers))
    assert blind == wilson_of(share, ITEMS)
    assert blind[0] < told[0] < share < told[1] < blind[1]


def test_one_seed_has_the_interval_of_the_metric():
    answers = drawn(np.random.default_rng(1))[0]
    one = {"items": ITEMS, "correct": int(answers.sum())}
    assert clustered_interval(ACCURACY, one, 1, [clusters(answers)]) == ACCURACY.interval(one)


@given(total=st.integers(1, 500), data=st.data())
def test_wilson_of_whole_items_is_wilsons_interval(total, data):
    hits = data.draw(st.integers(0, total))
    assert wilson_of(hits / total, total) == pytest.approx(wilson_interval(hits, total))


def test_metric_that_is_no_mean_is_widened_by_the_seeds():
    psnr = next(m for m in Reconstruction(shape=(32, 32, 3)).METRICS if m.name == "psnr")
    one = {"items": 30, "psnr": 90_000, "psnr_squares": 280_000_000}
    low, high = psnr.interval(one)
    wide = clustered_interval(psnr, one, 3, [])
    assert wide[1] - wide[0] == pytest.approx(3**0.5 * (high - low))


def test_frames_are_clusters_with_their_items():
    scores = [{"items": 3, "correct": 1}, {"items": 2, "correct": 2}]
    found = by_frame("d", scores)
    assert found.total == {"items": 5, "correct": 3}
    assert found.items.tolist() == [3, 2]
    assert not found.is_like(
        by_frame("e", [{"items": 3, "correct": 1}, {"items": 2, "correct": 2}])
    )


def test_of_one_seed_and_items_it_is_mcnemars_test():
    dice = np.random.default_rng(2)
    one, other = dice.random(ITEMS) < 0.8, dice.random(ITEMS) < 0.7
    found = paired_difference("correct", [clusters(one)], [clusters(other)])
    only_one, only_other = int((one & ~other).sum()), int((other & ~one).sum())
    assert (found.only_one, found.only_other) == (only_one, only_other)
    assert found.value == pytest.approx((only_one - only_other) / ITEMS)
    # McNemar's statistic has no mean taken out: the same up to the square of the difference.
    mcnemar = (only_one - only_other) / np.sqrt(only_one + only_other)
    assert found.value / found.error == pytest.approx(mcnemar, rel=0.02)


def test_pairs_of_several_seeds_are_clustered_by_item():
    dice = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        chance = np.where(dice.random(ITEMS) < 0.5, 0.2, 0.9)
        better = chance + np.where(dice.random(ITEMS) < 0.5, 0.1, 0.0)  # items differ in the gain
        one = [clusters(dice.random(ITEMS) < better) for _ in range(SEEDS)]
        other = [clusters(dice.random(ITEMS) < chance) for _ in range(SEEDS)]
        low, high = paired_difference("correct", one, other).interval
        held += low <= 0.05 <= high
    assert held / 300 == pytest.approx(0.95, abs=0.04)


def test_frames_tell_the_difference_and_no_counts():
    dice = np.random.default_rng(4)
    one, other = dice.random(ITEMS) < 0.8, dice.random(ITEMS) < 0.6
    items = paired_difference("correct", [clusters(one)], [clusters(other)])
    frames = paired_difference(
        "correct", [clusters(one, "frame", 4)], [clusters(other, "frame", 4)]
    )
    assert frames.value == items.value
    assert (frames.kind, frames.only_one, frames.only_other) == ("frame", None, None)
    assert frames.error == pytest.approx(items.error, rel=0.25)


def test_pairs_that_did_not_meet_the_same_items_have_no_difference():
    one = clusters(np.ones(ITEMS, bool))
    other = ClusterSums("another", "item", one.sums)
    assert paired_difference("correct", [one], [other]) is None
    assert paired_difference("correct", [one], [one, one]) is None
    assert mean_error("psnr", [one]) is None
    same = paired_difference("correct", [one], [one])
    assert (same.value, same.p) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("metric", "items", "least", "most"),
    [(BLEU_1, (1.0, 1.0, 0.4), 0.0, 1.0), (SSIM, (1.0, 0.99, 0.2), -1.0, 1.0),
     (MSE, (0.0, 1.0, 900.0), 0.0, 65_025.0)],
)  # fmt: skip
@pytest.mark.parametrize("repeats", [1, 3])
def test_interval_ends_where_the_values_of_its_metric_end(metric, items, least, most, repeats):
    steps = [round(value / metric.step) for value in items]
    name = metric.name
    one = {"items": 3, name: sum(steps), f"{name}_squares": sum(each * each for each in steps)}
    low, high = clustered_interval(metric, one, repeats, [])
    assert least <= low < metric.value(one) < high <= most
    assert low == 0.0 or high == 1.0
