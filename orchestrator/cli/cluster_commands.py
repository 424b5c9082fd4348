"""`semcom merge`: merges parts computed anywhere; connects `--on` to a cluster."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.evaluation_commands import print_folders
from orchestrator.cli.options import RunsDir
from orchestrator.cli.outcome_lines import print_outcome
from orchestrator.cli.terminal import console
from orchestrator.control.system import ProcessCluster
from orchestrator.evaluation.merging import MissingFramesError, merge_parts
from orchestrator.plan.folders import RUNS
from orchestrator.plan.scenario import Scenario
from semcom.extras import needed_by


def merge(
    out: Annotated[Path, typer.Argument(help="Folder of the merged evaluation.")],
    parts: Annotated[
        list[Path], typer.Argument(help="Folders of parts, or folders that contain parts.")
    ],
    *,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Accept parts from hosts that round differently.")
    ] = False,
    runs: RunsDir = RUNS,
) -> None:
    """Merge the parts of an evaluation.

    Every frame is counted once, and the results digest is that of a single machine. Missing frames
    are listed with the commands that compute them. A frame with two different answers ends the
    merge with exit code 8.
    """
    try:
        outcome = merge_parts(out, parts, runs=runs, mixed=mixed)
    except MissingFramesError as error:
        for gap in error.gaps:
            for line in gap.lines(error.plan):
                console.print(line)
        raise
    print_folders([out])
    print_outcome(outcome)


def placed_on_ray(address: str) -> Callable[[Scenario], AbstractContextManager[ProcessCluster]]:
    """Return a factory that connects a sweep to the Ray cluster that runs its processes.

    Raises:
        ConfigurationError: Ray is not installed.
    """
    with needed_by("semcom sweep --on", "ray"):
        from orchestrator.on_ray.sweep_cluster import sweep_cluster  # noqa: PLC0415 - few have it

    return partial(sweep_cluster, address)
