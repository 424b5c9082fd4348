"""The soak's report, and one short soak of real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.soak.audit import Audit
from orchestrator.soak.disturbance import CALM_SHARE, MIN_MINUTES
from orchestrator.soak.findings import (
    JUDGED_AFTER_S,
    JUDGED_S,
    Growth,
    Sample,
    Soak,
    settled,
    slope_mib_per_minute,
)
from tests.forking import fresh
from tests.integration.harness import command, write_scenario

CLEAN = Audit(lost=(), duplicated=(), unexpected=(), mismatching=())


def life(mib_per_minute: float, seconds: int) -> list[Sample]:
    return [Sample(s, 100 + mib_per_minute * s / 60, 20) for s in range(seconds)]


def lived(**lives: list[Sample]) -> Soak:
    """A soak at whose end these processes were there."""
    named = {(peer, 7): samples for peer, samples in lives.items()}
    return Soak(audits=[CLEAN], lives=named, present=set(named))


def test_slope_is_that_of_the_line():
    assert slope_mib_per_minute(life(0.0, 60)) == pytest.approx(0.0)
    assert slope_mib_per_minute(life(3.0, 60)) == pytest.approx(3.0)
    assert slope_mib_per_minute(life(3.0, 1)) == 0.0


def test_bursts_of_memory_that_is_given_back_are_no_growth():
    busy = [Sample(s, 100 + 80 * (s > 150 and s % 10 < 7), 20) for s in range(300)]
    assert slope_mib_per_minute(busy) == pytest.approx(0.0)
    late = [Sample(s, 100 + 80 * (s > 270), 20) for s in range(300)]
    assert slope_mib_per_minute(late) == pytest.approx(0.0), "a few windows decide nothing"


@pytest.mark.parametrize("seconds", [250, 600, 1800])
def test_memory_that_comes_to_a_bound_is_bounded_and_what_creeps_on_is_not(seconds):
    fills = [Sample(s, 100 + 40 * (1 - 2.0 ** (-s / 20)), 20) for s in range(seconds)]
    assert lived(channel=fills).clean
    steps = [Sample(s, 100 + 5 * (s // 60), 20) for s in range(seconds)]
    assert not lived(channel=steps).clean


def test_slow_growth_shows_in_a_long_soak():
    assert lived(channel=life(0.7, 250)).clean
    assert not lived(channel=life(0.7, 800)).clean


def test_process_is_judged_by_the_second_half_of_its_life_once_it_has_settled():
    assert not settled(life(0.0, int(JUDGED_AFTER_S + JUDGED_S)))
    assert settled(life(0.0, 251))[0].at_s == 125
    assert settled(life(0.0, 241))[0].at_s == JUDGED_AFTER_S
    assert settled(life(0.0, 1801))[0].at_s == 900


def test_growth_of_a_process_is_named():
    lines = lived(channel=life(2.0, 251), receiver=life(0.0, 251)).lines()
    assert "channel (7): +2.00 MiB/min over 125 s, now 108 MiB, descriptors +0, GROWS" in lines
    assert "memory: GROWS" in lines
    assert "memory: bounded" in lived(channel=life(0.0, 251)).lines()


def test_soak_that_did_not_judge_a_process_is_not_clean():
    soak = lived(channel=life(0.0, 251), receiver=life(0.0, 230))
    assert not soak.clean
    assert "memory: NOT JUDGED: receiver did not run for 240 s" in soak.lines()
    assert soak.not_judged == ["receiver"]


def test_earlier_life_of_a_process_does_not_stand_for_its_last_one():
    soak = lived(channel=life(0.0, 251))
    soak.present = {("channel", 8)}
    soak.lives["channel", 8] = life(0.0, 10)
    assert not soak.clean


def test_memory_that_nobody_asked_for_is_said_to_be_left_out():
    soak = lived(channel=life(9.0, 230))
    soak.judge_memory = False
    assert soak.clean
    assert "memory: not judged, as requested" in soak.lines()


def test_soak_too_short_to_judge_memory_does_not_begin(tmp_path: Path) -> None:
    code, printed = command("soak", "--minutes", "9.9", "--out", tmp_path / "soak", cwd=tmp_path)
    assert code == 2
    assert "memory growth is judged in soaks of 10 minutes or more" in printed
    assert not (tmp_path / "soak").exists()


def test_calm_of_the_shortest_soak_is_long_enough_to_judge_memory():
    assert 60 * MIN_MINUTES * CALM_SHARE > JUDGED_AFTER_S + JUDGED_S


def test_one_frame_amiss_in_one_round_is_not_clean():
    assert Soak(audits=[CLEAN]).clean
    assert not Soak(audits=[CLEAN], digests_equal=False).clean
    lost = Audit(lost=("frame 0",), duplicated=(), unexpected=(), mismatching=())
    soak = Soak(audits=[CLEAN, lost])
    assert not soak.clean
    assert "lost: 1" in soak.lines()


def test_live_frame_that_is_nowhere_is_not_clean():
    assert not Soak(audits=[CLEAN], unaccounted=1).clean


@pytest.mark.parametrize(("mib_per_minute", "bounded"), [(-3.0, True), (0.9, True), (1.1, False)])
def test_growing_memory_is_not_clean(mib_per_minute, bounded):
    assert lived(channel=life(mib_per_minute, 251)).clean is bounded


def test_growing_file_descriptors_are_not_bounded():
    assert Growth.of("channel", [Sample(s, 100, 20 + s % 2) for s in range(100)]).bounded
    assert not Growth.of("channel", [Sample(s, 100, 20 + s // 10) for s in range(100)]).bounded


def test_connections_that_are_half_made_while_peers_are_killed_are_no_growth():
    waves = [Sample(s, 100, 20 + (s // 60) * (s % 10 > 1) * 5) for s in range(240)]
    assert max(sample.descriptors for sample in waves) == 35
    growth = Growth.of("orchestrator", waves)
    assert growth.descriptors == 0
    assert growth.bounded


@pytest.mark.processes
@pytest.mark.timeout(1800)
def test_soak_ends_with_every_frame_accounted_for(workplace: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    scenario = write_scenario(tmp_path / "s.yaml", security={"keys": str(keys)})
    code, printed = command("keys", keys, "--scenario", scenario, cwd=workplace)
    assert code == 0, printed
    options = ("--minutes", "0.5", "--no-memory", "--seed", "1", "--scenario", scenario, "--out")
    with fresh():  # it finds processes by their command lines
        code, printed = command("soak", *options, tmp_path / "soak", cwd=workplace)
    assert code == 0, printed
    for line in ("lost: 0", "duplicated: 0", "unexpected: 0", "mismatching: 0"):
        assert line in printed
    assert "digest equal: yes" in printed
    assert "not accounted for 0" in printed
    assert "faults: none" not in printed
    assert "clean; memory was not judged" in printed
