"""How a plan is shared out: every answer in one part, groups together, parts of one size."""

from __future__ import annotations

from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan.units import (
    in_pieces,
    missing_units,
    units_of_part,
    whole_units,
)
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan
from tests.orchestrator.parts import keys_of, part_plan

PLAN = part_plan()


def keys(units):
    return [
        (link, point, frame)
        for unit in units
        for link in unit.links
        for point in unit.points
        for frame in range(unit.first, unit.stop)
    ]


@st.composite
def plans(draw):
    """Links of several sizes, with one codec or more."""
    links = {
        f"link{number}": fake_link(
            "tiny",
            *(fake_codec(f"codec{each}") for each in range(draw(st.integers(1, 3)))),
            images=draw(st.integers(1, 90)),
        )
        for number in range(draw(st.integers(1, 4)))
    }
    return fake_plan(links, frame_images=draw(st.integers(1, 20)), snr_db=(0.0,))


@given(plans(), st.integers(1, 40))
def test_every_answer_is_in_exactly_one_part(plan, of):
    parts = [units_of_part(plan, number, of) for number in range(1, of + 1)]
    assert Counter(keys(unit for part in parts for unit in part)) == Counter(keys_of(plan))


@given(plans(), st.integers(1, 40))
def test_parts_differ_by_no_more_than_two_frames(plan, of):
    heaviest = max(unit.frames // unit.stop for unit in whole_units(plan))
    sizes = [sum(unit.frames for unit in units_of_part(plan, n, of)) for n in range(1, of + 1)]
    assert max(sizes) - min(sizes) <= 2 * heaviest


def test_links_that_meet_stay_together():
    for of in (2, 3, 5):
        for number in range(1, of + 1):
            for unit in units_of_part(PLAN, number, of):
                assert unit.links in {("alone",), ("east", "west")}


def test_a_part_loads_no_more_codecs_than_it_must():
    parts = [units_of_part(PLAN, number, 4) for number in range(1, 5)]
    assert sum(map(len, parts)) <= len(whole_units(PLAN)) + 3


@given(st.sets(st.sampled_from(keys_of(PLAN))))
def test_what_is_left_of_units_is_what_was_not_recorded(recorded):
    found = defaultdict(set)
    for link, point, frame in recorded:
        found[point, link].add(frame)
    left = keys(missing_units(whole_units(PLAN), found))
    assert len(left) == len(set(left))
    together = {"east": "west", "west": "east"}
    wanted = set(keys_of(PLAN)) - recorded
    wanted |= {(together[link], point, frame) for link, point, frame in wanted if link != "alone"}
    assert set(left) == wanted, "a frame that meets another is computed with it"


def test_frames_that_lack_the_same_points_are_one_unit():
    done = {(0, "alone"): {0, 1, 2}, (1, "alone"): {0, 1, 2}}
    left = [u for u in missing_units(whole_units(PLAN), done) if u.links == ("alone",)]
    assert [(u.variant, u.first, u.stop, u.points) for u in left] == [
        (0, 0, 3, (2, 3)),
        (0, 3, 7, (0, 1, 2, 3)),
        (1, 0, 7, (4, 5, 6, 7)),
    ]


@given(plans(), st.integers(1, 30))
def test_pieces_are_the_unit_again(plan, answers):
    for unit in whole_units(plan):
        pieces = in_pieces(unit, answers=answers)
        assert Counter(keys(pieces)) == Counter(keys([unit]))
        most = max(answers, unit.frames // unit.stop)
        assert all(piece.frames <= 2 * most for piece in pieces)
