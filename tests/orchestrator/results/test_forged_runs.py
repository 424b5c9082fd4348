"""A run that was altered in any single place is refused, and damage of any kind is one line."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

from orchestrator.results.frame_table import CLASSIFIED
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_end import write_results
from orchestrator.results.run_folder import read_run
from orchestrator.results.verify import Verification, verify_run
from semcom.errors import AccountingError, SemcomError, StorageError
from tests.orchestrator.judged import (
    copied,
    facts_of,
    scenario_of,
    seal_again,
)
from tests.properties import examples

FEW = examples(40, suppress=HealthCheck.function_scoped_fixture)
CELLS = [
    *(("frames", column) for column in CLASSIFIED.columns),
    *(("plan", column) for column in ("digest", "content")),
    *(("classes", column) for column in ("codec", "classes")),
    *(("seals", column) for column in ("name", "digest")),
]
# What decides the results; the rest is durations, which only a seal covers.
DECIDING = [cell for cell in CELLS[:8] if cell[1] != "attempts"]
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-2, 12),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=16),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6))


def alter_cell(folder: Path, table: str, column: str, row: int, value: object) -> bool:
    """Put a value into one cell; whether another one stands there now."""
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        key = ", ".join(f"[{each[1]}]" for each in CELLS if each[0] == table)
        before = database.execute(f"SELECT {key} FROM {table}").fetchall()
        names = [each[1] for each in CELLS if each[0] == table]
        chosen = dict(zip(names, before[row % len(before)], strict=True))
        where = " AND ".join(f"{name} IS :old_{name}" for name in names)
        values = {f"old_{name}": old for name, old in chosen.items()} | {"new": value}
        try:
            database.execute(f"UPDATE {table} SET {column} = :new WHERE {where}", values)
        except sqlite3.IntegrityError:  # two frames of one key
            return False
        return bool(database.execute(f"SELECT {key} FROM {table}").fetchall() != before)


def alter_leaf(content: Any, choose: st.DataObject) -> None:
    """Change, remove or add one thing somewhere in a manifest."""
    inside = content
    while True:
        keys = list(inside) if isinstance(inside, dict) else list(range(len(inside)))
        key = choose.draw(st.sampled_from(keys))
        deeper = inside[key]
        if isinstance(deeper, dict | list) and deeper and choose.draw(st.booleans()):
            inside = deeper
            continue
        how = choose.draw(st.sampled_from(["change", "remove", "add"]))
        if how == "remove":
            del inside[key]
        elif how == "add" and isinstance(inside, dict):
            inside["another"] = choose.draw(SCALARS)
        else:
            inside[key] = choose.draw(SCALARS)
        return


class TestOneCell:
    @FEW
    @given(data=st.data())
    def test_any_altered_cell_of_a_ledger_is_noticed(self, place, tmp_path, data):
        run = copied(place / "run", tmp_path / "altered")
        table, column = data.draw(st.sampled_from(CELLS))
        assume(alter_cell(run, table, column, data.draw(st.integers(0, 99)), data.draw(VALUES)))
        with pytest.raises(SemcomError) as told:
            verify_run(run, place / "data")
        check_told(told.value)

    @FEW
    @given(data=st.data())
    def test_without_seals_whatever_decides_the_results_is_noticed(self, place, tmp_path, data):
        run = copied(place / "unsealed", tmp_path / "altered")
        (run / "results.csv").unlink()
        table, column = data.draw(st.sampled_from(DECIDING))
        assume(alter_cell(run, table, column, data.draw(st.integers(0, 99)), data.draw(VALUES)))
        with pytest.raises(SemcomError) as told:
            verify_run(run, place / "data")
        check_told(told.value)

    @FEW
    @given(data=st.data())
    def test_any_altered_field_of_a_manifest_is_noticed(self, place, tmp_path, data):
        run = copied(place / "run", tmp_path / "altered")
        path = run / "manifest.json"
        before = path.read_text()
        content = json.loads(before)
        alter_leaf(content, data)
        assume(json.dumps(content) != json.dumps(json.loads(before)))
        path.write_text(json.dumps(content, indent=1))
        with pytest.raises(SemcomError) as told:
            verify_run(run)
        check_told(told.value)


def check_told(error: SemcomError) -> None:
    assert error.exit_code in (2, 7, 8), error
    assert "\n" not in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("run", "another.01234567"),
        ("engine", "onnxruntime"),
        ("receiver_engine", "onnxruntime"),
        ("threads.receiver", 2),
        ("links.ten.dataset_digest", "0" * 64),
        ("links.ten.codecs.0.digest", "0" * 64),
        ("links.ten.images", 13),
        ("codecs.1.digest", "0" * 64),
        ("scenario.snr_db.1", 11.0),
        ("scenario.snr_db", {"start": 0, "stop": 20, "step": 10}),
        ("scenario.seeds.0", 1),
        ("scenario.channels.1.model", "awgn"),
        ("scenario.links.ten.codecs.0", "hundred-codec"),
        ("scenario.frame_images", 6),
        ("scenario.images", 11),
    ],
)
def test_a_manifest_of_an_earlier_version_says_what_the_plan_says(place, tmp_path, field, value):
    run = copied(place / "unsealed", tmp_path / "altered")
    verify_run(run)
    content = json.loads((run / "manifest.json").read_text())
    inside: Any = content
    *path, last = field.split(".")
    for part in path:
        inside = inside[int(part) if isinstance(inside, list) else part]
    inside[int(last) if isinstance(inside, list) else last] = value
    (run / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(AccountingError, match=rf"manifest\.json says {field.split('.')[0]}"):
        verify_run(run)


@pytest.mark.parametrize(
    "snr_db",
    [
        [0, 10],
        {"start": 0, "stop": 10, "step": 10},
        {"start": 0.0, "stop": 12.0, "step": 10.0},
    ],
)
def test_a_range_of_snrs_is_what_it_comes_to(place, tmp_path, snr_db):
    run = copied(place / "unsealed", tmp_path / "same")
    content = json.loads((run / "manifest.json").read_text())
    content["scenario"]["snr_db"] = snr_db
    (run / "manifest.json").write_text(json.dumps(content))
    assert "manifest.json" in verify_run(run).compared


class TestForgedAccuracies:
    def forged(self, place, target, statement="UPDATE frames SET correct=images"):
        run = copied(place / "run", target)
        with sqlite3.connect(run / "ledger.sqlite") as database:
            assert database.execute(statement).rowcount > 0
        (run / "results.csv").unlink()
        return run

    def test_are_refused_by_the_seal_also_without_the_data(self, place, tmp_path):
        run = self.forged(place, tmp_path / "forged")
        with pytest.raises(AccountingError, match="altered after its run was complete"):
            verify_run(run)
        with pytest.raises(AccountingError, match="altered after its run was complete"):
            read_run(run)  # a report shows none of it

    def test_are_not_sealed_by_going_on(self, place, tmp_path):
        run = self.forged(place, tmp_path / "forged")
        with pytest.raises(AccountingError, match="altered after its run was complete"):
            again(run)

    def test_that_were_sealed_again_are_found_by_judging_again(self, place, tmp_path):
        run = self.forged(place, tmp_path / "forged")
        seal_again(run)
        unproven = verify_run(run)
        assert set(unproven.not_judged) == {"ten", "hundred"}
        assert "stated by the ledger: the answers, whether they are right on" in " ".join(
            unproven.lines()
        )
        with pytest.raises(AccountingError, match="its answers and the labels give"):
            verify_run(run, place / "data")

    def test_in_an_unsealed_ledger_are_found_by_judging_again(self, place, tmp_path):
        run = copied(place / "unsealed", tmp_path / "forged")
        with sqlite3.connect(run / "ledger.sqlite") as database:
            database.execute("UPDATE frames SET correct=images")
        (run / "results.csv").unlink()
        assert verify_run(run).sealed is False
        with pytest.raises(AccountingError, match="its answers and the labels give"):
            verify_run(run, place / "data")


def outcome(run: Path, data: Path) -> Verification | SemcomError:
    try:
        return verify_run(run, data)
    except SemcomError as error:
        return error


def again(run: Path) -> None:
    """Finish a run that is complete already, as `--resume` does."""
    ledger = Ledger(run / "ledger.sqlite")
    plan = ledger.plan
    ledger.close()
    ledger = Ledger(run / "ledger.sqlite", plan)
    try:
        write_results(ledger, scenario_of(plan), facts_of(plan), seconds=2.0)
    finally:
        ledger.close()


def test_going_on_with_a_complete_run_changes_no_file(place, tmp_path):
    run = copied(place / "run", tmp_path / "same")
    names = ("manifest.json", "results.csv")
    before = {name: (run / name).read_bytes() for name in names}
    again(run)
    assert {name: (run / name).read_bytes() for name in names} == before
    (run / "manifest.json").unlink()
    again(run)
    assert verify_run(run, place / "data").compared == ("results.csv", "manifest.json")


def test_an_altered_manifest_is_not_written_over_unseen(place, tmp_path):
    run = copied(place / "run", tmp_path / "altered")
    text = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(text.replace('"seconds": 1.0', '"seconds": 9.0'))
    with pytest.raises(AccountingError, match="not the file that the run wrote"):
        again(run)


class TestTypes:
    """SQLite takes any value in any column; a table can be replaced by one without rules."""

    def rebuilt(self, place, target) -> Path:
        run = copied(place / "unsealed", target)
        with sqlite3.connect(run / "ledger.sqlite") as database:
            database.execute("ALTER TABLE frames RENAME TO kept")
            database.execute(f"CREATE TABLE frames ({', '.join(CLASSIFIED.columns)})")
            database.execute("INSERT INTO frames SELECT * FROM kept")
            database.execute("DROP TABLE kept")
        return run

    @pytest.mark.parametrize("column", CLASSIFIED.columns)
    @pytest.mark.parametrize("value", ["NULL", "'text'", "x'00'", "1.5", "-1", "9e999"])
    def test_any_type_in_any_column_is_one_line(self, place, tmp_path, column, value):
        run = self.rebuilt(place, tmp_path / "rebuilt")
        with sqlite3.connect(run / "ledger.sqlite") as database:
            database.execute(f"UPDATE frames SET {column}={value} WHERE point=1 AND frame=0")
        (run / "manifest.json").unlink()
        (run / "results.csv").unlink()
        if column.endswith("_ms") and value == "1.5":  # as good as any other duration
            assert verify_run(run).compared == ()
            return
        with pytest.raises(SemcomError) as told:
            verify_run(run)
        check_told(told.value)

    def test_a_frame_that_is_there_twice_does_not_stand_for_another(self, place, tmp_path):
        run = self.rebuilt(place, tmp_path / "rebuilt")
        with sqlite3.connect(run / "ledger.sqlite") as database:
            database.execute("DELETE FROM frames WHERE frame=1 AND point=0 AND link='ten'")
            twice = "SELECT * FROM frames WHERE frame=0 AND point=0 AND link='ten'"
            database.execute(f"INSERT INTO frames {twice}")
        with pytest.raises(AccountingError, match="recorded twice"):
            verify_run(run)

    @pytest.mark.parametrize(
        "statement",
        [
            "CREATE VIEW more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)"
            " SELECT i FROM n",
            "CREATE TRIGGER t AFTER INSERT ON frames BEGIN DELETE FROM frames; END",
        ],
    )
    def test_views_and_triggers_have_no_place_in_a_ledger(self, place, tmp_path, statement):
        run = copied(place / "unsealed", tmp_path / "altered")
        with sqlite3.connect(run / "ledger.sqlite") as database:
            database.execute(statement)
        with pytest.raises(AccountingError, match="it was altered"):
            verify_run(run)

    @pytest.mark.parametrize("content", ["", "[]", "{", "[" * 5000, '{"run": 1}', "1" * 5000])
    def test_a_plan_that_is_none_is_one_line(self, place, tmp_path, content):
        run = copied(place / "unsealed", tmp_path / "altered")
        with sqlite3.connect(run / "ledger.sqlite") as database:
            database.execute("UPDATE plan SET content=?", (content,))
        with pytest.raises(SemcomError) as told:
            verify_run(run)
        assert told.value.exit_code in (2, 7, 8)

    @pytest.mark.parametrize("change", [{"frame_images": 0}, {"points": []}, {"links": {}}])
    def test_a_plan_by_which_nothing_can_be_sent_is_one_line(self, place, tmp_path, change):
        run = copied(place / "unsealed", tmp_path / "altered")
        with sqlite3.connect(run / "ledger.sqlite") as database:
            held = json.loads(database.execute("SELECT content FROM plan").fetchone()[0])
            plan = type(read_run(place / "run").summary.plan).model_validate({**held, **change})
            values = (plan.digest, plan.model_dump_json())
            database.execute("UPDATE plan SET digest=?, content=?", values)
        with pytest.raises(AccountingError, match="it cannot be executed"):
            verify_run(run)


class TestDamage:
    @FEW
    @given(
        at=st.floats(0, 1), damage=st.binary(min_size=1, max_size=300), cut=st.booleans(),
        removed=st.booleans(),
    )  # fmt: skip
    def test_any_damaged_ledger_is_one_line_or_says_the_same(
        self, place, tmp_path, at, damage, cut, removed
    ):
        run = copied(place / "unsealed" if removed else place / "run", tmp_path / "damaged")
        path = run / "ledger.sqlite"
        content = path.read_bytes()
        start = int(at * len(content))
        kept = b"" if cut else content[start + len(damage) :]
        path.write_bytes(content[:start] + damage + kept)
        found = outcome(run, place / "data")
        if isinstance(found, SemcomError):
            check_told(found)
        else:  # a place that holds nothing
            assert found.digests[:2] == verify_run(place / "run").digests[:2]

    @FEW
    @given(at=st.floats(0, 1), damage=st.binary(min_size=1, max_size=40), cut=st.booleans())
    def test_any_damaged_manifest_is_one_line(self, place, tmp_path, at, damage, cut):
        run = copied(place / "run", tmp_path / "damaged")
        path = run / "manifest.json"
        content = path.read_bytes()
        start = int(at * len(content))
        damaged = content[:start] + damage + (b"" if cut else content[start + len(damage) :])
        assume(damaged != content)
        path.write_bytes(damaged)
        with pytest.raises(SemcomError) as told:
            verify_run(run)
        assert told.value.exit_code in (2, 7, 8)

    @pytest.mark.parametrize("name", ["ledger.sqlite", "manifest.json"])
    def test_a_pipe_in_place_of_a_file_is_not_waited_for(self, place, tmp_path, name):
        run = copied(place / "run", tmp_path / "piped")
        (run / name).unlink()
        os.mkfifo(run / name)
        with pytest.raises(StorageError, match="regular file"):
            verify_run(run)
