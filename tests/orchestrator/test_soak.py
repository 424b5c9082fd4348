"""The soak's report, and one short soak of real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.audit import Audit
from orchestrator.soak import (
    JUDGED_AFTER_S,
    JUDGED_S,
    Growth,
    Sample,
    Soak,
    slope_mib_per_minute,
)
from tests.integration.harness import command, write_scenario

CLEAN = Audit(lost=(), duplicated=(), unexpected=(), mismatching=())


def life(mib_per_minute: float, seconds: int) -> list[Sample]:
    return [Sample(s, 100 + mib_per_minute * s / 60, 20) for s in range(seconds)]


def test_slope_is_that_of_the_line():
    assert slope_mib_per_minute(life(0.0, 60)) == pytest.approx(0.0)
    assert slope_mib_per_minute(life(3.0, 60)) == pytest.approx(3.0)
    assert slope_mib_per_minute(life(3.0, 1)) == 0.0


def test_only_processes_that_have_settled_are_judged():
    soak = Soak(lives={("channel", 7): life(2.0, 251), ("young", 8): life(9.0, 230)})
    lines = "\n".join(soak.lines())
    assert "channel (7): +2.00 MiB/min over 130 s, descriptors +0, GROWS" in lines
    assert "young" not in lines
    assert f"no process lived for {JUDGED_AFTER_S + JUDGED_S:.0f} s" in "\n".join(Soak().lines())


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
    soak = Soak(audits=[CLEAN], lives={("channel", 7): life(mib_per_minute, 251)})
    assert soak.clean is bounded


def test_growing_file_descriptors_are_not_bounded():
    assert Growth.of("channel", [Sample(s, 100, 20 + s % 2) for s in range(100)]).bounded
    assert not Growth.of("channel", [Sample(s, 100, 20 + s // 10) for s in range(100)]).bounded


@pytest.mark.processes
@pytest.mark.timeout(1800)
def test_soak_ends_with_every_frame_accounted_for(workplace: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    scenario = write_scenario(tmp_path / "s.yaml", security={"keys": str(keys)})
    code, printed = command("keys", keys, "--scenario", scenario, cwd=workplace)
    assert code == 0, printed
    options = ("--minutes", "0.5", "--seed", "1", "--scenario", scenario, "--out")
    code, printed = command("soak", *options, tmp_path / "soak", cwd=workplace)
    assert code == 0, printed
    for line in ("lost: 0", "duplicated: 0", "unexpected: 0", "mismatching: 0"):
        assert line in printed
    assert "digest equal: yes" in printed
    assert "not accounted for 0" in printed
    assert "faults: none" not in printed
