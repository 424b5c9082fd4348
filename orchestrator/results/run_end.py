"""What a complete run leaves behind: `results.csv`, the manifest with its digests, and the seals.

All of it can be written again: a run that was complete already keeps the files that agree with its
ledger as they are, so that resuming it in a folder that may only be read writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.scenario import Scenario
from orchestrator.results.ledger import Ledger
from orchestrator.results.manifest_check import check_manifest
from orchestrator.results.origins import stated_origins
from orchestrator.results.resumption import finish_hint
from orchestrator.results.run_folder import (
    RESULTS_CSV,
    RUN_MANIFEST,
    read_if_there,
    read_run_manifest,
)
from orchestrator.results.run_manifest import write_run_manifest
from orchestrator.results.seals import MANIFEST_SEAL, Digests, check_seals, digests_of, seal
from orchestrator.results.summary import format_results_csv, summarize, write_results_csv
from semcom.errors import AccountingError


def write_results(
    ledger: Ledger,
    scenario: Scenario,
    codecs: Sequence[CodecFacts],
    *,
    seconds: float,
    command: Sequence[str] = (),
    more: dict[str, Any] | None = None,
) -> Digests:
    """Write the files beside a complete ledger and seal it; returns its digests.

    Args:
        ledger: of the run, complete.
        scenario: what was run.
        codecs: facts of its codecs, for the manifest.
        seconds: that it took.
        command: the words that go on with it.
        more: fields of the manifest.

    Raises:
        AccountingError: the ledger lacks frames, or it or the manifest was altered since.
        StorageError: the disk refuses, or the folder is not in its place any more.
    """
    folder = ledger.path.parent
    digests = digests_of(ledger)
    check_seals(ledger, digests)
    summary = summarize(ledger)
    if summary.incomplete:  # rows went while the run was going on
        raise AccountingError(
            f"{folder} lacks frames that were recorded: the ledger was altered while it was "
            f"written; {finish_hint(folder, read_run_manifest(folder) or {})}"
        )
    ledger.check_place()
    if read_if_there(folder / RESULTS_CSV) != format_results_csv(summary):
        write_results_csv(folder / RESULTS_CSV, summary)
    results = {**(more or {}), "seconds": round(seconds, 1)}
    _seal(ledger, digests, scenario, codecs, command=command, results=results)
    ledger.check_place()
    return digests


def seal_part(
    ledger: Ledger,
    scenario: Scenario,
    codecs: Sequence[CodecFacts],
    *,
    command: Sequence[str] = (),
    more: dict[str, Any],
) -> Digests:
    """Write the manifest of a part that is complete, and seal its ledger; returns its digests.

    Arguments and errors are those of `write_results`. A part has no `results.csv`.
    """
    digests = digests_of(ledger)
    check_seals(ledger, digests)
    ledger.check_place()
    _seal(ledger, digests, scenario, codecs, command=command, results=more)
    ledger.check_place()
    return digests


def _seal(
    ledger: Ledger,
    digests: Digests,
    scenario: Scenario,
    codecs: Sequence[CodecFacts],
    *,
    command: Sequence[str],
    results: dict[str, Any],
) -> None:
    """Write the manifest with the digests, unless the sealed one is there, and seal the ledger."""
    folder = ledger.path.parent
    if _manifest_is_sealed(ledger, folder):
        return
    check_manifest(folder, ledger.plan, digests, ledger.seals)  # a changed one is not hidden
    stated = {f"{name}_digest": digest for name, digest in digests._asdict().items()}
    told = {**results, **stated, **stated_origins(ledger.origins, ledger.plan)}
    written = write_run_manifest(
        folder, scenario, ledger.plan, codecs=codecs, command=command, results=told
    )
    seal(ledger, digests, manifest_sha256=written)


def _manifest_is_sealed(ledger: Ledger, folder: Path) -> bool:
    content = read_if_there(folder / RUN_MANIFEST)
    stated = ledger.seals.get(MANIFEST_SEAL)
    return content is not None and hashlib.sha256(content).hexdigest() == stated
