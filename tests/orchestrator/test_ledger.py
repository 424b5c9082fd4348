"""The ledger: once, committed before it is acknowledged, for one plan alone."""

from __future__ import annotations

import hashlib
import json

import pytest

from orchestrator.ledger import Ledger
from semcom.errors import AccountingError, ConfigurationError, StorageError
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
    other = result.model_copy(update={"predictions": bytes(len(result.predictions))})
    with pytest.raises(AccountingError, match="two ways"):
        ledger.record(LINK, codec_of(plan), [other])
    assert [row.predictions for row in ledger.rows()] == [result.predictions]


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
        (LINK, {"predictions": b"\0\0"}),
        (LINK, {"correct": 101}),
    ],
)
def test_what_was_not_planned_is_refused_and_takes_its_batch_along(link, changes, ledger, plan):
    good = fake_result(plan, LINK, 0, 1)
    bad = fake_result(plan, LINK, 0, 0).model_copy(update=changes)
    with pytest.raises(AccountingError):
        ledger.record(link, codec_of(plan), [good, bad])
    assert ledger.recorded_frames() == {}


def test_another_codec_than_planned_is_refused(ledger, plan):
    with pytest.raises(AccountingError, match="another codec"):
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
    changes = ({}, {(LINK, 0, 0): {"decode_ms": 9.0}}, {(LINK, 0, 0): {"predictions": b"\1" * 200}})
    for number, change in enumerate(changes):
        folder = fill_ledger(tmp_path / str(number), plan, changes=change)
        ledger = Ledger(folder / "ledger.sqlite")
        digests.append(ledger.results_digest())
        ledger.close()
    assert digests[0] == digests[1] != digests[2]


def test_plan_for_torch_has_the_digest_of_before_there_was_a_choice(plan, tmp_path):
    """So ledgers of that time are still read."""
    assert plan.engine == "torch"
    content = plan.model_dump(mode="json", exclude={"run", "engine"})
    text = json.dumps(content, sort_keys=True)
    assert plan.digest == hashlib.sha256(text.encode()).hexdigest()
    edge = plan.model_copy(update={"engine": "onnxruntime"})
    assert edge.digest != plan.digest
    Ledger(tmp_path / "l.sqlite", plan).close()
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
