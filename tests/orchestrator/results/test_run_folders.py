"""Run folders: one process at a time, of runs alone, and read where nothing can be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main as cli
from orchestrator.cli.live_commands import LIVE_SCENARIO
from orchestrator.evaluation import one_process as evaluations
from orchestrator.live.hosted_sweep import HostedSweep
from orchestrator.live.live_folder import Home
from orchestrator.live.requests import SweepRequest
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario, read_scenario
from orchestrator.reports import report
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_folder import open_finished
from orchestrator.results.run_lock import alone_in
from orchestrator.results.verify import verify_run
from orchestrator.sweep.run import plan_run
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.evaluation_messages import EncodedImages
from semcom.locks import HeldError
from semcom.telemetry import Telemetry
from semcom.wakeup import Wakeup
from semcom.worker import Worker
from tests.orchestrator.codecs import write_codec, write_images
from tests.orchestrator.judged import write_judged_run, write_labelled
from tests.orchestrator.ledgers import fake_result, fill_ledger

NOBODY = 65534
SCENARIO = "name: s\nlinks: {tiny: {dataset: tiny, codec: cat}}\nsnr_db: [0]\nimages: 20\n"


def open_folder() -> Path:
    """A new folder that other users can look into, as they cannot into pytest's own."""
    root = Path(tempfile.mkdtemp(prefix="semcom-shared-"))
    root.chmod(0o755)
    return root


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where commands are given: a data set, a codec, and scenarios of a sweep."""
    root = open_folder()
    write_images(root / "data" / "tiny")
    write_codec(root / "codecs" / "cat", compression_ratio=0.5)
    (root / "s.yaml").write_text(SCENARIO)
    (root / "live.yaml").write_text(SCENARIO.replace("name: s", "name: live"))
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Path:
    """A complete run with all its files."""
    root = tmp_path_factory.mktemp("judged")
    write_labelled(root / "data")
    write_judged_run(root / "run", root / "data")
    return root / "run"


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder to be that can be opened to other users."""
    root = open_folder()
    yield root / "run"
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755)
    shutil.rmtree(root)


@pytest.fixture
def semcom(place, monkeypatch, capsys):
    """Run a command as the shell does: exit code, stdout, the line of its error."""

    def run(*words):
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["semcom", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        assert len([line for line in captured.err.splitlines() if line]) <= 1, captured.err
        return ended.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def begun(place, tmp_path):
    """A run of the scenario that lacks a frame."""
    folders = Folders(data=place / "data", codecs=place / "codecs").absolute()
    plan = plan_run(read_scenario(place / "s.yaml"), folders)
    return fill_ledger(tmp_path / "begun", plan, skip={("tiny", 0, 0)})


class TestOneAtATime:
    @pytest.mark.parametrize("words", [("sweep", "s.yaml"), ("evaluate", "--scenario", "s.yaml")])
    def test_the_second_in_a_folder_is_told_who_has_it(self, semcom, begun, tmp_path, words):
        with alone_in(begun, tmp_path):
            code, _, said = semcom(*words, "--out", begun, "--codecs", "codecs")
        assert (code, f"run folder {begun} is in use by process {os.getpid()} (" in said) == (2, 1)

    def test_the_second_resume_is_told_who_has_it(self, semcom, begun, tmp_path):
        before = (begun / "ledger.sqlite").read_bytes()
        with alone_in(begun, tmp_path):
            code, _, said = semcom(
                "sweep", "s.yaml", "--out", begun, "--codecs", "codecs", "--resume"
            )
        assert (code, f"in use by process {os.getpid()} (" in said) == (2, True), said
        assert (begun / "ledger.sqlite").read_bytes() == before

    @pytest.mark.parametrize("words", [("sweep", "s.yaml", "--resume"), ("sweep", "s.yaml")])
    def test_a_deleted_lock_file_lets_nobody_in(self, semcom, begun, tmp_path, words):
        before = (begun / "ledger.sqlite").read_bytes()
        with alone_in(begun, tmp_path):
            (begun / "lock").unlink()
            code, _, said = semcom(*words, "--out", begun, "--codecs", "codecs")
            assert not (begun / "lock").exists()
        assert (code, "is in use by another process" in said) == (2, True), said
        assert (begun / "ledger.sqlite").read_bytes() == before

    def test_a_refused_run_leaves_no_folder(self, semcom, tmp_path):
        code, _, said = semcom(
            "sweep", "s.yaml", "--out", tmp_path / "new", "--codecs", "codecs", "--resume"
        )
        assert (code, "holds no run to resume" in said) == (2, True)
        with pytest.raises(HeldError), alone_in(tmp_path / "a", tmp_path):
            raise HeldError("it", None)
        assert list(tmp_path.iterdir()) == []

    def test_second_system_of_a_name_is_told_who_has_it(self, tmp_path):
        first, second = Home(tmp_path, "twice"), Home(tmp_path, "twice")
        first.move_in()
        with pytest.raises(ConfigurationError, match=rf"process {os.getpid()} \(.* has its folder"):
            second.move_in()
        first.move_out()
        second.move_in()
        second.move_out()

    def test_a_live_system_whose_folder_is_gone_ends(self, tmp_path):
        home = Home(tmp_path, "gone")
        home.move_in()
        home.check_place()
        shutil.rmtree(home.folder)
        with pytest.raises(StorageError, match="was deleted, moved or replaced"):
            home.check_place()
        other = Home(tmp_path, "gone")
        other.move_in()
        other.announce("http://127.0.0.1:1")
        home.move_out()
        assert (other.folder / "live.json").exists(), "it is the other one's"
        other.check_place()
        other.move_out()

    def test_an_evaluation_whose_folder_is_gone_ends_before_its_next_point(
        self, semcom, place, tmp_path, monkeypatch
    ):
        folder = tmp_path / "gone"

        @contextmanager
        def process(job):
            def lines():
                shutil.rmtree(folder)
                yield EncodedImages(task=0, images=1)

            yield lines()

        monkeypatch.setattr(evaluations, "evaluating_process", process)
        code, _, said = semcom(
            "evaluate", "--scenario", "s.yaml", "--out", folder, "--codecs", "codecs"
        )
        assert (code, f"{folder} was deleted, moved or replaced" in said) == (7, True)
        assert not folder.exists()


class TestNames:
    @pytest.mark.parametrize("out", [(), ("--out", "runs/live"), ("--out", "runs/live/shapes")])
    def test_a_sweep_does_not_write_where_live_systems_lie(self, semcom, place, out):
        code, _, said = semcom("sweep", "live.yaml", "--codecs", "codecs", *out)
        assert (code, "is for live systems, not for runs" in said) == (2, True)
        assert not (place / "runs").exists()

    @pytest.mark.parametrize("name", [None, "live"])
    def test_nor_does_one_inside_a_live_system(self, place, tmp_path, name):
        content = read_scenario(place / "live.yaml").model_dump()
        request = SweepRequest(scenario=Scenario.model_validate(content), name=name)
        folders = Folders(data=place / "data", codecs=place / "codecs", runs=tmp_path)
        with pytest.raises(ConfigurationError, match="is for live systems"):
            HostedSweep(request, folders, worker=None, telemetry=None)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["../s", "a/b", "Live", ".."])
    def test_name_of_a_live_system_is_a_name(self, semcom, name):
        for words in (["up", "--detach"], ["status"], ["down"]):
            code, _, said = semcom(*words, "--name", name)
            assert (code, "is not a valid name" in said) == (2, True)


class TestNowhereToWrite:
    @pytest.mark.parametrize("runs", ["s.yaml", "/proc/none"])
    def test_up_in_the_background_is_one_line(self, semcom, runs):
        code, _, said = semcom("up", "--detach", "--runs", runs)
        assert (code, "cannot use" in said) == (7, True)

    def test_up_in_a_folder_of_another_user_is_one_line(self, semcom, place, shared):
        shared.mkdir()
        shutil.copy(LIVE_SCENARIO, place / "streams.yaml")
        with only_read(shared):
            code, _, said = semcom("up", "streams.yaml", "--detach", "--runs", shared / "runs")
        assert (code, "Permission denied" in said) == (7, True)

    def test_a_sweep_is_one_line(self, semcom, place):
        code, _, said = semcom("sweep", "s.yaml", "--codecs", "codecs", "--out", "s.yaml/run")
        assert (code, "s.yaml/run" in said) == (7, True)


@contextmanager
def only_read(folder: Path) -> Iterator[None]:
    """Let this process look at a folder and change nothing in it, also where it is root's."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before, user = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}, os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def in_write_ahead_mode(folder: Path) -> None:
    """As an earlier version left every ledger."""
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("PRAGMA journal_mode=WAL")
    database.close()


def killed(folder: Path) -> None:
    """As after a kill: the last frame lies in the log alone."""
    path = folder / "ledger.sqlite"
    database = sqlite3.connect(path, isolation_level=None)
    last = "point=3 AND link='ten' AND frame=2"
    rows = database.execute(f"SELECT * FROM frames WHERE {last}").fetchall()
    database.execute(f"DELETE FROM frames WHERE {last}")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA wal_autocheckpoint=0")
    database.executemany(f"INSERT INTO frames VALUES ({','.join('?' * 13)})", rows)
    for name in ("ledger.sqlite", "ledger.sqlite-wal"):
        shutil.copy(folder / name, folder.parent / name)
    database.close()
    for name in ("ledger.sqlite", "ledger.sqlite-wal"):
        shutil.move(folder.parent / name, folder / name)
    assert (folder / "ledger.sqlite-wal").stat().st_size > 0


class TestReadOnly:
    @pytest.mark.parametrize("left", [lambda folder: None, in_write_ahead_mode, killed])
    def test_a_run_is_verified_and_reported_where_it_may_only_be_read(
        self, semcom, judged, shared, left
    ):
        shutil.copytree(judged, shared)
        left(shared)
        copies = set(Path(tempfile.gettempdir()).glob("semcom-ledger-*"))
        with only_read(shared):
            code, out, said = semcom("verify", shared, "--data", "none")
            assert (code, "each exactly once" in out) == (0, True), said
            code, out, said = semcom("report", shared, "--markdown")
            assert (code, "| Es/N0 (dB) |" in out) == (0, True), said
        assert set(Path(tempfile.gettempdir()).glob("semcom-ledger-*")) == copies

    def test_a_report_is_written_elsewhere(self, semcom, judged, shared, monkeypatch):
        monkeypatch.setattr(report, "_sections", lambda *_: (["<p>drawn</p>"], {}))
        shutil.copytree(judged, shared)
        (shared / "report.html").unlink(missing_ok=True)
        elsewhere = Path(tempfile.mkdtemp())
        elsewhere.chmod(0o777)
        with only_read(shared):
            code, _, said = semcom("report", shared)
            assert (code, "choose another folder with --out" in said) == (7, True)
            code, _, said = semcom("report", shared, "--out", elsewhere)
            assert code == 0, said
        assert (elsewhere / "report.html").exists()
        shutil.rmtree(elsewhere)

    def test_a_complete_run_is_resumed_there_without_a_write(self, semcom, place, shared, begun):
        whole = fill_ledger(shared, plan_of(begun))
        with only_read(whole):
            code, out, said = semcom(
                "sweep", "s.yaml", "--out", whole, "--codecs", "codecs", "--resume"
            )
        assert (code, "results digest" in out) == (0, True), said
        assert "cannot be written; choose another folder with --out" in out

    def test_one_that_is_not_complete_says_that_it_cannot_go_on(self, begun, shared):
        plan = plan_of(begun)
        with pytest.raises(StorageError, match="cannot be written, so its run cannot be resumed"):
            open_finished(begun, plan)


def plan_of(folder: Path):
    ledger = Ledger(folder / "ledger.sqlite")
    ledger.close()
    return ledger.plan


class TestHostedSweep:
    """A sweep inside a live system: what it writes at its end is written by another thread."""

    @pytest.fixture
    def hosted(self, place, tmp_path):
        folders = Folders(data=place / "data", codecs=place / "codecs", runs=tmp_path)
        wakeup = Wakeup()
        worker: Worker[Any] = Worker(wakeup, "planner")
        request = SweepRequest(scenario=read_scenario(place / "s.yaml"), report=False)
        yield HostedSweep(request, folders, worker, Telemetry("orchestrator", "o")), worker
        worker.close()
        wakeup.close()

    def test_holds_its_folder_until_all_is_written(self, hosted, tmp_path, place):
        sweep, worker = hosted
        sweep.planned(outcome_of(worker))
        sweep.run(None, None)
        with pytest.raises(HeldError), alone_in(sweep.folder, tmp_path):
            pass
        plan, ledger = sweep.plan, sweep._begun.ledger
        codec = plan.codec_at("tiny", 0).digest
        result = fake_result(
            plan, "tiny", 0, 0, answer=bytes(40), score={"items": 20, "correct": 0}
        )
        ledger.record("tiny", codec, [result])
        sweep._begun.sweep.recorded("tiny", [(0, 0)])
        sweep.finish()
        sweep.reported(outcome_of(worker))
        assert sweep.status()["results_digest"] is not None
        assert verify_run(sweep.folder).sealed
        with alone_in(sweep.folder, tmp_path):
            pass
        with pytest.raises(AccountingError, match="the labels give"):  # 0 was made up
            verify_run(sweep.folder, place / "data")

    def test_one_that_comes_to_nothing_leaves_no_folder(self, hosted, tmp_path):
        sweep, worker = hosted
        outcome_of(worker)
        assert sweep.folder.exists(), "no other sweep may take it"
        sweep.fail(ConfigurationError("no"))
        assert list(tmp_path.iterdir()) == []


def outcome_of(worker: Worker[Any]) -> Any:
    """What the worker's next piece of work comes to."""
    end_s = time.monotonic() + 100
    while not (found := worker.outcomes()):
        assert time.monotonic() < end_s
        time.sleep(0.01)
    assert found[0].error is None, found[0].error
    return found[0].value
