"""A link changes its codec while the system runs: no frame is lost, no answer changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.results.ledger import Ledger
from tests.integration.harness import command, start_held_sweep, start_sweep, write_scenario
from tests.integration.second_codec import make_second

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

BOTH = {"shapes10": {"dataset": "shapes10", "codecs": ["shapes10", "second"]}}
OF_OLD_CODEC = 6 * 100


@pytest.fixture
def codecs(workplace: Path, tmp_path: Path) -> Path:
    """The shipped codecs and one more, `second`, that differs from `shapes10`."""
    folder = tmp_path / "codecs"
    shutil.copytree(workplace / "codecs", folder)
    make_second(folder, of="shapes10")
    return folder


def answers(folder: Path) -> list[tuple[str, bytes]]:
    """(codec, predictions) of all frames, by point and frame."""
    ledger = Ledger(folder / "ledger.sqlite")
    found = [(row.codec, row.answer) for row in ledger.rows()]
    ledger.close()
    return found


def test_link_swept_with_two_codecs_gives_the_answers_of_two_sweeps(
    codecs: Path, workplace: Path, tmp_path: Path
) -> None:
    options = ("--codecs", str(codecs))
    small: dict[str, object] = {"images": 150, "snr_db": [-5, 5], "receiver_engine": "torch"}
    scenario = write_scenario(tmp_path / "both.yaml", links=BOTH, window=16, **small)
    start_sweep(scenario, tmp_path / "both", *options, workplace=workplace).finish()
    assert command("verify", tmp_path / "both", cwd=workplace)[0] == 0
    apart: list[tuple[str, bytes]] = []
    for codec in ("shapes10", "second"):
        links = {"shapes10": {"dataset": "shapes10", "codec": codec}}
        scenario = write_scenario(tmp_path / f"{codec}.yaml", links=links, **small)
        start_sweep(scenario, tmp_path / codec, *options, workplace=workplace).finish()
        apart += answers(tmp_path / codec)
    assert answers(tmp_path / "both") == apart
    first, second = apart[: len(apart) // 2], apart[len(apart) // 2 :]
    assert [predictions for _, predictions in first] != [predictions for _, predictions in second]


def test_refused_codec_leaves_the_old_one_serving(
    codecs: Path, workplace: Path, tmp_path: Path
) -> None:
    """A link is swept with two codecs; the second is damaged while the first one serves."""
    scenario = write_scenario(tmp_path / "s.yaml", links=BOTH, images=500)
    folder = tmp_path / "run"
    run = start_held_sweep(
        scenario,
        folder,
        "--codecs",
        str(codecs),
        workplace=workplace,
        link="shapes10",
        frames=200,
    )
    run.wait_recorded(100)
    (codecs / "damaged").write_bytes(b"damaged")
    (half,) = (codecs / "second").glob("receiver.*")
    (codecs / "damaged").replace(half)
    run.kill("receiver-1")  # the new one must load both again
    assert run.recorded() < OF_OLD_CODEC
    printed = run.output()
    assert run.process.returncode == 6, printed
    assert "second" in printed
    assert "Traceback" not in printed
    assert run.recorded() >= OF_OLD_CODEC, "the old codec's points were not finished"
