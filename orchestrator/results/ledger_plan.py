"""The plan of a ledger, and the task of each of its codecs.

Their tables are read with care, because they may have been altered.
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

# Created when first needed; older ledgers do not have them.
CLASSES = "CREATE TABLE IF NOT EXISTS classes (codec TEXT PRIMARY KEY, classes INTEGER NOT NULL)"
TASKS = "CREATE TABLE IF NOT EXISTS tasks (codec TEXT PRIMARY KEY, task TEXT NOT NULL)"
MAX_CLASSES = 65_536  # that fit into two bytes


def small_table(database: sqlite3.Connection, table: str, columns: str) -> list[tuple[object, ...]]:
    """Return all rows of a small table; none if the table does not exist."""
    known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    if database.execute(known, (table,)).fetchone() is None:
        return []
    return database.execute(f"SELECT {columns} FROM {table}").fetchall()


def check_tables(database: sqlite3.Connection, path: Path) -> None:
    """Check that there are only tables: a view or a trigger could compute anything, without end.

    Raises:
        AccountingError: there is something else.
    """
    for kind, made in database.execute("SELECT type, sql FROM sqlite_master"):
        plain = kind == "index" or (kind == "table" and str(made).startswith("CREATE TABLE "))
        if not plain:
            found = one_line(str(kind), 20)
            raise AccountingError(f"{path} contains an SQLite {found}: it was altered")


def hold_plan(database: sqlite3.Connection, path: Path, plan: Plan | None) -> Plan:
    """Return the plan of a ledger; a new ledger gets `plan`.

    Raises:
        AccountingError: it was altered.
        ConfigurationError: there is none, or it differs from `plan`.
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
        raise AccountingError(f"{path}: the plan was altered after the run was created")
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

    For a codec that classifies, the number of classes is stored; for others, the whole task.

    Raises:
        AccountingError: the content was altered, or a task is not installed here.
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
    """Return the plan from its JSON, checked so that its frames can be counted."""
    try:
        parsed = json.loads(content) if isinstance(content, str) else None
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise StorageError(f"ledger {path} holds no readable plan: it is damaged")
    plan = validate(Plan, parsed, where=str(path))
    countable = 1 <= plan.frame_images <= MAX_FRAME_IMAGES and plan.points and plan.links
    if not countable or not all(link.codecs for link in plan.links.values()):
        raise AccountingError(f"{path}: its plan was altered: it cannot be executed")
    return plan
