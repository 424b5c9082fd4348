"""The folder of a live system, RUNS/live/NAME: its address, its token and its logs."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import psutil

from orchestrator.jobs.job_processes import is_process
from orchestrator.plan.folders import RUNS
from orchestrator.results.run_lock import LIVE_FOLDER, LOCK
from semcom.errors import ConfigurationError, StorageError
from semcom.files import open_to_write, read_file, read_text, write_atomically
from semcom.locks import FileLock
from semcom.names import check_name, is_name
from semcom.plain_text import command, option

TOKEN_VARIABLE = "SEMCOM_TOKEN"
MAX_BYTES = 1 << 16  # largest size of live.json and of the token
UP_LOG = "up.log"


@dataclass(frozen=True)
class Found:
    """A running live system; `pid` is None on another machine."""

    name: str
    url: str
    token: str = field(repr=False)
    pid: int | None


class Home:
    """The folder of one live system on this machine."""

    def __init__(self, runs: Path, name: str) -> None:
        """Set the paths; nothing is created yet.

        Raises:
            ConfigurationError: it is not a valid name of a folder.
        """
        self.name = check_name(name, what="the live system")
        self.runs = runs
        self.folder = runs / LIVE_FOLDER / name
        self._lock = FileLock(self.folder / LOCK, folder=self.folder)

    def command(self, word: str) -> str:
        """Return a `semcom` command for this system, to be pasted into a shell."""
        return command("semcom", word, "--name", self.name, *option("--runs", self.runs, RUNS))

    @property
    def logs(self) -> Path:
        """Folder of the logs of its processes."""
        return self.folder / "logs"

    def move_in(self) -> str:
        """Lock the folder for this process; return the token for changes.

        Raises:
            ConfigurationError: a system of that name is running, or SEMCOM_TOKEN is not valid.
            StorageError: the disk cannot be written.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            if not self._lock.acquire():
                raise ConfigurationError(
                    f"live system '{self.name}' is up: {self._lock.holder()} has its folder; "
                    f"choose another --name, or end it with: {self.command('down')}"
                )
            return token_variable() or self._make_token()
        except OSError as error:
            raise StorageError(f"cannot use {self.folder}: {error.strerror}") from error

    def open_log(self) -> BinaryIO:
        """Open the log of a system that is started in the background.

        Raises:
            StorageError: the disk cannot be written.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            return open_to_write(self.logs / UP_LOG, append=False)
        except OSError as error:
            raise StorageError(f"cannot use {self.folder}: {error.strerror}") from error

    def announce(self, url: str) -> None:
        """Write the address, so that commands can find the system.

        Raises:
            StorageError: the disk cannot be written.
        """
        content = {
            "name": self.name,
            "url": url,
            "pid": os.getpid(),
            "started_s": psutil.Process().create_time(),
        }
        try:
            write_atomically(self.folder / "live.json", json.dumps(content).encode())
        except OSError as error:
            raise StorageError(f"cannot write into {self.folder}: {error.strerror}") from error

    def check_place(self) -> None:
        """Check that commands can still find this system.

        Raises:
            StorageError: its folder was deleted or replaced.
        """
        if not self._lock.in_place:
            raise StorageError(
                f"{self.folder} was deleted, moved or replaced while its system was up: it "
                f"cannot be found any more, so it ends"
            )

    def move_out(self) -> None:
        """Note that this process is no longer a live system."""
        if self._lock.in_place:  # otherwise the file belongs to another system
            with contextlib.suppress(OSError):
                (self.folder / "live.json").unlink(missing_ok=True)
        self._lock.release()

    def find(self) -> Found | None:
        """Return the running system; a killed one has left a file but has no process."""
        try:
            content = json.loads(read_file(self.folder / "live.json", max_bytes=MAX_BYTES))
            if not is_process(content["pid"], content["started_s"]):
                return None
            token = token_variable() or _read_token(self.folder)
            return Found(self.name, str(content["url"]), token, int(content["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make_token(self) -> str:
        token = secrets.token_urlsafe(32)
        path = self.folder / "token"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)
        return token


def token_variable() -> str:
    """Return the token from the environment; empty if there is none.

    Raises:
        ConfigurationError: it is not valid in a header; the message does not show it.
    """
    return _checked_token(os.environ.get(TOKEN_VARIABLE, ""), where=TOKEN_VARIABLE)


def find_system(runs: Path, name: str | None) -> Found:
    """Return the live system with a name or URL; without a name, the only one.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    if name is not None and "://" in name:
        return Found(name, name.rstrip("/"), token_variable(), None)
    if name is not None:
        home = Home(runs, check_name(name, what="--name"))
        found = home.find()
        if found is None:
            start = home.command("up")
            raise ConfigurationError(f"no live system '{name}' in {runs}; start one with: {start}")
        return found
    folders = sorted(path.parent.name for path in (runs / LIVE_FOLDER).glob("*/live.json"))
    names = [name for name in folders if is_name(name)]
    systems = [found for name in names if (found := Home(runs, name).find()) is not None]
    if not systems:
        start = command("semcom", "up", *option("--runs", runs, RUNS))
        raise ConfigurationError(f"no live system in {runs}; start one with: {start}")
    if len(systems) > 1:
        there = ", ".join(each.name for each in systems)
        raise ConfigurationError(f"several live systems: {there}; choose one with --name")
    return systems[0]


def _read_token(folder: Path) -> str:
    try:
        text = read_text(folder / "token", max_bytes=MAX_BYTES)
    except OSError:
        return ""
    return _checked_token(text, where=str(folder / "token"))


def _checked_token(text: str, *, where: str) -> str:
    token = text.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise ConfigurationError(f"{where} must hold printable ASCII without spaces")
    return token
