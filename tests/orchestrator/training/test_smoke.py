"""`semcom train --preset smoke` as it is shipped: the whole pipeline.

That two ranks compute what one does, stage by stage, is shown in test_ranks.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semcom.checkpoints import open_checkpoint
from tests.integration.harness import command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

CHANCE = 0.1  # of ten classes


def test_smoke_runs_the_whole_pipeline_and_learns_something(tmp_path: Path) -> None:
    words = ("train", "shapes10", "--preset", "smoke")
    code, printed = command(*words, cwd=tmp_path)
    assert code == 0, printed
    for stage in ("teacher", "search", "stage1", "head", "stage2"):
        assert f"{stage}: done" in printed
    checkpoint = open_checkpoint(tmp_path / "codecs" / "shapes10-smoke")
    checkpoint.verify()
    manifest = checkpoint.manifest
    assert manifest.training["depths"] == "search"
    assert set(manifest.results["awgn_accuracy_by_snr_db"]) == {"-10", "0", "10", "25"}
    assert manifest.results["test_images"] == 1000
    assert manifest.training["teacher_accuracy"] > 1.5 * CHANCE
    assert manifest.results["noise_free_accuracy"] > 1.5 * CHANCE
    lines = (tmp_path / "training" / "shapes10-smoke" / "progress.jsonl").read_text().splitlines()
    told = list(dict.fromkeys(json.loads(line)["stage"] for line in lines))
    assert told == ["teacher", "features", "search", "stage1", "head", "stage2", "export"]
