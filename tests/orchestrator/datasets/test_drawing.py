"""Outlines, patterns and poses, apart from whole scenes."""

import numpy as np
import pytest

from orchestrator.datasets.dice import Streams
from orchestrator.datasets.pose import Pose, coverage, depth_inside
from orchestrator.datasets.shapes import OUTLINES
from orchestrator.datasets.textures import PATTERNS, Surface, pattern


def grid(side=200, reach=1.5):
    line = np.linspace(-reach, reach, side, dtype=np.float32)
    return np.meshgrid(line, line)


@pytest.mark.parametrize("name", OUTLINES)
def test_outline_fills_a_good_part_of_the_unit_circle_and_nothing_far_outside(name):
    x, y = grid()
    inside = OUTLINES[name](x, y) < 0
    assert 0.2 < inside.sum() / (x * x + y * y < 1).sum() < 0.9
    assert not inside[x * x + y * y > 1.2].any()


@pytest.mark.parametrize("name", OUTLINES)
def test_outline_is_a_distance_of_slope_one_where_it_is_zero(name):
    x, y = grid()
    distance = OUTLINES[name](x, y)
    assert distance.dtype == np.float32
    slope_y, slope_x = np.gradient(distance, x[0, 1] - x[0, 0])
    slope = np.hypot(slope_x, slope_y)[np.abs(distance) < 0.02]
    assert 0.95 < np.median(slope) < 1.05


def test_shape_stands_upright_at_its_centre():
    arrow = np.array([list(OUTLINES).index("arrow")])
    pose = Pose.of(np.array([[20.0, 30.0]]), np.array([10.0]), np.zeros(1), np.ones(1))
    covered_HW = coverage(depth_inside(arrow, pose, *pose.offsets(64)))[0]
    rows, columns = np.nonzero(covered_HW > 0.5)
    assert 20 <= rows.min() <= 22
    assert 38 <= rows.max() <= 40
    assert abs(columns.mean() - 19.5) < 0.1
    # The head is broad and on top: in the image's rows, that is first.
    assert (rows < 30).sum() > (rows >= 30).sum()


def test_quarter_turn_lays_a_pill_down():
    pill = np.array([list(OUTLINES).index("pill")])
    pose = Pose.of(np.array([[32.0, 32.0]]), np.array([20.0]), np.array([0.25]), np.ones(1))
    covered_HW = coverage(depth_inside(pill, pose, *pose.offsets(64)))[0] > 0.5
    assert covered_HW.any(axis=0).sum() > 2 * covered_HW.any(axis=1).sum()


def test_patterns_differ_and_show_both_colours():
    line = np.arange(64, dtype=np.float32) - 31.7
    x, y = np.meshgrid(line, line)
    images = len(PATTERNS)
    shape = (images, 64, 64)
    grain = np.random.default_rng(0).random(shape, dtype=np.float32)
    surface = Surface(
        along_NHW=np.broadcast_to(x, shape),
        across_NHW=np.broadcast_to(y, shape),
        depth_NHW=np.broadcast_to(28 - np.sqrt(x * x + y * y), shape),
        period_N11=np.full((images, 1, 1), 8, np.float32),
        phase_N11=np.full((images, 1, 1), 0.3, np.float32),
        grain_NHW=grain,
    )
    share_NHW = pattern(np.arange(images), surface)
    assert share_NHW.min() >= 0
    assert share_NHW.max() <= 1
    assert not share_NHW[0].any()
    assert (share_NHW[1:].mean(axis=(1, 2)) > 0.2).all()
    assert (share_NHW[1:].mean(axis=(1, 2)) < 0.8).all()
    assert len({share.tobytes() for share in share_NHW}) == images


def test_numbers_depend_on_the_image_and_not_on_the_chunks():
    whole, parts = Streams("key"), Streams("key")
    at_once = whole.uniform("a", 10, 3), whole.grain("b", 10, 16)
    in_parts = [(parts.uniform("a", n, 3), parts.grain("b", n, 16)) for n in (4, 6)]
    assert np.array_equal(at_once[0], np.concatenate([a for a, _ in in_parts]))
    assert np.array_equal(at_once[1], np.concatenate([b for _, b in in_parts]))


def test_streams_of_other_keys_and_purposes_differ():
    numbers = [Streams(key).uniform(purpose, 4, 4) for key in "xy" for purpose in "ab"]
    assert len({array.tobytes() for array in numbers}) == 4
