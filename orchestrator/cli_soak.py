"""`semcom soak`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli_options import PROJECT, CodecDir, DataDir, RunsDir
from orchestrator.datasets.prepare import draw_missing
from orchestrator.disturbance import run_soak
from orchestrator.run_folder import LEDGER
from orchestrator.runs import free_folder
from orchestrator.scenarios import read_scenario
from orchestrator.settings import CODECS, DATA, RUNS, Folders
from orchestrator.terminal import console
from semcom.errors import AccountingError


def soak(
    minutes: Annotated[float, typer.Option(min=0.01, max=10_000, help="How long.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Decides the faults.")] = 0,
    scenario: Annotated[Path, typer.Option(help="What is swept, again and again.")] = PROJECT
    / "scenarios"
    / "soak.yaml",
    out: Annotated[Path | None, typer.Option(help="The folder of all rounds.")] = None,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
    runs: RunsDir = RUNS,
) -> None:
    """Kill and stop processes of a live system that sweeps; every frame must be accounted for."""
    wanted = read_scenario(scenario)
    draw_missing((link.dataset for link in wanted.links.values()), data)
    folders = Folders(data=data, codecs=codecs, runs=runs).absolute()
    folder = free_folder(out if out is not None else runs / "soak")
    console.print(f"disturbing {wanted.name} for {minutes:g} minutes, in {folder}")
    found = run_soak(wanted, folder, folders=folders, minutes=minutes, seed=seed)
    for line in found.lines():
        console.print(line)
    if not found.clean:
        raise AccountingError(f"not clean, see above and {folder}/round-*/{LEDGER}")
