"""Messages that are lost, doubled, overtaken, late or damaged, and a network that is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.ledger import FrameRow
from tests.faults.plant import LINES, check, let_go, proxied
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
    plan: FaultPlan, undisturbed: list[FrameRow], workplace: Path, tmp_path: Path
) -> None:
    with proxied(tmp_path, workplace, dict.fromkeys(LINES, plan)) as (run, proxies):
        for proxy in proxies.values():
            proxy.begin()
        let_go(run)
        run.finish()
        counts = {line: dict(proxy.counts) for line, proxy in proxies.items()}
        for line in ("uplink", "downlink"):
            assert counts[line], f"no harm on the {line}"
    check(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("kind", ["reset", "stall"])
def test_network_cut_for_10_s_changes_no_answer(
    kind: Cut, undisturbed: list[FrameRow], workplace: Path, tmp_path: Path
) -> None:
    plan = FaultPlan(seed=0)
    with proxied(tmp_path, workplace, dict.fromkeys(LINES, plan)) as (run, proxies):
        whole = [proxy.cut(CUT_S, kind) for proxy in proxies.values()]
        let_go(run)
        eventually(lambda: all(each.done() for each in whole), "the network is whole again")
        assert run.process.poll() is None, run.output()
        run.finish()
    check(tmp_path / "run", undisturbed)
