"""`semcom demo noma` and `semcom demo text`: from the shipped files alone, and exact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.harness import command, results_digest

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

PLANS = {
    "noma": "a93551c8d5a816b7f01898037f972bcc5bb7df789104ed902b1bc3385d0215d2",
    "text": "f9d189e7e24201bf02b4f33e803f87ede0700cafb4f6f51f980658ba4e8b9f94",
}


@pytest.mark.parametrize("name", PLANS)
def test_demo_has_the_digest_of_one_process(name: str, tmp_path: Path) -> None:
    code, printed = command("demo", name, cwd=tmp_path)
    assert code == 0, printed
    run = tmp_path / "runs" / f"demo-{name}"
    assert f"semcom inspect runs/demo-{name}" in printed
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["plan_digest"] == PLANS[name]
    assert (run / "pictures.html").exists() == (name == "noma")
    out = tmp_path / "evaluated"
    code, printed = command("evaluate", "--scenario", f"demo-{name}", "--out", out, cwd=tmp_path)
    assert code == 0, printed
    assert results_digest(out) == results_digest(run)
