"""Sentences through the processes: codewords of several lengths, and a receiver that is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import rkd_sc
from orchestrator.datasets.drawn_sentences import prepare_sentences
from orchestrator.results.run_folder import open_ledger
from tests.integration.harness import (
    command,
    results_digest,
    start_held_sweep,
    start_sweep,
    write_scenario,
)
from tests.semcom.families.text_codecs import architecture, written

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]
FRAMES = 2 * 2 * 12  # channels, SNRs, frames of a point


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drawn sentences and a codec of random weights for them."""
    folder = tmp_path_factory.mktemp("text")
    manifest = prepare_sentences(folder / "data" / "sentences", train=200, test=60)
    form = manifest.sentences
    assert form is not None
    made_of = architecture(vocabulary=form.vocabulary, tokens=form.longest + 1, layers=1)
    written(folder / "codecs" / "tiny", made_of, form.vocabulary_sha256)
    return folder


@pytest.fixture(scope="module")
def scenario(place: Path) -> Path:
    return write_scenario(
        place / "s.yaml", engine="torch", snr_db=[0, 10], images=60,
        links={"words": {"dataset": "sentences", "codec": "tiny"}},
    )  # fmt: skip


@pytest.fixture(scope="module")
def evaluated(place: Path, scenario: Path) -> rkd_sc.Run:
    """The answers in one process."""
    return rkd_sc.evaluate(
        yaml.safe_load(scenario.read_text()), place / "one-process", data=place / "data",
        codecs=place / "codecs",
    )  # fmt: skip


def answers(folder: Path) -> list[bytes]:
    with open_ledger(folder) as ledger:
        return [bytes(row.answer) for row in ledger.rows()]


def test_swept_sentences_are_those_of_one_process(
    place: Path, scenario: Path, evaluated: rkd_sc.Run
) -> None:
    folder = place / "swept"
    start_sweep(scenario, folder, workplace=place).finish()
    assert results_digest(folder) == evaluated.results_digest
    assert answers(folder) == answers(evaluated.folder)
    assert len(set(answers(folder))) > FRAMES // 2, "what is decoded follows what arrives"
    code, printed = command("verify", folder, cwd=place)
    assert code == 0, printed


def test_killed_receiver_changes_no_sentence(
    place: Path, scenario: Path, evaluated: rkd_sc.Run
) -> None:
    folder = place / "killed"
    run = start_held_sweep(scenario, folder, workplace=place, link="words", frames=FRAMES // 4)
    run.wait_recorded(2, "words")
    run.kill("receiver-1")
    assert run.recorded("words") < FRAMES
    run.finish()
    assert results_digest(folder) == evaluated.results_digest
