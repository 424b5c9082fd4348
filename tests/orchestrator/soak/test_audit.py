"""The audit finds each kind of fault in made-up ledgers and logs, and nothing in good ones."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from orchestrator.results.ledger import FrameRow, Ledger
from orchestrator.soak.audit import ANSWERED, DECODED, audit
from semcom.tasks.classification import Classification
from tests.orchestrator.ledgers import fake_plan, fill_ledger, sha256

PLAN = fake_plan()
OTHER = b"\xff\xff" * 100


def logged(answer: bytes) -> str:
    return hashlib.sha256(answer).hexdigest()[:16]


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> list[FrameRow]:
    folder = fill_ledger(tmp_path_factory.mktemp("run"), PLAN)
    ledger = Ledger(folder / "ledger.sqlite")
    found = list(ledger.rows())
    ledger.close()
    return found


def record(event: str, row: FrameRow, **changes) -> dict[str, object]:
    found = {"event": event, "run": PLAN.run, "link": row.link, "point": row.point}
    return found | {"frame": row.frame, "answer": logged(row.answer)} | changes


def witnesses(rows):
    return [record(event, row) for row in rows for event in (DECODED, ANSWERED)]


def kinds(found) -> dict[str, int]:
    counts = {name: len(getattr(found, name)) for name in vars(found)}
    return {name: count for name, count in counts.items() if count}


def test_nothing_is_found_in_a_good_run(rows):
    logs = [*witnesses(rows), {"event": "started"}, {"event": "stopped"}]
    found = audit(PLAN, rows, logs, reference=rows, witnessed=True)
    assert found.clean
    assert str(found) == "0 lost, 0 duplicated, 0 unexpected, 0 mismatching"


def test_frame_answered_again_in_the_same_way_is_no_fault(rows):
    assert audit(PLAN, rows, 2 * witnesses(rows), witnessed=True).clean


def test_missing_frame_is_lost(rows):
    found = audit(PLAN, rows[1:], witnesses(rows[1:]), reference=rows, witnessed=True)
    assert kinds(found) == {"lost": 1}
    assert found.lost == ("frame 0 of point 0 on link shapes10 is not recorded",)


def test_lost_frame_that_was_answered_is_said_to_have_been(rows):
    (line,) = audit(PLAN, rows[1:], witnesses(rows)).lost
    assert line.endswith("though it was answered")


def test_frame_that_is_there_twice_is_duplicated(rows):
    found = audit(PLAN, [*rows, rows[3]], witnesses(rows))
    assert kinds(found) == {"duplicated": 1}
    assert "2 times" in found.duplicated[0]


@pytest.mark.parametrize("change", [{"frame": 3}, {"point": 99}, {"link": "nobody"}])
def test_frame_that_was_never_planned_is_unexpected(rows, change):
    stranger = replace(rows[0], **change)
    assert kinds(audit(PLAN, [*rows, stranger])) == {"unexpected": 1}
    assert kinds(audit(PLAN, rows, [record(DECODED, stranger)])) == {"unexpected": 1}


def test_recorded_frame_that_no_receiver_decoded_is_unexpected(rows):
    logs = [each for each in witnesses(rows) if each != record(DECODED, rows[5])]
    assert kinds(audit(PLAN, rows, logs, witnessed=True)) == {"unexpected": 1}
    assert audit(PLAN, rows, logs).clean


@pytest.mark.parametrize(
    "change",
    [
        {"codec": sha256("other")},
        {"images": 99},
        {"answer": b"\0\0"},
        {"score": {"items": 100, "correct": -1}},
        {"score": {"items": 100, "correct": 101}},
        {"score": {"items": 99, "correct": 7}},
        {"score": {"items": 100}},
        {"score": {"items": 100, "psnr": 7}},
    ],
)
def test_frame_that_is_not_as_planned_is_mismatching(rows, change):
    assert kinds(audit(PLAN, [replace(rows[0], **change), *rows[1:]])) == {"mismatching": 1}


def test_class_beyond_the_codec_is_mismatching(rows):
    tasks = {row.codec: Classification(classes=10) for row in rows}
    assert audit(PLAN, rows, tasks=tasks).clean
    beyond = replace(rows[0], answer=b"\x0a\x00" * rows[0].images)
    assert kinds(audit(PLAN, [beyond, *rows[1:]], tasks=tasks)) == {"mismatching": 1}


def test_frame_recorded_twice_and_in_two_ways_is_both(rows):
    found = audit(PLAN, [*rows, replace(rows[0], answer=OTHER)])
    assert kinds(found) == {"duplicated": 1, "mismatching": 1}


@pytest.mark.parametrize("event", [DECODED, ANSWERED])
def test_answer_in_a_log_that_the_ledger_does_not_hold_is_mismatching(rows, event):
    logs = [*witnesses(rows), record(event, rows[0], answer=logged(OTHER))]
    assert kinds(audit(PLAN, rows, logs, witnessed=True)) == {"mismatching": 1}


def test_other_answer_than_that_of_the_undisturbed_run_is_mismatching(rows):
    reference = [replace(rows[0], answer=OTHER), *rows[1:]]
    assert kinds(audit(PLAN, rows, reference=reference)) == {"mismatching": 1}


def test_frames_of_other_runs_are_not_counted(rows):
    stranger = record(DECODED, replace(rows[0], frame=77), run="another")
    assert audit(PLAN, rows, [stranger]).clean
