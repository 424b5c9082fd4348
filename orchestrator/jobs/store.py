"""The store of jobs: one row per job, in SQLite; every change is one transaction.

    queued -> running -> done | failed | cancelled
       ^         |                  |        |
       +---------+ died, restarted  |        |
       +----------------------------+--------+ restarted by hand

Commands write requests (a new job, `cancel_asked`); the supervisor writes their results.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from semcom.errors import ConfigurationError, StorageError
from semcom.plain_text import command

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
VERSION = 1
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, dataset TEXT NOT NULL, arguments TEXT NOT NULL,
    nproc INTEGER NOT NULL, priority INTEGER NOT NULL,
    work TEXT NOT NULL, codecs TEXT NOT NULL, cwd TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued', cancel_asked INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, restarts INTEGER NOT NULL DEFAULT 0,
    submitted_s REAL NOT NULL, started_s REAL, finished_s REAL,
    pid INTEGER, pid_started_s REAL,
    exit_code INTEGER, error TEXT, digest TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS one_active_of_a_name
    ON jobs (name) WHERE state IN ('queued', 'running');
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state);
PRAGMA user_version={VERSION};
"""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A submitted job. Paths are as given, relative to `cwd`."""

    name: str
    dataset: str
    arguments: tuple[str, ...]  # arguments of the training command except --progress
    nproc: int = 1
    priority: int = 0
    work: str = "training"
    codecs: str = "codecs"
    cwd: str = "."


@dataclass(frozen=True, kw_only=True)
class Job(Submission):
    """A row of the store. Times are Unix times."""

    id: int
    state: State = "queued"
    cancel_asked: bool = False
    attempts: int = 0  # total number of starts
    restarts: int = 0  # number of crashes since it was submitted or restarted by hand
    submitted_s: float = 0.0
    started_s: float | None = None
    finished_s: float | None = None
    pid: int | None = None
    pid_started_s: float | None = None
    exit_code: int | None = None
    error: str | None = None
    digest: str | None = None  # of its codec

    @property
    def makes_codec(self) -> bool:
        """Return whether it produces a codec: with `--until STAGE` it does not."""
        return not any(word.partition("=")[0] == "--until" for word in self.arguments)

    @property
    def turn(self) -> tuple[int, int]:
        """Return the key by which the queue is ordered."""
        return -self.priority, self.id

    @property
    def ended(self) -> bool:
        """Return whether it has ended."""
        return self.state not in ("queued", "running")


COLUMNS = ", ".join(field.name for field in fields(Job))


class JobStore:
    """All jobs of one work folder."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Open the store.

        Raises:
            ConfigurationError: there is none, or it has another version.
            StorageError: the disk cannot be written.
        """
        if not create and not path.exists():
            raise ConfigurationError(f"no jobs at {path.parent}; submit one or name its --work")
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {path.parent}: {error.strerror}") from error
        with self._storage_errors():
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def submit(self, wanted: Submission, now_s: float) -> int:
        """Store a job; returns its id.

        Raises:
            ConfigurationError: a job of that name is queued or running.
        """
        values = {field.name: getattr(wanted, field.name) for field in fields(Submission)}
        values |= {"arguments": json.dumps(wanted.arguments), "submitted_s": now_s}
        names = ", ".join(values)
        slots = ", ".join("?" * len(values))
        with self._one_of_a_name(wanted.name):
            cursor = self._database.execute(
                f"INSERT INTO jobs ({names}) VALUES ({slots})", tuple(values.values())
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def job(self, job_id: int) -> Job:
        """Return a job.

        Raises:
            ConfigurationError: there is none with that id.
        """
        found = self._select("WHERE id=?", job_id)
        if not found:
            shown_by = command("semcom", "jobs", "list", "--work", self.path.parent.parent)
            raise ConfigurationError(f"no job {job_id}; list the jobs with: {shown_by}")
        return found[0]

    def jobs(self) -> list[Job]:
        """Return all jobs by id."""
        return self._select("ORDER BY id")

    def active(self) -> list[Job]:
        """Return jobs that are queued or running, by id."""
        return self._select("WHERE state IN ('queued', 'running') ORDER BY id")

    def counts(self) -> dict[State, int]:
        """Return how many jobs there are in every state."""
        with self._storage_errors():
            rows = self._database.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state")
            found = dict(rows.fetchall())
        return {state: found.get(state, 0) for state in STATES}

    def start(self, job_id: int, now_s: float) -> Job | None:
        """Start an attempt of a queued job; return None if it is no longer queued."""
        changed = self._update(
            "state='running', attempts=attempts+1, pid=NULL, pid_started_s=NULL, "
            "started_s=COALESCE(started_s, ?) WHERE id=? AND state='queued' AND cancel_asked=0",
            (now_s, job_id),
        )
        return self.job(job_id) if changed else None

    def set_process(self, job_id: int, pid: int, started_s: float) -> None:
        """Record the process of a job."""
        self._update("pid=?, pid_started_s=? WHERE id=?", (pid, started_s, job_id))

    def requeue(self, job_id: int, *, restarts: int) -> None:
        """Queue a running job again."""
        self._update(
            "state='queued', pid=NULL, pid_started_s=NULL, restarts=? "
            "WHERE id=? AND state='running'",
            (restarts, job_id),
        )

    def finish(
        self,
        job_id: int,
        state: State,
        *,
        now_s: float,
        exit_code: int | None,
        error: str | None = None,
        digest: str | None = None,
    ) -> None:
        """Record the end of a job."""
        self._update(
            "state=?, finished_s=?, exit_code=?, error=?, digest=?, pid=NULL, pid_started_s=NULL "
            "WHERE id=? AND state IN ('queued', 'running')",
            (state, now_s, exit_code, error, digest, job_id),
        )

    def cancel(self, job_id: int, now_s: float) -> Job:
        """Cancel a queued job; mark a running one so that the supervisor stops it.

        Raises:
            ConfigurationError: no such job, or it has ended.
        """
        with self._transaction():
            changed = self._update(
                "cancel_asked=1, finished_s=CASE state WHEN 'queued' THEN ? END, "
                "state=CASE state WHEN 'queued' THEN 'cancelled' ELSE state END "
                "WHERE id=? AND state IN ('queued', 'running')",
                (now_s, job_id),
            )
            job = self.job(job_id)
        if not changed:
            raise ConfigurationError(f"job {job_id} is {job.state}; there is nothing to cancel")
        return job

    def restart(self, job_id: int) -> Job:
        """Queue a failed or cancelled job again; it resumes from its last checkpoint.

        Raises:
            ConfigurationError: no such job, or it is queued, running or done.
        """
        name = self.job(job_id).name
        with self._one_of_a_name(name):
            changed = self._update(
                "state='queued', cancel_asked=0, restarts=0, started_s=NULL, finished_s=NULL, "
                "exit_code=NULL, error=NULL WHERE id=? AND state IN ('failed', 'cancelled')",
                (job_id,),
            )
        job = self.job(job_id)
        if not changed:
            raise ConfigurationError(f"job {job_id} is {job.state}; only failed or "
                                     "cancelled jobs can be restarted")  # fmt: skip
        return job

    def close(self) -> None:
        """Close the file; the write-ahead log is merged into it."""
        self._database.close()

    def _prepare(self) -> None:
        with self._storage_errors():
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, VERSION):
                raise ConfigurationError(
                    f"{self.path} is of version {version}, this program reads {VERSION}; "
                    f"name another --work"
                )
            if version == 0:
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.executescript(SCHEMA)
            self._database.execute("PRAGMA synchronous=FULL")

    def _select(self, condition: str, *values: object) -> list[Job]:
        with self._storage_errors():
            rows = self._database.execute(f"SELECT {COLUMNS} FROM jobs {condition}", values)
            return [_job(row) for row in rows.fetchall()]

    def _update(self, change: str, values: tuple[object, ...]) -> bool:
        with self._storage_errors():
            return self._database.execute(f"UPDATE jobs SET {change}", values).rowcount == 1

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._storage_errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._database.in_transaction:  # a full disk has already ended it
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _one_of_a_name(self, name: str) -> Iterator[None]:
        try:
            with self._storage_errors():
                yield
        except sqlite3.IntegrityError as error:
            raise ConfigurationError(
                f"a job named {name} is queued or running; cancel it or choose another --name"
            ) from error

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            raise StorageError(f"job store {self.path}: {error}; free the disk") from error


def _job(row: tuple[Any, ...]) -> Job:
    values = dict(zip((field.name for field in fields(Job)), row, strict=True))
    values["arguments"] = tuple(json.loads(values["arguments"]))
    values["cancel_asked"] = bool(values["cancel_asked"])
    return Job(**values)
