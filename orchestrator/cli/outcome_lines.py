"""Print the end of a run or an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.cli.terminal import console
from orchestrator.evaluation.part_choice import Part
from orchestrator.evaluation.slurm_script import parts_of_script, slurm_script, write_script
from orchestrator.plan.scenario import Scenario
from orchestrator.results.resumption import merge_hint
from orchestrator.results.run_folder import RESULTS_CSV
from orchestrator.sweep.run import RunOutcome
from semcom.plain_text import command, one_line


def print_outcome(outcome: RunOutcome) -> None:
    """Print the digest of the results, and the path of their report or why there is none."""
    print_results(outcome.results_digest, outcome.seconds)
    console.print(f"results: {outcome.folder / RESULTS_CSV}")
    if outcome.report is not None:
        console.print(f"report: {outcome.report}")
    if outcome.undrawn is not None:
        print_undrawn(outcome.folder, outcome.undrawn)


def print_part(outcome: RunOutcome, part: Part) -> None:
    """Print that a part is finished, and the command that merges all parts."""
    parts = outcome.folder.parent
    merged = merge_hint(parts.with_name(f"{parts.name}-merged"), [parts])
    console.print(f"part {part} is in {outcome.folder}, in {outcome.seconds:.0f} s")
    console.print(f"when all parts are finished: {merged}")


def print_slurm_script(
    scenario: Scenario, words: Sequence[str], *, part: str | None, out: Path, script: Path
) -> None:
    """Write the batch script of an evaluation in parts, and print the command that submits it."""
    parts, folder = parts_of_script(part), Path.cwd()
    text = slurm_script(scenario, words, parts=parts, out=out, script=script, folder=folder)
    write_script(script, text)
    console.print(f"wrote {script}: read it, adapt it, then run: {command('sbatch', script)}")


def print_results(digest: str, seconds: float) -> None:
    """Print the digest of all answers."""
    console.print(f"results digest {digest} in {seconds:.0f} s")


def print_undrawn(folder: Path, reason: str) -> None:
    """Print that the results are complete but not drawn, and the command that draws them."""
    again = command("semcom", "report", folder)
    console.print(f"no report: {one_line(reason)}; draw it with: {again}")
