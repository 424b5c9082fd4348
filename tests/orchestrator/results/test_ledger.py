"""The ledger: once, committed before it is acknowledged, for one plan alone."""

from __future__ import annotations

import hashlib
import json
import sqlite3

import pytest

from orchestrator.results.ledger import Ledger
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.tasks.classification import Classification
from tests.orchestrator.ledgers import fake_plan, fake_result, fill_ledger

LINK = "shapes10"


@pytest.fixture
def plan():
    return fake_plan()


@pytest.fixture
def ledger(plan, tmp_path):
    opened = Ledger(tmp_path / "ledger.sqlite", plan)
    yield opened
    opened.close()


def codec_of(plan):
    return plan.codec_at(LINK, 0).digest


def test_frame_recorded_twice_counts_once(ledger, plan):
    result = fake_result(plan, LINK, 0, 0)
    assert ledger.record(LINK, codec_of(plan), [result]) == 1
    assert ledger.record(LINK, codec_of(plan), [result]) == 0
    assert ledger.recorded_frames() == {(0, LINK): {0}}


def test_second_answer_that_differs_is_refused_and_the_first_one_stays(ledger, plan):
    result = fake_result(plan, LINK, 0, 0)
    ledger.record(LINK, codec_of(plan), [result])
    other = result.model_copy(update={"answer": bytes(len(result.answer))})
    with pytest.raises(AccountingError, match="two ways"):
        ledger.record(LINK, codec_of(plan), [other])
    assert [row.answer for row in ledger.rows()] == [result.answer]


def test_second_judgement_that_differs_is_refused_although_the_answer_is_the_same(ledger, plan):
    result = fake_result(plan, LINK, 0, 0, score={"items": 100, "correct": 7})
    ledger.record(LINK, codec_of(plan), [result])
    other = result.model_copy(update={"score": {"items": 100, "correct": 8}})
    with pytest.raises(AccountingError, match="was judged in two ways"):
        ledger.record(LINK, codec_of(plan), [other])
    assert [row.score["correct"] for row in ledger.rows()] == [7]


def test_a_class_that_the_codec_does_not_have_is_refused_now_and_later(tmp_path, plan):
    path, codec = tmp_path / "l.sqlite", codec_of(plan)
    beyond = fake_result(plan, LINK, 0, 0, answer=b"\x0a\x00" * 100)
    opened = Ledger(path, plan, tasks={codec: Classification(classes=10)})
    with pytest.raises(AccountingError, match=r"class 10, its codec has 10 classes \(0 to 9\)"):
        opened.record(LINK, codec, [beyond])
    opened.record(LINK, codec, [fake_result(plan, LINK, 0, 0, answer=b"\x09\x00" * 100)])
    opened.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE frames SET predictions=?", (b"\xff\xff" * 100,))
    kept = Ledger(path)
    with pytest.raises(AccountingError, match="class 65535"):
        list(kept.rows())
    kept.close()


@pytest.mark.parametrize("how", ["deleted", "replaced", "log deleted"])
def test_a_ledger_that_is_not_in_its_place_any_more_takes_nothing(tmp_path, plan, how):
    folder = tmp_path / "run"
    folder.mkdir()
    ledger = Ledger(folder / "ledger.sqlite", plan)
    ledger.record(LINK, codec_of(plan), [fake_result(plan, LINK, 0, 0)])
    if how == "log deleted":
        (folder / "ledger.sqlite-wal").unlink()
    else:
        folder.rename(tmp_path / "away")
    other = fake_plan(seeds=(9,))
    if how == "replaced":
        fill_ledger(folder, other)
    with pytest.raises(StorageError, match="was deleted, moved or replaced"):
        ledger.check_place()
    with pytest.raises(StorageError, match="was deleted, moved or replaced"):
        ledger.record(LINK, codec_of(plan), [fake_result(plan, LINK, 0, 1)])
    ledger.close()
    if how == "replaced":  # the other run is left alone
        kept = Ledger(folder / "ledger.sqlite")
        assert (kept.plan, len(list(kept.rows()))) == (other, other.total_frames)
        kept.close()


def test_a_log_of_the_run_that_took_the_place_is_not_removed(tmp_path, plan):
    folder = tmp_path / "run"
    folder.mkdir()
    first = Ledger(folder / "ledger.sqlite", plan)
    folder.rename(tmp_path / "away")
    folder.mkdir()
    second = Ledger(folder / "ledger.sqlite", plan)
    second.record(LINK, codec_of(plan), [fake_result(plan, LINK, 0, 0)])
    first.close()
    assert (folder / "ledger.sqlite-wal").stat().st_size > 0
    second.check_place()
    second.close()


def test_a_closed_ledger_is_one_file_that_needs_no_log(tmp_path, plan):
    folder = fill_ledger(tmp_path / "run", plan)
    assert [path.name for path in folder.iterdir()] == ["ledger.sqlite"]
    assert (folder / "ledger.sqlite").read_bytes()[18:20] == b"\x01\x01"  # not write-ahead


def test_reading_leaves_nothing_behind_and_disturbs_no_run(ledger, plan):
    ledger.record(LINK, codec_of(plan), [fake_result(plan, LINK, 0, 0)])
    before = sorted(path.name for path in ledger.path.parent.iterdir())
    reader = Ledger(ledger.path)
    ledger.record(LINK, codec_of(plan), [fake_result(plan, LINK, 0, 1)])
    assert len(list(reader.rows())) == 1, "one snapshot"
    reader.close()
    ledger.record(LINK, codec_of(plan), [fake_result(plan, LINK, 0, 2)])
    assert sorted(path.name for path in ledger.path.parent.iterdir()) == before


def test_a_full_disk_is_told_as_such_and_nothing_of_the_batch_stays(ledger, plan):
    database, result = ledger._database, fake_result(plan, LINK, 0, 0)
    database.execute("CREATE TABLE filler (content BLOB)")
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages + 2}")

    def record_and_fill():
        with ledger.transaction():
            ledger.record(LINK, codec_of(plan), [result])
            database.execute("INSERT INTO filler VALUES (zeroblob(1000000))")

    with pytest.raises(StorageError, match="full; free the disk and resume"):
        record_and_fill()
    assert ledger.recorded_frames() == {}
    database.execute("PRAGMA max_page_count=1000000")
    record_and_fill()
    assert ledger.recorded_frames() == {(0, LINK): {0}}


@pytest.mark.parametrize(
    ("link", "changes"),
    [
        ("cifar10", {}),
        (LINK, {"point": 99}),
        (LINK, {"frame": 3}),
        (LINK, {"images": 99}),
        (LINK, {"answer": b"\0\0"}),
        (LINK, {"score": {"items": 100, "correct": 101}}),
    ],
)
def test_what_was_not_planned_is_refused_and_takes_its_batch_along(link, changes, ledger, plan):
    good = fake_result(plan, LINK, 0, 1)
    bad = fake_result(plan, LINK, 0, 0).model_copy(update=changes)
    with pytest.raises(AccountingError):
        ledger.record(link, codec_of(plan), [good, bad])
    assert ledger.recorded_frames() == {}


def test_another_codec_than_planned_is_refused(ledger, plan):
    with pytest.raises(AccountingError, match="not by the planned one"):
        ledger.record(LINK, "0" * 64, [fake_result(plan, LINK, 0, 0)])


def test_transaction_commits_all_messages_or_none(ledger, plan):
    def both():
        with ledger.transaction():
            ledger.record(LINK, codec_of(plan), [fake_result(plan, LINK, 0, 0)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        both()
    assert ledger.recorded_frames() == {}


def test_ledger_of_another_plan_is_refused(plan, tmp_path):
    Ledger(tmp_path / "ledger.sqlite", plan).close()
    with pytest.raises(ConfigurationError, match="another plan"):
        Ledger(tmp_path / "ledger.sqlite", fake_plan(snr_db=(0.0,)))


def test_resumed_ledger_keeps_the_name_of_its_run(plan, tmp_path):
    Ledger(tmp_path / "ledger.sqlite", plan).close()
    again = Ledger(tmp_path / "ledger.sqlite", plan.model_copy(update={"run": "demo.00000000"}))
    assert again.plan.run == plan.run
    again.close()


def test_digest_depends_on_answers_and_not_on_durations(plan, tmp_path):
    digests = []
    changes = ({}, {(LINK, 0, 0): {"decode_ms": 9.0}}, {(LINK, 0, 0): {"answer": b"\1" * 200}})
    for number, change in enumerate(changes):
        folder = fill_ledger(tmp_path / str(number), plan, changes=change)
        ledger = Ledger(folder / "ledger.sqlite")
        digests.append(ledger.results_digest())
        ledger.close()
    assert digests[0] == digests[1] != digests[2]


def test_plan_for_torch_has_the_digest_of_before_there_was_a_choice(plan, tmp_path):
    """So ledgers of that time are still read."""
    assert plan.engine == plan.receiver_engine == "torch"
    later = {"engine", "receiver_engine", "groups"}
    content = plan.model_dump(mode="json", exclude={"run", *later})
    for link in content["links"].values():
        assert link.pop("offset") == 0
    for point in content["points"]:
        assert point["spec"].pop("interference") is None
        assert point["spec"].pop("rate") is None
    text = json.dumps(content, sort_keys=True)
    assert plan.digest == hashlib.sha256(text.encode()).hexdigest()
    Ledger(tmp_path / "l.sqlite", plan).close()
    for engine in ("engine", "receiver_engine"):
        edge = plan.model_copy(update={engine: "onnxruntime"})
        assert edge.digest != plan.digest
        with pytest.raises(ConfigurationError):
            Ledger(tmp_path / "l.sqlite", edge)


def test_doubted_answers_are_never_added_to(tmp_path, plan):
    path = tmp_path / "l.sqlite"
    first = Ledger(path, plan)
    assert first.doubt is None
    first.cast_doubt("receiver-1 rounds otherwise")
    first.close()
    with pytest.raises(ConfigurationError, match="receiver-1 rounds otherwise"):
        Ledger(path, plan)
    kept = Ledger(path)  # to look at it is allowed
    assert kept.doubt == "receiver-1 rounds otherwise"
    kept.close()
