"""What a ledger was made for: its plan, and the task of each codec of it.

The tables that hold them are read as somebody may have altered them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from orchestrator.plan.plan import Plan
from semcom.errors import AccountingError, ConfigurationError, StorageError, one_line
from semcom.frame_messages import MAX_FRAME_IMAGES
from semcom.settings import validate
from semcom.tasks.classification import Classification
from semcom.tasks.registry import task_of
from semcom.tasks.task import Task

# Made when there is something to put into it; earlier ledgers have none.
CLASSES = "CREATE TABLE IF NOT EXISTS classes (codec TEXT PRIMARY KEY, classes INTEGER NOT NULL)"
TASKS = "CREATE TABLE IF NOT EXISTS tasks (codec TEXT PRIMARY KEY, task TEXT NOT NULL)"
MAX_CLASSES = 65_536  # that two bytes can say


def small_table(database: sqlite3.Connection, table: str, columns: str) -> list[tuple[object, ...]]:
    """Return all rows of a table that has few; none where there is no such table."""
    known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    if database.execute(known, (table,)).fetchone() is None:
        return []
    return database.execute(f"SELECT {columns} FROM {table}").fetchall()


def check_tables(database: sqlite3.Connection, path: Path) -> None:
    """See that tables are tables: a view or a trigger could compute anything, for ever.

    Raises:
        AccountingError: something else stands there.
    """
    for kind, made in database.execute("SELECT type, sql FROM sqlite_master"):
        plain = kind == "index" or (kind == "table" and str(made).startswith("CREATE TABLE "))
        if not plain:
            found = one_line(str(kind), 20)
            raise AccountingError(f"{path} holds a {found} of SQLite's: it was altered")


def hold_plan(database: sqlite3.Connection, path: Path, plan: Plan | None) -> Plan:
    """Return the plan that a ledger holds; a new ledger is given `plan`.

    Raises:
        AccountingError: it was altered.
        ConfigurationError: there is none, or it is another one than `plan`.
        StorageError: it cannot be read.
    """
    row = next(iter(small_table(database, "plan", "digest, content")), None)
    if row is None:
        if plan is None:
            raise ConfigurationError(f"{path} is not a ledger: it holds no plan")
        values = (plan.digest, plan.model_dump_json())
        database.execute("INSERT INTO plan VALUES (1,?,?)", values)
        return plan
    held = _parsed(row[1], path)
    if held.digest != row[0]:
        raise AccountingError(f"{path}: the plan was altered after the run was made")
    if plan is not None and plan.digest != held.digest:
        raise ConfigurationError(
            f"{path} belongs to another plan (scenario, data set or codec changed); "
            f"resume with the old ones, or choose another --out"
        )
    return held


def hold_tasks(
    database: sqlite3.Connection, path: Path, new: Mapping[str, Task]
) -> dict[str, Task]:
    """Return the task of each codec by its digest; `new` ones are added.

    Of a codec that classifies the number of classes is held, as ever; of others the whole task.

    Raises:
        AccountingError: what is held was altered, or is a task that is not installed here.
    """
    held: dict[str, Task] = {**_held_classes(database, path), **_held_tasks(database, path)}
    added = {codec: task for codec, task in new.items() if codec not in held}
    for codec, task in added.items():
        if isinstance(task, Classification):
            database.execute(CLASSES)
            database.execute("INSERT INTO classes VALUES (?,?)", (codec, task.classes))
        else:
            database.execute(TASKS)
            database.execute("INSERT INTO tasks VALUES (?,?)", (codec, task.model_dump_json()))
    return held | added


def _held_classes(database: sqlite3.Connection, path: Path) -> dict[str, Task]:
    held: dict[str, Task] = {}
    for codec, count in small_table(database, "classes", "codec, classes"):
        if not (isinstance(codec, str) and type(count) is int and 2 <= count <= MAX_CLASSES):
            raise AccountingError(f"{path}: the number of classes of a codec was altered")
        held[codec] = Classification(classes=count)
    return held


def _held_tasks(database: sqlite3.Connection, path: Path) -> dict[str, Task]:
    held: dict[str, Task] = {}
    for codec, content in small_table(database, "tasks", "codec, task"):
        try:
            held[str(codec)] = task_of(json.loads(str(content)))
        except (ValueError, RecursionError) as error:
            reason = one_line(str(error), 200)
            raise AccountingError(
                f"{path}: the task of a codec cannot be read: {reason}"
            ) from error
    return held


def _parsed(content: object, path: Path) -> Plan:
    """The plan that a text describes, if frames can be counted by it."""
    try:
        parsed = json.loads(content) if isinstance(content, str) else None
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise StorageError(f"ledger {path} holds no plan that can be read: it is damaged")
    plan = validate(Plan, parsed, where=str(path))
    countable = 1 <= plan.frame_images <= MAX_FRAME_IMAGES and plan.points and plan.links
    if not countable or not all(link.codecs for link in plan.links.values()):
        raise AccountingError(f"{path}: its plan was altered: no frame can be sent by it")
    return plan
