"""What lies in the place of a run's files, or is called oddly: one line, no wait, nothing lost."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_end import write_results
from orchestrator.results.run_folder import check_folder, is_read_only, parse_json, read_run
from orchestrator.results.run_lock import check_not_live
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.telemetry import log_file
from tests.orchestrator.ledgers import fake_plan, fill_ledger


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return fill_ledger(tmp_path / "run", fake_plan(snr_db=(0.0,)))


def test_rows_that_went_while_the_run_was_written_are_noticed_before_it_is_sealed(run):
    ledger = Ledger(run / "ledger.sqlite", read_run(run).summary.plan)
    with sqlite3.connect(run / "ledger.sqlite") as other:
        other.execute("DELETE FROM frames WHERE point=0 AND frame=0")
    other.close()
    links = {"a": {"dataset": "d", "codec": "c"}}
    scenario = Scenario.model_validate({"name": "s", "links": links, "snr_db": [0]})
    try:
        with pytest.raises(AccountingError, match="lacks frames that were recorded"):
            write_results(ledger, scenario, [], seconds=0.0)
        assert ledger.seals == {}
    finally:
        ledger.close()
    assert not (run / "results.csv").exists()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["-journal", "-wal", "-shm"])
def test_a_fifo_beside_a_ledger_is_not_waited_for(run, name):
    os.mkfifo(f"{run / 'ledger.sqlite'}{name}")
    with pytest.raises(StorageError, match="not a regular file"):
        read_run(run)
    with pytest.raises(StorageError, match="not a regular file"):
        Ledger(run / "ledger.sqlite", fake_plan(snr_db=(0.0,)))


@pytest.mark.timeout(20)
def test_a_fifo_in_place_of_a_log_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "log")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("log", "link", "."):
        with pytest.raises(StorageError, match="not a regular file"), log_file(tmp_path / name):
            pass
    assert not (tmp_path / "elsewhere").exists()
    for _ in range(2):
        with log_file(tmp_path / "new"):
            logging.getLogger("x").info("a line")
    assert (tmp_path / "new").read_text().count("a line") == 2


def test_a_ledger_under_two_names_is_not_written(run, tmp_path):
    plan = read_run(run).summary.plan
    os.link(run / "ledger.sqlite", tmp_path / "backup")
    with pytest.raises(StorageError, match="copy it"):
        Ledger(run / "ledger.sqlite", plan)
    assert read_run(run).summary.incomplete == []


def test_a_folder_whose_name_is_no_text_is_read(run, tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xffd"))
    run.rename(odd)
    assert read_run(odd).summary.incomplete == []


@pytest.mark.parametrize("name", ["results.csv", "manifest.json"])
def test_results_of_somebody_else_are_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("precious")
    for resume, kind in ((False, None), (True, "evaluation"), (True, "part")):
        with pytest.raises(ConfigurationError, match=f"contains a file of something else, {name}"):
            check_folder(tmp_path, resume=resume, kind=kind)
    assert (tmp_path / name).read_text() == "precious"


def test_names_that_lead_nowhere_are_one_line(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match="cannot determine the path"):
        check_not_live(tmp_path / "loop", tmp_path)
    with pytest.raises(StorageError, match="cannot look at"):
        is_read_only(tmp_path / ("x" * 300))


def test_current_folder_that_was_deleted_is_one_line(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StorageError, match="cannot determine the path"):
        Folders().absolute()
    monkeypatch.chdir(tmp_path)


def test_a_key_that_a_manifest_gives_twice_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="twice"):
        parse_json(json.dumps({"a": 1}).replace("}", ', "a": 2}').encode(), tmp_path / "m")
