"""Tables of the files of a run: columns of its ledger and of `results.csv`, with their meanings.

The columns come from the code; a column without a meaning here is an error.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from orchestrator.results.frame_table import CLASSIFIED, SCORED
from orchestrator.results.ledger import DOUBTS, PLAN, SEALS
from orchestrator.results.ledger_plan import CLASSES, TASKS
from orchestrator.results.origins import COMPUTED, ORIGINS
from orchestrator.results.summary import EFFORT, PLACE
from semcom.tasks.columns import columns
from semcom.tasks.registry import our_tasks

FRAMES = {
    "point": "index of the point in the plan",
    "link": "the link's name",
    "frame": "index of the frame within the point",
    "images": "items in the frame",
    "correct": "items answered with their label (runs that only classify)",
    "predictions": "the classes answered, uint16 little-endian (runs that only classify)",
    "score": "sums of the task's score, JSON (other runs)",
    "answer": "the part of the answer that the task keeps, such as a SHA-256 (other runs)",
    "codec": "digest of the codec",
    "attempts": "how often the frame was sent",
    "encode_ms": "duration of the encoding",
    "channel_ms": "time in the channel's computation",
    "batch_wait_ms": "time from arrival at the receiver to the start of its forward pass",
    "decode_ms": "duration of the forward pass",
    "round_trip_ms": "time from the first transmission to the answer",
}
TABLES = {
    "plan": "the plan and its digest; one row",
    "frames": "one row per frame, see below",
    "classes": "number of classes of each codec (earlier versions)",
    "tasks": "task of each codec, JSON",
    "origins": "the hosts that computed answers, and their rounding, JSON",
    "computed": "which frames each host computed: `first` to `stop` - 1 of a link at a point",
    "doubts": "why answers of this ledger may be wrong; such a run cannot be resumed",
    "seals": "digests that are written when the run is complete",
}
RESULTS = {
    "link": "the link's name",
    "dataset": "the data set's name",
    "system": "system in the codec's manifest: `rkd-sc`, `jscc-student`, ...",
    "channel": "the channel model with its settings",
    "snr_db": "Es/N0 per complex symbol, dB",
    "seed": "seed of the channel",
    "images": "items sent",
    "round_trip_p50_ms": "median of the frames' round trips",
    "round_trip_p99_ms": "99th percentile of the frames' round trips",
    "encode_ms": "median duration of the encoding of a frame",
    "channel_ms": "median time of a frame in the channel's computation",
    "decode_ms": "median duration of a forward pass",
    "retransmissions": "frames sent again",
    "codec": "the codec's name",
}


def ledger_tables() -> Iterator[tuple[str, str, str]]:
    """Every table of a ledger with its columns and what it holds."""
    database = sqlite3.connect(":memory:")
    for statement in (PLAN, CLASSIFIED.create, CLASSES, TASKS, ORIGINS, COMPUTED, DOUBTS, SEALS):
        database.execute(statement)
    names = [str(name) for (name,) in database.execute("SELECT name FROM sqlite_master")]
    for name in names:
        if name in TABLES:
            found = database.execute(f"PRAGMA table_info({name})")
            listed = ", ".join(f"`{column[1]}`" for column in found)
            yield f"`{name}`", listed, TABLES[name]
    database.close()


def frame_columns() -> Iterator[tuple[str, str, str]]:
    """Every column of the table `frames`, of both layouts."""
    types: dict[str, str] = {}
    for layout in (CLASSIFIED, SCORED):
        database = sqlite3.connect(":memory:")
        database.execute(layout.create)
        for column in database.execute("PRAGMA table_info(frames)"):
            types[str(column[1])] = str(column[2])
        database.close()
    assert types.keys() == FRAMES.keys()
    return ((f"`{name}`", types[name], meaning) for name, meaning in FRAMES.items())


def result_columns() -> Iterator[tuple[str, str]]:
    """Every column of `results.csv` that does not depend on a task."""
    assert {*PLACE, *EFFORT} == RESULTS.keys()
    return ((f"`{name}`", meaning) for name, meaning in RESULTS.items())


def task_columns() -> Iterator[tuple[str, str]]:
    """The columns that each of our tasks adds to `results.csv`."""
    for task in our_tasks():
        kind = task.model_fields["kind"].default
        yield f"`{kind}`", ", ".join(f"`{name}`" for name in columns(task))
