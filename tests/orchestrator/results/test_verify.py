from __future__ import annotations

import sqlite3

import pytest

from orchestrator.results.run_folder import read_run
from orchestrator.results.summary import write_results_csv
from orchestrator.results.verify import verify_run
from semcom.errors import AccountingError, ConfigurationError, StorageError
from tests.orchestrator.ledgers import fake_plan, fill_ledger, sha256, write_manifest


@pytest.fixture
def plan():
    return fake_plan()


@pytest.fixture
def run(tmp_path, plan):
    """A complete run with all its files."""
    folder = fill_ledger(tmp_path / "run", plan)
    found = read_run(folder)
    write_results_csv(folder / "results.csv", found.summary)
    write_manifest(folder, plan, results_digest=found.results_digest)
    return folder


def alter(folder, statement):
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        assert database.execute(statement).rowcount > 0


def test_accepts_a_complete_run_and_tells_its_totals(run, plan):
    found = verify_run(run)
    assert (found.points, found.frames, found.images) == (12, 36, 12 * 250)
    assert found.plan_digest == plan.digest
    assert found.results_digest == read_run(run).results_digest
    assert found.compared == ("results.csv", "manifest.json")


def test_needs_only_the_ledger(run):
    (run / "results.csv").unlink()
    (run / "manifest.json").unlink()
    assert verify_run(run).compared == ()


def test_says_how_many_frames_are_missing_where_and_what_to_do(tmp_path, plan):
    skip = {("shapes100", 4, 1), ("shapes100", 4, 2), ("shapes10", 5, 0)}
    folder = fill_ledger(tmp_path, plan, skip=skip)
    with pytest.raises(AccountingError) as caught:
        verify_run(folder)
    text = str(caught.value)
    assert "3 of 36 frames are missing" in text
    assert "link shapes10 at point 5 (rayleigh, 10 dB, seed 0)" in text
    assert f"finish it with semcom sweep, its scenario and: --out {folder} --resume" in text
    write_manifest(folder, plan, command=["sweep", "/a b/s.yaml", "--no-launch"])
    with pytest.raises(AccountingError) as caught:
        verify_run(folder)
    again = f"semcom sweep '/a b/s.yaml' --no-launch --out {folder} --resume"
    assert str(caught.value).endswith(f"finish with: {again}")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("images=99", "has 99 items, planned were 100"),
        ("correct=101", "has 101 of 100 items correct"),
        ("correct=-1", "has -1 of 100 items correct"),
        ("predictions=x'0000'", "has 1 predictions for 100 items"),
        (f"codec='{sha256('other')}'", f"answered by codec {sha256('other')[:12]}"),
        ("attempts=0", "impossible attempts"),
        ("decode_ms=-1", "impossible attempts or durations"),
        ("round_trip_ms=9e999", "impossible attempts or durations"),
        ("frame=7", "frame 7 of point 2 on link shapes10 was never planned"),
        ("point=12", "frame 1 of point 12 on link shapes10 was never planned"),
        ("link='other'", "frame 1 of point 2 on link other was never planned"),
    ],
)
def test_refuses_an_altered_frame(run, change, complaint):
    alter(run, f"UPDATE frames SET {change} WHERE link='shapes10' AND point=2 AND frame=1")
    with pytest.raises(AccountingError, match=complaint):
        verify_run(run)


def test_refuses_results_that_were_edited(run):
    path = run / "results.csv"
    path.write_text(path.read_text().replace("shapes10,shapes10,rkd-sc", "a,b,c", 1))
    with pytest.raises(
        AccountingError, match=r"results\.csv line 2 does not agree with the ledger"
    ):
        verify_run(run)


def test_refuses_results_that_were_cut_short(run):
    path = run / "results.csv"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(AccountingError, match=r"results\.csv line 13"):
        verify_run(run)


def test_refuses_other_predictions_than_the_manifest_states(run):
    alter(run, "UPDATE frames SET predictions=zeroblob(200) WHERE frame=0")
    with pytest.raises(AccountingError, match="says results_digest"):
        verify_run(run)


def test_refuses_the_manifest_of_another_plan(run):
    write_manifest(run, fake_plan(seeds=(1,)))
    with pytest.raises(AccountingError, match="says plan_digest"):
        verify_run(run)


def test_a_manifest_without_digests_is_not_counted_as_compared(run):
    (run / "manifest.json").write_text("{}")
    assert verify_run(run).compared == ("results.csv",)


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000])
def test_a_manifest_that_is_no_map_is_a_clear_error(run, content):
    (run / "manifest.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"manifest\.json"):
        verify_run(run)


def test_a_folder_without_a_run_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match="no ledger"):
        verify_run(tmp_path / "absent")


def test_a_truncated_ledger_is_a_clear_error(run):
    path = run / "ledger.sqlite"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(StorageError, match=r"ledger\.sqlite"):
        verify_run(run)
