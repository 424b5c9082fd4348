"""Scores are sums: pooled values do not depend on how a run was cut."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.errors import ProtocolError
from semcom.statistics import wilson_interval
from semcom.tasks.classification import ACCURACY, Classification
from semcom.tasks.form import AnswerForm
from semcom.tasks.reconstruction import (
    LOSSLESS_DB,
    MSE,
    PSNR,
    SSIM,
    Reconstruction,
    psnr_db,
    ssim,
)
from semcom.tasks.registry import our_tasks, task_class
from semcom.tasks.score import MAX_SUM, merged
from tests.properties import examples

CLASSES = Classification(classes=10)
IMAGES = Reconstruction(shape=(16, 12, 3))


def noisy_images(seed: int = 0, images: int = 9, noise: int = 40):
    rng = np.random.default_rng(seed)
    sent = rng.integers(0, 256, (images, *IMAGES.shape))
    received = np.clip(sent + rng.integers(-noise, noise + 1, sent.shape), 0, 255)
    return received.astype(np.uint8), sent.astype(np.uint8)


@examples(20)
@given(cuts=st.sets(st.integers(1, 8)))
def test_pooled_score_is_that_of_all_items_however_they_are_cut(cuts):
    received, sent = noisy_images()
    labels = np.arange(9, dtype=np.uint16)
    ends = [0, *sorted(cuts), 9]
    spans = [slice(start, stop) for start, stop in pairwise(ends)]
    for task, answers, references in (
        (IMAGES, received, sent),
        (CLASSES, labels % 4, labels),
    ):
        parts = [task.judge(answers[span], references[span]) for span in spans]
        assert reduce(merged, parts) == task.judge(answers, references)
        assert tuple(parts[0]) == task.SUMS or set(parts[0]) == set(task.SUMS)


def test_scores_of_different_tasks_are_not_added():
    with pytest.raises(ValueError, match="different tasks"):
        merged({"items": 1, "correct": 1}, {"items": 1, "psnr": 1})


def test_accuracy_is_a_share_with_wilsons_interval():
    score = CLASSES.judge(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 9]))
    assert score == {"items": 4, "correct": 3}
    assert ACCURACY.value(score) == 0.75
    assert ACCURACY.interval(score) == wilson_interval(3, 4)
    assert ACCURACY.printed(score).startswith("75.00 (")


def test_psnr_of_a_known_error():
    sent = np.full((1, 16, 12, 3), 100, dtype=np.uint8)
    score = IMAGES.judge(sent + np.uint8(5), sent)
    assert PSNR.value(score) == pytest.approx(10 * np.log10(255**2 / 25), abs=1e-4)
    assert MSE.value(score) == 25.0


def test_image_without_error_has_the_highest_values():
    received, sent = noisy_images()
    score = IMAGES.judge(sent, sent)
    assert PSNR.value(score) == LOSSLESS_DB
    assert SSIM.value(score) == 1.0
    assert psnr_db(np.array([1 / (8192 * 8192 * 3)])) == LOSSLESS_DB
    assert SSIM.value(IMAGES.judge(received, sent)) < 1.0


def test_ssim_is_that_of_the_definition():
    received, sent = noisy_images(images=1)
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    weights = np.outer(window, window) / window.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for row, column, channel in np.ndindex(16 - 10, 12 - 10, 3):
        at = np.s_[0, row : row + 11, column : column + 11, channel]
        x, y = received[at].astype(float), sent[at].astype(float)
        mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
        var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
        both = (weights * (x - mean_x) * (y - mean_y)).sum()
        values.append(
            (2 * mean_x * mean_y + c1)
            * (2 * both + c2)
            / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
        )
    assert ssim(received, sent)[0] == pytest.approx(np.mean(values), abs=1e-12)


def test_interval_of_a_mean_is_the_normal_one():
    received, sent = noisy_images(images=50)
    each = [PSNR.value(IMAGES.judge(received[i : i + 1], sent[i : i + 1])) for i in range(50)]
    low, high = PSNR.interval(IMAGES.judge(received, sent))
    half = 1.959963984540054 * np.std(each, ddof=1) / np.sqrt(50)
    assert (low, high) == pytest.approx((np.mean(each) - half, np.mean(each) + half), abs=1e-6)


def test_sums_of_the_largest_frame_fit_into_64_bits():
    worst = IMAGES.judge(
        np.zeros((1, *IMAGES.shape), np.uint8), np.full((1, *IMAGES.shape), 255, np.uint8)
    )
    best = IMAGES.judge(*[np.zeros((1, *IMAGES.shape), np.uint8)] * 2)
    assert max(4096 * value for score in (worst, best) for value in score.values()) <= MAX_SUM


def test_class_that_there_is_not_is_refused():
    CLASSES.check(np.array([0, 9], dtype=np.uint16))
    with pytest.raises(ProtocolError, match="class 10, its codec has 10 classes"):
        CLASSES.check(np.array([10], dtype=np.uint16))


@given(items=st.integers(0, 5), shape=st.lists(st.integers(1, 4), max_size=3))
def test_answers_survive_the_wire(items, shape):
    form = AnswerForm(dtype="uint16", shape=tuple(shape))
    answers = np.arange(items * int(np.prod(shape)), dtype=np.uint16).reshape(items, *shape)
    assert (form.parse(form.format(answers), items) == answers).all()
    with pytest.raises(ProtocolError):
        form.parse(form.format(answers) + b"\0", items)


def test_ledger_keeps_classes_and_the_digest_of_images():
    assert CLASSES.kept(b"\1\0") == b"\1\0"
    assert len(IMAGES.kept(b"x" * 10_000)) == 32


@given(seed=st.integers(0, 50), images=st.integers(1, 9))
@examples(20)
def test_value_is_what_a_monitoring_system_computes_from_the_counters(seed, images):
    received, sent = noisy_images(seed, images=images, noise=60)
    labels = np.arange(images, dtype=np.uint16)
    scores = {IMAGES: IMAGES.judge(received, sent), CLASSES: CLASSES.judge(labels % 3, labels)}
    for task, score in scores.items():
        for metric in task.METRICS:
            assert metric.of in task.SUMS
            computed = metric.step * score[metric.of] / score["items"]
            assert metric.value(score) == pytest.approx(computed, rel=1e-12)


def test_name_of_a_task_is_known_of_its_class():
    for task in our_tasks():
        assert task_class(task.kind_name()) is task
    assert CLASSES.kind_name() == CLASSES.kind
