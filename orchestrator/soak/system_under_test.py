"""The live system of a soak, started, found and stopped as by a user."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from orchestrator.live.client import read_status
from orchestrator.live.live_folder import Home
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario, SystemSettings
from orchestrator.results.run_folder import LEDGER
from semcom.children import start_module
from semcom.errors import AccountingError, SemcomError, StorageError
from semcom.files import read_end

MAX_LOG_BYTES = 1 << 16  # of what is read to say how a sweep ended
DEADLINE_S = 900.0  # of a sweep, and of the system to come up
ORCHESTRATOR = "orchestrator"
NAME = "soak"
COURSE = {"kind": "sine", "mean": 5, "amplitude": 10, "period_s": 30}


def live_scenario(scenario: Scenario) -> LiveScenario:
    """Return a live system with the links and processes of a sweep."""
    links = {
        name: {"dataset": link.dataset, "codec": link.all_codecs[0], "course": COURSE}
        for name, link in scenario.links.items()
    }
    shared = scenario.model_dump(include=set(SystemSettings.model_fields) - {"shards"}, mode="json")
    return LiveScenario.model_validate({**shared, "name": NAME, "mode": "live", "links": links})


class SystemUnderTest:
    """A live system whose orchestrator may be killed and started again."""

    def __init__(self, scenario: Scenario, folder: Path, folders: Folders) -> None:
        self._scenario = scenario
        self._folder = folder
        self._home = Home(folder, NAME)
        self._options = (
            *("--runs", folder, "--data", folders.data, "--codecs", folders.codecs, "--name", NAME),
        )
        self._live = self._write("live", live_scenario(scenario))
        self._system = self._start("up", self._live)

    @property
    def up(self) -> bool:
        """Return whether its orchestrator is running."""
        return self._system.poll() is None

    def ended_within(self, seconds: float) -> bool:
        """Wait for its end for some time; return whether it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self._system.wait(seconds)
        return not self.up

    def start_again(self) -> None:
        """Start it again, and wait for it.

        Raises:
            AccountingError: it does not come up.
        """
        self._system = self._start("up", self._live)
        self.wait_until_up()

    def wait_until_up(self) -> None:
        """Wait until it answers requests.

        Raises:
            AccountingError: it does not come up.
        """
        deadline_s = time.monotonic() + DEADLINE_S
        while self._home.find() is None:
            if not self.up or time.monotonic() > deadline_s:
                raise AccountingError(f"the live system did not start; see {self._folder}")
            time.sleep(0.1)

    def end(self) -> None:
        """Ask it to end, as SIGTERM does.

        Raises:
            AccountingError: it does not end properly.
        """
        self._system.send_signal(signal.SIGTERM)
        if self._system.wait(DEADLINE_S) != 0:
            raise AccountingError(f"the live system ended with {self._system.returncode}")

    def kill(self) -> None:
        """Kill it; its processes then end as well."""
        if self.up:
            self._system.kill()
            self._system.wait()

    def begin_sweep(self, name: str) -> subprocess.Popen[bytes]:
        """Start the command that sweeps in the system, resuming an earlier sweep."""
        path = self._write(name, self._scenario.model_copy(update={"name": name}))
        resume = ["--resume"] if (self._folder / name / LEDGER).exists() else []
        return self._start("sweep", path, "--live", *resume)

    def last_line(self, name: str) -> str:
        """Return the last line of a sweep's command."""
        text = read_end(self._folder / f"{name}.log", max_bytes=MAX_LOG_BYTES)
        return (text.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]

    def accounts(self) -> list[dict[str, Any]]:
        """Return the rows of its links.

        None if it does not answer, for example while it is stopped.
        """
        found = self._home.find()
        with suppress(SemcomError):
            return list(read_status(found)["links"]) if found is not None else []
        return []

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """Return the orchestrator and its processes by name."""
        with suppress(psutil.Error):
            parent = psutil.Process(self._system.pid)
            yield ORCHESTRATOR, parent
            for child in parent.children():
                with suppress(psutil.Error):
                    arguments = child.cmdline()
                    if "--id" in arguments:
                        yield arguments[arguments.index("--id") + 1], child

    def _write(self, name: str, scenario: SystemSettings) -> Path:
        path = self._folder / f"{name}.yaml"
        try:
            path.write_text(yaml.safe_dump(scenario.model_dump(mode="json", exclude_none=True)))
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        return path

    def _start(self, command: str, path: Path, *options: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{path.stem}.log").open("ab") as output:
            return start_module(
                "orchestrator",
                *(command, path, *options, *self._options),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
