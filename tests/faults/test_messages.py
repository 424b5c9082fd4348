"""Messages that are lost, doubled, overtaken, late or damaged, and a network that is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.results.ledger import FrameRow
from tests.faults.plant import Plant, harm, let_go
from tests.faults.proxy import Cut, FaultPlan
from tests.integration.harness import eventually

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

CUT_S = 10.0


@pytest.mark.parametrize(
    "plan",
    [
        FaultPlan(seed=1, drop=0.03),
        FaultPlan(seed=2, duplicate=0.2),
        FaultPlan(seed=3, reorder=0.2),
        FaultPlan(seed=4, delay=0.05),
        FaultPlan(seed=5, corrupt=0.05),
        FaultPlan(seed=6, drop=0.01, duplicate=0.05, reorder=0.05, delay=0.02, corrupt=0.02),
    ],
    ids=["dropped", "duplicated", "reordered", "delayed", "corrupted", "everything"],
)
def test_harm_to_messages_changes_no_answer(
    plan: FaultPlan, plant: Plant, undisturbed: list[FrameRow], tmp_path: Path
) -> None:
    with plant.sweep(tmp_path) as run:
        harm(plant, plan)
        let_go(run)
        run.finish()
        for line in ("uplink", "downlink"):
            assert plant.proxies[line].counts, f"no harm on the {line}"
    plant.check(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("kind", ["reset", "stall"])
def test_network_cut_for_10_s_changes_no_answer(
    kind: Cut, plant: Plant, undisturbed: list[FrameRow], tmp_path: Path
) -> None:
    with plant.sweep(tmp_path) as run:
        whole = [proxy.cut(CUT_S, kind) for proxy in plant.proxies.values()]
        let_go(run)
        eventually(lambda: all(each.done() for each in whole), "the network is whole again")
        assert run.process.poll() is None, run.output()
        run.finish()
    plant.check(tmp_path / "run", undisturbed)
