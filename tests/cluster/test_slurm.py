"""An evaluation in parts on a real Slurm of two nodes on this machine; one node is lost.

`make test-cluster` runs it.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.results.verify import verify_run
from tests.cluster.slurm_nodes import SLURM_TEST, Slurm
from tests.integration.harness import command, eventually, write_scenario

pytestmark = SLURM_TEST


def test_an_array_that_loses_a_node_is_merged_to_the_digest_of_one_process(
    slurm: Slurm, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", images=400)
    code, printed = command("evaluate", scenario, "--out", tmp_path / "whole", cwd=workplace)
    assert code == 0, printed
    script, parts = tmp_path / "job.sbatch", tmp_path / "parts"
    words = ("--part", "auto/4", "--out", parts, "--slurm-script", script)
    code, printed = command("evaluate", scenario, *words, cwd=workplace)
    assert code == 0, printed
    slurm.run("sbatch", str(script), cwd=tmp_path)
    on_n2 = []

    def one_runs_there() -> bool:
        on_n2[:] = [int(line.split()[0]) for line in slurm.queue() if line.endswith("RUNNING n2")]
        return bool(on_n2) and (parts / f"part-{on_n2[0]}-of-4" / "manifest.json").exists()

    eventually(one_runs_there, "a part on the second node", 120)
    slurm.lose("n2", on_n2[0])
    eventually(lambda: slurm.queue() == [], "the array's end without the node", 600)
    code, printed = command("merge", tmp_path / "out", parts, cwd=workplace)
    assert code == 0, printed
    wanted = verify_run(tmp_path / "whole").results_digest
    assert verify_run(tmp_path / "out").results_digest == wanted
