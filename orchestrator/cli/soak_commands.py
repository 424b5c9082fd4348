"""`semcom soak`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import SCENARIOS, CodecDir, DataDir, RunsDir
from orchestrator.cli.terminal import console
from orchestrator.datasets.prepare import draw_missing
from orchestrator.plan.folders import CODECS, DATA, RUNS, Folders
from orchestrator.plan.scenario import read_scenario
from orchestrator.results.run_folder import LEDGER
from orchestrator.results.run_lock import alone_in, claim_folder
from orchestrator.soak.disturbance import check_length, run_soak
from semcom.errors import AccountingError

SOAK_SCENARIO = SCENARIOS / "soak.yaml"


def soak(  # noqa: PLR0913, PLR0917 - the options of a command
    minutes: Annotated[
        float, typer.Option(min=0.01, max=10_000, help="Duration in minutes.")
    ] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory/--no-memory", help="Check memory for leaks; needs at least 10 minutes."
        ),
    ] = True,
    scenario: Annotated[
        Path,
        typer.Option(help="Scenario to sweep repeatedly.", show_default="the shipped soak.yaml"),
    ] = SOAK_SCENARIO,
    out: Annotated[Path | None, typer.Option(help="Folder of all rounds.")] = None,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """Kill and stop processes at random and audit every frame.

    Meanwhile, a live system runs sweeps; every frame must be accounted for.
    """
    check_length(minutes, judge_memory=memory)
    wanted = read_scenario(scenario)
    draw_missing((link.dataset for link in wanted.links.values()), data)
    folders = Folders(data=data, codecs=codecs, runs=runs).absolute()
    folder = claim_folder(out if out is not None else runs / "soak")
    console.print(f"disturbing {wanted.name} for {minutes:g} minutes, in {folder}")
    with alone_in(folder, folders.runs):
        found = run_soak(
            wanted, folder, folders=folders, minutes=minutes, seed=seed, judge_memory=memory
        )
    for line in found.lines():
        console.print(line)
    if not found.clean:
        raise AccountingError(f"not clean, see above and {folder}/round-*/{LEDGER}")
    console.print("clean" if memory else "clean; memory was not judged")
