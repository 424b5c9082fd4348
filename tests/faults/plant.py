"""A sweep to be disturbed in its middle, with proxies between its processes where one is wanted.

Its processes are the shipped ones. Behind proxies they are started one by one and dial in, because
who dials must be told another address than who binds.
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

import yaml

from orchestrator.audit import audit
from orchestrator.ledger import FrameRow, Ledger
from semcom.sockets import free_ports
from tests.faults.proxy import FaultPlan, Proxy
from tests.integration.harness import (
    DEADLINE_S,
    Run,
    results_digest,
    start_held_sweep,
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


def rows_of(folder: Path) -> list[FrameRow]:
    """What a ledger holds."""
    ledger = Ledger(folder / "ledger.sqlite")
    try:
        return list(ledger.rows())
    finally:
        ledger.close()


def logs_of(folder: Path) -> Iterator[dict[str, object]]:
    """Every record of every process of a run."""
    for path in sorted((folder / "logs").glob("*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def check(folder: Path, undisturbed: list[FrameRow]) -> None:
    """The one checker: nothing lost, duplicated, unexpected or answered in another way."""
    ledger = Ledger(folder / "ledger.sqlite")
    try:
        rows, plan, digest = list(ledger.rows()), ledger.plan, ledger.results_digest()
    finally:
        ledger.close()
    found = audit(plan, rows, logs_of(folder), reference=undisturbed, witnessed=True)
    assert found.clean, str(found)
    assert results_digest(folder) == digest
    answers = [(row.point, row.link, row.frame, row.codec, row.predictions) for row in rows]
    assert answers == [(r.point, r.link, r.frame, r.codec, r.predictions) for r in undisturbed]


def launched(
    folder: Path, workplace: Path, *options: str, ports: dict[str, int] | None = None
) -> Run:
    """A sweep that starts its own processes; it stands still in its middle."""
    scenario = write_scenario(folder / "s.yaml", **SWEEP, ports=ports or {})
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
def proxied(
    folder: Path, workplace: Path, plans: dict[str, FaultPlan]
) -> Iterator[tuple[Run, dict[str, Proxy]]]:
    """A sweep in its middle whose processes dial through proxies, on the lines that have a plan."""
    ports = dict(zip(LINES, free_ports(len(LINES)), strict=True))
    direct = {line: f"tcp://127.0.0.1:{port}" for line, port in ports.items()}
    scenario = write_scenario(folder / "s.yaml", **SWEEP, ports={"control": ports["control"]})
    with ExitStack() as stack:
        proxies = {
            line: stack.enter_context(Proxy(ports[line], plan, name=line))
            for line, plan in plans.items()
        }
        dialled = direct | {line: proxy.address for line, proxy in proxies.items()}
        config = folder / "processes.yaml"
        config.write_text(yaml.safe_dump(_sections(direct, dialled, workplace)))
        run = start_held_sweep(
            scenario, folder / "run", "--no-launch", workplace=workplace, link=LINK, frames=HELD
        )
        (folder / "run" / "logs").mkdir(parents=True)
        for role, peer in (
            ("channel", "channel"),
            ("receiver", "receiver-1"),
            ("transmitter", "shapes10"),
            ("transmitter", "shapes100"),
        ):
            stack.enter_context(_process(role, peer, config, folder / "run" / "logs"))
        run.wait_recorded(EARLY, LINK)
        yield run, proxies


def _sections(
    direct: dict[str, str], dialled: dict[str, str], workplace: Path
) -> dict[str, dict[str, object]]:
    codecs = {"codec_dir": str(workplace / "codecs"), "log_frames": True}
    return {
        "transmitter": {
            "control": dialled["control"],
            "uplink": dialled["uplink"],
            "data_dir": str(workplace / "data"),
            **codecs,
        },
        "channel": direct | {"control": dialled["control"]},
        "receiver": {
            "control": dialled["control"],
            "downlink": dialled["downlink"],
            **codecs,
        },
    }


@contextmanager
def _process(role: str, peer: str, config: Path, logs: Path) -> Iterator[None]:
    command = [sys.executable, "-m", PACKAGES[role], "--config", str(config), "--id", peer]
    with (logs / f"{peer}.jsonl").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.send_signal(signal.SIGCONT)
        process.wait(timeout=DEADLINE_S)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that is stopped meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
