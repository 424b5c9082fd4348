"""A label codec is swept like every codec: the processes and one process give the same answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from semcom.checkpoints import open_checkpoint
from semcom.families.label_making import make_label_codec
from tests.conftest import REPO
from tests.integration.harness import command, start_sweep, write_scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def test_sweep_and_evaluation_of_a_label_codec_have_one_results_digest(
    tmp_path: Path, workplace: Path
) -> None:
    make_label_codec(
        open_checkpoint(REPO / "codecs" / "shapes10"), tmp_path / "codecs" / "shapes10-label"
    )
    (tmp_path / "data").symlink_to(workplace / "data")
    scenario = write_scenario(
        tmp_path / "s.yaml",
        links={"a": {"dataset": "shapes10", "codecs": ["shapes10", "shapes10-label"]}},
        channels=[{"model": "awgn"}, {"model": "tdl"}],
        snr_db=[-5, 10],
        images=60,
        frame_images=25,
    )
    start_sweep(scenario, tmp_path / "swept", workplace=tmp_path).finish()
    evaluated = tmp_path / "evaluated"
    code, printed = command("evaluate", "--scenario", scenario, "--out", evaluated, cwd=tmp_path)
    assert code == 0, printed
    swept, one = (
        json.loads((folder / "manifest.json").read_text())
        for folder in (tmp_path / "swept", evaluated)
    )
    assert swept["results_digest"] == one["results_digest"]
    assert [codec["system"] for codec in swept["codecs"]] == ["rkd-sc", "label"]
