"""Where a live system can be found: RUNS/live/NAME with its address, its token and its logs."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.jobs.locks import FileLock
from orchestrator.jobs.processes import is_process
from orchestrator.settings import RUNS
from semcom.errors import ConfigurationError, StorageError
from semcom.files import write_atomically
from semcom.plain_text import command, option

TOKEN_VARIABLE = "SEMCOM_TOKEN"


@dataclass(frozen=True)
class Found:
    """A live system that runs; `pid` is None where it runs on another machine."""

    name: str
    url: str
    token: str
    pid: int | None


class Home:
    """The folder of one live system on this machine."""

    def __init__(self, runs: Path, name: str) -> None:
        self.name = name
        self.runs = runs
        self.folder = runs / "live" / name
        self._lock = FileLock(self.folder / "lock")

    def command(self, word: str) -> str:
        """A command of `semcom` for this very system, to be pasted into a shell."""
        return command("semcom", word, "--name", self.name, *option("--runs", self.runs, RUNS))

    @property
    def logs(self) -> Path:
        """Folder of the logs of its processes."""
        return self.folder / "logs"

    def move_in(self) -> str:
        """Take the folder for this process; returns the token for changes.

        Raises:
            ConfigurationError: a system of that name runs.
            StorageError: the disk refuses.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            if not self._lock.acquire():
                raise ConfigurationError(
                    f"live system '{self.name}' is up; choose another --name, or end it with: "
                    f"{self.command('down')}"
                )
            return os.environ.get(TOKEN_VARIABLE) or self._make_token()
        except OSError as error:
            raise StorageError(f"cannot use {self.folder}: {error.strerror}") from error

    def announce(self, url: str) -> None:
        """Commands may come now.

        Raises:
            StorageError: the disk refuses.
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

    def move_out(self) -> None:
        """This process is no live system any more."""
        with contextlib.suppress(OSError):
            (self.folder / "live.json").unlink(missing_ok=True)
        self._lock.release()

    def find(self) -> Found | None:
        """The system, if it runs; one that was killed has left a file, but is no process."""
        try:
            content = json.loads((self.folder / "live.json").read_bytes())
            if not is_process(content["pid"], content["started_s"]):
                return None
            token = os.environ.get(TOKEN_VARIABLE) or _read_token(self.folder)
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


def find_system(runs: Path, name: str | None) -> Found:
    """The live system of that name or URL; without a name, the only one there is.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    if name is not None and "://" in name:
        return Found(name, name.rstrip("/"), os.environ.get(TOKEN_VARIABLE, ""), None)
    if name is not None:
        home = Home(runs, name)
        found = home.find()
        if found is None:
            start = home.command("up")
            raise ConfigurationError(f"no live system '{name}' in {runs}; start one with: {start}")
        return found
    folders = sorted(path.parent.name for path in (runs / "live").glob("*/live.json"))
    systems = [found for each in folders if (found := Home(runs, each).find()) is not None]
    if not systems:
        start = command("semcom", "up", *option("--runs", runs, RUNS))
        raise ConfigurationError(f"no live system in {runs}; start one with: {start}")
    if len(systems) > 1:
        names = ", ".join(each.name for each in systems)
        raise ConfigurationError(f"several live systems: {names}; choose one with --name")
    return systems[0]


def _read_token(folder: Path) -> str:
    try:
        return (folder / "token").read_text().strip()
    except OSError:
        return ""
