"""A plant whose processes live through many sweeps, with a proxy on every line between them.

Its processes are the shipped ones, started one by one; they dial through the proxies, because who
dials must be told another address than who binds. Each test sweeps with them: one sweep that waits
in its middle until the fault is there. What dies is started again, as an init system would.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from orchestrator.results.ledger import FrameRow, Ledger
from orchestrator.soak.audit import audit
from semcom.sockets import free_ports
from tests.faults.proxy import FaultPlan, Proxy
from tests.forking import Popen
from tests.integration.harness import (
    DEADLINE_S,
    Run,
    results_digest,
    start_held_sweep,
    start_sweep,
    write_scenario,
)

LINK = "shapes10"
SWEEP: dict[str, object] = {
    "images": 150,
    "frame_images": 5,
    "snr_db": [-5, 5, 15],
    "log_frames": True,
}
LINK_FRAMES = 6 * 30
EARLY, HELD = LINK_FRAMES // 5, 2 * LINK_FRAMES // 5  # more than two points before the end
PACKAGES = {"transmitter": "transmitters", "channel": "channel_sim", "receiver": "receiver"}
LINES = ("uplink", "downlink", "control")
RECEIVERS = ("receiver-1", "receiver-2")
PEERS = {
    "channel": "channel",
    **dict.fromkeys(RECEIVERS, "receiver"),
    "shapes10": "transmitter",
    "shapes100": "transmitter",
}


class Plant:
    """Channel, two receivers, two transmitters, and the proxies that they dial through."""

    def __init__(self, folder: Path, workplace: Path) -> None:
        self.ports = dict(zip(LINES, free_ports(len(LINES)), strict=True))
        self.proxies = {line: Proxy(port, name=line) for line, port in self.ports.items()}
        self._folder = folder
        self._workplace = workplace
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True)
        for proxy in self.proxies.values():
            self._stack.enter_context(proxy)
        self._config.write_text(yaml.safe_dump(self._sections()))
        for peer in PEERS:
            self._start(peer)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _value: object, _trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.terminate()
            process.send_signal(signal.SIGCONT)
        for process in self._processes.values():
            process.wait(timeout=DEADLINE_S)
        self._stack.close()

    @property
    def logs(self) -> Path:
        """Where the processes log."""
        return self._folder / "logs"

    @contextmanager
    def sweep(self, folder: Path) -> Iterator[Run]:
        """A sweep that stands still in its middle; afterwards the lines are calm again."""
        scenario = write_scenario(
            folder / "s.yaml", **SWEEP, ports={"control": self.ports["control"]}
        )
        run = start_held_sweep(
            scenario,
            folder / "run",
            "--no-launch",
            workplace=self._workplace,
            link=LINK,
            frames=HELD,
        )
        try:
            run.wait_recorded(EARLY, LINK)
            assert run.recorded(LINK) < LINK_FRAMES
            yield run
        finally:
            for proxy in self.proxies.values():
                proxy.end()

    def resume(self, run: Run) -> None:
        """Finish a sweep whose orchestrator is gone."""
        scenario = run.folder.with_name("s.yaml")
        options = ("--no-launch", "--resume")
        start_sweep(scenario, run.folder, *options, workplace=self._workplace).finish()

    def pid(self, peer: str) -> int:
        """The process id of a peer; it runs."""
        process = self._processes[peer]
        assert process.poll() is None, f"{peer} ended with {process.returncode}"
        return process.pid

    def kill(self, peer: str) -> None:
        """kill -9, and start it again."""
        os.kill(self.pid(peer), signal.SIGKILL)
        self._processes[peer].wait(timeout=DEADLINE_S)
        self._start(peer)

    def check(self, folder: Path, undisturbed: list[FrameRow]) -> None:
        """Nothing is lost, duplicated, unexpected or answered in another way; everybody lives."""
        check(folder, self.logs, undisturbed)
        for peer in PEERS:
            self.pid(peer)

    @property
    def _config(self) -> Path:
        return self._folder / "processes.yaml"

    def _sections(self) -> dict[str, dict[str, object]]:
        dialled = {line: proxy.address for line, proxy in self.proxies.items()}
        common = {"control": dialled["control"], "parent_pid": os.getpid()}
        codecs = {"codec_dir": str(self._workplace / "codecs"), "log_frames": True}
        return {
            "transmitter": {
                **common,
                **codecs,
                "uplink": dialled["uplink"],
                "engine": "onnxruntime",
                "data_dir": str(self._workplace / "data"),
            },
            "channel": {
                **common,
                "uplink": f"tcp://127.0.0.1:{self.ports['uplink']}",
                "downlink": f"tcp://127.0.0.1:{self.ports['downlink']}",
            },
            "receiver": {
                **common,
                **codecs,
                "downlink": dialled["downlink"],
                "engine": "onnxruntime",
            },
        }

    def _start(self, peer: str) -> None:
        package = PACKAGES[PEERS[peer]]
        command = [sys.executable, "-m", package, "--config", str(self._config), "--id", peer]
        with (self.logs / f"{peer}.jsonl").open("ab") as log:
            self._processes[peer] = Popen(command, stdout=log, stderr=log)


def harm(plant: Plant, plan: FaultPlan) -> None:
    """Every line does harm by a plan from now on."""
    for proxy in plant.proxies.values():
        proxy.begin(plan)


def launched(folder: Path, workplace: Path, *options: str) -> Run:
    """A sweep that starts its own processes; it stands still in its middle."""
    scenario = write_scenario(folder / "s.yaml", **SWEEP)
    run = start_held_sweep(
        scenario, folder / "run", *options, workplace=workplace, link=LINK, frames=HELD
    )
    run.wait_recorded(EARLY, LINK)
    assert run.recorded(LINK) < LINK_FRAMES
    return run


def let_go(run: Run) -> None:
    """A sweep that stands still goes on."""
    assert run.process.stdin is not None
    run.process.stdin.close()
    run.process.stdin = None


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that is stopped meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def rows_of(folder: Path) -> list[FrameRow]:
    """What a ledger holds."""
    ledger = Ledger(folder / "ledger.sqlite")
    try:
        return list(ledger.rows())
    finally:
        ledger.close()


def logs_of(folder: Path) -> Iterator[dict[str, object]]:
    """Every record of every process; what a kill cut short is skipped."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("{") and line.endswith("}"):
                yield json.loads(line)


def check(folder: Path, logs: Path, undisturbed: list[FrameRow]) -> None:
    """The one checker: nothing lost, duplicated, unexpected or answered in another way."""
    ledger = Ledger(folder / "ledger.sqlite")
    try:
        rows, plan, digest = list(ledger.rows()), ledger.plan, ledger.results_digest()
        tasks = ledger.tasks
    finally:
        ledger.close()
    found = audit(plan, rows, logs_of(logs), reference=undisturbed, witnessed=True, tasks=tasks)
    assert found.clean, str(found)
    assert results_digest(folder) == digest
    answers = [(row.point, row.link, row.frame, row.codec, row.answer) for row in rows]
    assert answers == [(r.point, r.link, r.frame, r.codec, r.answer) for r in undisturbed]
