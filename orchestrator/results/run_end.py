"""The end of a complete run: `results.csv`, the manifest with its digests, and the seals.

All of it can be written again. An already complete run keeps the files that agree with its ledger,
so that resuming it in a read-only folder writes nothing.
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
    """Write the files next to a complete ledger and seal it; return its digests.

    Args:
        ledger: the complete ledger.
        scenario: scenario of the run.
        codecs: facts of its codecs, for the manifest.
        seconds: duration of the run.
        command: the words of the command that resumes it.
        more: further fields of the manifest.

    Raises:
        AccountingError: the ledger lacks frames, or it or the manifest was altered since.
        StorageError: the disk cannot be written, or the folder was moved.
    """
    folder = ledger.path.parent
    digests = digests_of(ledger)
    check_seals(ledger, digests)
    summary = summarize(ledger)
    if summary.incomplete:  # rows disappeared during the run
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
    """Write the manifest of a complete part and seal its ledger; return its digests.

    Arguments and errors are as for `write_results`. A part has no `results.csv`.
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
    """Write the manifest with the digests, unless the sealed one exists, and seal the ledger."""
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
