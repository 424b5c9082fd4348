"""Parts as this version wrote them first, format 1 of who computed what: they are merged for good.

`tests/stored/parts/` was written on 2026-11-30 by `tests.orchestrator.parts.write_parts`, from the
plan of `part_plan`, in two parts.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from orchestrator.evaluation import merging
from orchestrator.evaluation.merging import merge_parts
from orchestrator.results.run_folder import open_ledger
from orchestrator.results.verify import verify_run
from tests.conftest import REPO

STORED = REPO / "tests" / "stored" / "parts"
RESULTS = "bf54d91a9a61a08639fb592306866396a8da6a01bd780c4c01bb971ee9efc0a0"
LEDGERS = {
    "part-1-of-2": "1050d9da038bc2ff2361e47b202f71679728663d19262eba6554045bea5d475c",
    "part-2-of-2": "97714c419a61cbbc4011947c9a1bba25b8c9fe26d936aee4793daa7e2b661c3b",
}


def test_stored_parts_are_merged_to_the_same_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "write_report", lambda folder, sources: folder)
    parts = Path(shutil.copytree(STORED, tmp_path / "parts"))
    outcome = merge_parts(tmp_path / "out", [parts], runs=tmp_path / "runs")
    assert outcome.results_digest == RESULTS
    assert verify_run(tmp_path / "out").results_digest == RESULTS
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [each["host"] for each in manifest["computed_by"]] == ["host-1", "host-2"]


def test_seals_of_stored_parts_hold(tmp_path):
    for name, digest in LEDGERS.items():
        with open_ledger(Path(shutil.copytree(STORED / name, tmp_path / name))) as ledger:
            assert ledger.seals["ledger"] == digest
            assert len(ledger.origins.all()) == 1
