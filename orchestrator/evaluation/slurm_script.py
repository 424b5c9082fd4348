"""The batch script of an evaluation in parts for Slurm: read and changed by a user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orchestrator.plan.scenario import Scenario
from orchestrator.results.resumption import merge_hint, part_words
from semcom.errors import ConfigurationError, StorageError
from semcom.files import is_there
from semcom.plain_text import command

AUTO_OF = re.compile(r"auto/([1-9]\d{0,4})")
SCRIPT = """#!/bin/bash
# {name} in {parts} parts: each task of the array computes one, as `semcom evaluate --part` does.
# Submit it:     {submit}
# Watch it:      squeue --me
# A task that was lost with its node is queued again and goes on with what its ledger holds.
# Submit tasks again by their numbers:    {again}
# When all are done:                      {merge}
# Read this script and change it; partition, account and times are your cluster's.

#SBATCH --job-name={job}
#SBATCH --array=1-{parts}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={job}-%A_%a.log
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={threads}
#SBATCH --mem=4G
#SBATCH --time=04:00:00
# Slurm sends SIGTERM so many seconds before the end, and the part keeps what it has.
#SBATCH --signal=B:TERM@60
# Hosts that round alike, so that parts can be merged: a feature of your nodes, or one kind of them.
##SBATCH --constraint=FEATURE
##SBATCH --partition=PARTITION
##SBATCH --account=ACCOUNT

set -euo pipefail
# What makes semcom known on a node, as: source /shared/venv/bin/activate
cd {folder}
exec {evaluate}
"""


def parts_of_script(part: str | None) -> int:
    """Return how many parts `--part auto/N` asks for.

    Raises:
        ConfigurationError: it says something else, or nothing.
    """
    found = AUTO_OF.fullmatch(part or "")
    if found is None:
        raise ConfigurationError(
            "--slurm-script: say in how many parts, as --part auto/10; each task of the array "
            "computes one"
        )
    return int(found[1])


def slurm_script(
    scenario: Scenario, words: Sequence[str], *, parts: int, out: Path, script: Path, folder: Path
) -> str:
    """Return the text of the batch script.

    Args:
        scenario: what is evaluated.
        words: of the whole evaluation's command, see `orchestrator.results.resumption`.
        parts: how many.
        out: the folder of all parts, which every node must see.
        script: where it will lie.
        folder: where its commands run, which every node must see.
    """
    threads = scenario.threads
    each = ["semcom", *part_words(words, f"auto/{parts}"), "--out", out]
    return SCRIPT.format(
        name=scenario.name,
        job=f"semcom-{scenario.name}",
        parts=parts,
        threads=max(threads.transmitter, threads.receiver),
        folder=command(folder),
        evaluate=command(*each),
        submit=command("sbatch", script),
        again=command("sbatch", "--array=3,7", script),
        merge=merge_hint(out.with_name(f"{out.name}-merged"), [out]),
    )


def write_script(script: Path, text: str) -> None:
    """Write the script where no file is yet.

    Raises:
        ConfigurationError: there is one, which a user may have changed.
        StorageError: the disk refuses.
    """
    if is_there(script):
        raise ConfigurationError(f"{script} is there already: choose another, or remove it")
    try:
        script.write_text(text)
        script.chmod(0o755)
    except OSError as error:
        raise StorageError(f"cannot write {script}: {error.strerror}") from error
