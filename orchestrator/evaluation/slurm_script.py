"""The batch script of an evaluation in parts for Slurm, to be adapted by users."""

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
# A task that is lost with its node is queued again and resumes from its ledger.
# Resubmit tasks by number:    {again}
# When all are done:                      {merge}
# Read this script and adapt it: partition, account and times depend on your cluster.

#SBATCH --job-name={job}
#SBATCH --array=1-{parts}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={job}-%A_%a.log
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={threads}
#SBATCH --mem=4G
#SBATCH --time=04:00:00
# Slurm sends SIGTERM this many seconds before the end; the part keeps its answers.
#SBATCH --signal=B:TERM@60
# Hosts that round alike, so that parts can be merged: a feature of your nodes, or one kind of them.
##SBATCH --constraint=FEATURE
##SBATCH --partition=PARTITION
##SBATCH --account=ACCOUNT

set -euo pipefail
# Whatever makes semcom available on a node, such as: source /shared/venv/bin/activate
cd {folder}
exec {evaluate}
"""


def parts_of_script(part: str | None) -> int:
    """Return the number of parts in `--part auto/N`.

    Raises:
        ConfigurationError: it says something else, or nothing.
    """
    found = AUTO_OF.fullmatch(part or "")
    if found is None:
        raise ConfigurationError(
            "--slurm-script: give the number of parts, such as --part auto/10; each task "
            "of the array "
            "computes one"
        )
    return int(found[1])


def slurm_script(
    scenario: Scenario, words: Sequence[str], *, parts: int, out: Path, script: Path, folder: Path
) -> str:
    """Return the text of the batch script.

    Args:
        scenario: the evaluated scenario.
        words: the command of the complete evaluation; see `orchestrator.results.resumption`.
        parts: number of parts.
        out: folder of all parts, to which every node needs access.
        script: path of the script.
        folder: folder in which its commands run, to which every node needs access.
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
    """Write the script unless the file exists.

    Raises:
        ConfigurationError: it exists and may have been edited.
        StorageError: the disk cannot be written.
    """
    if is_there(script):
        raise ConfigurationError(f"{script} already exists: choose another, or remove it")
    try:
        script.write_text(text)
        script.chmod(0o755)
    except OSError as error:
        raise StorageError(f"cannot write {script}: {error.strerror}") from error
