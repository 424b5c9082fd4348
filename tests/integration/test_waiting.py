"""Processes that wait say for whom, and end where waiting cannot help."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from semcom.sockets import free_ports
from tests.integration.by_hand import Starter, write_process_file
from tests.integration.harness import (
    DEADLINE_S,
    REPO,
    command,
    eventually,
    results_digest,
    write_scenario,
)
from tests.semcom.keyring import key_folder

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

CASES = REPO.parent / "shared" / "cases" / "scenarios"
TINY: dict[str, object] = {
    "links": {"a": {"dataset": "shapes10", "codec": "shapes10"}},
    "channels": [{"model": "awgn"}],
    "snr_db": [0],
    "images": 10,
    "frame_images": 10,
}


def logged(log: Path) -> list[dict[str, Any]]:
    """What a process has logged."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def waits(log: Path) -> list[str]:
    """For whom it has said to wait."""
    return [line["event"] for line in logged(log) if line["event"].startswith("waiting for")]


def end(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    return process.wait(DEADLINE_S)


def test_a_process_says_what_it_cannot_resolve_and_whom_it_cannot_reach(
    start_by_hand: Starter, workplace: Path, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    nowhere = {"control": "tcp://no-such-host.invalid:5550", "uplink": f"tcp://127.0.0.1:{port}"}
    config, _ = write_process_file(tmp_path / "p.yaml", workplace, transmitter=nowhere)
    process = start_by_hand("transmitters", "shapes10", config)
    log = tmp_path / "shapes10.log"
    eventually(lambda: len(set(waits(log))) >= 2, "a line for each of both")
    said = " ".join(waits(log))
    unresolved = "waiting for the orchestrator, control tcp://no-such-host.invalid:5550: the name "
    assert f"{unresolved}no-such-host.invalid does not resolve" in said
    assert f"the channel, uplink tcp://127.0.0.1:{port}: no process listens there" in said
    assert end(process) == 0
    assert "SIGTERM: finishing" in log.read_text()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"control": "tcp://*:5550"}, "cannot connect control to tcp://*:5550: * and port 0 are"),
        ({"control": "tcp://127.0.0.1:0"}, "cannot connect control to tcp://127.0.0.1:0"),
        ({"uplink": "tcp://eth99:5551"}, "cannot bind uplink to tcp://eth99:5551: that is neither"),
        (
            {"downlink": "tcp://no-such-host.invalid:5552"},
            "neither an interface nor an address of this",
        ),
    ],
)
def test_where_waiting_cannot_help_a_process_ends_with_2(
    changes: dict[str, object],
    words: str,
    start_by_hand: Starter,
    workplace: Path,
    tmp_path: Path,
) -> None:
    config, _ = write_process_file(tmp_path / "p.yaml", workplace, channel=changes)
    assert start_by_hand("channel_sim", "channel", config).wait(DEADLINE_S) == 2
    (error,) = [each for each in logged(tmp_path / "channel.log") if each["level"] == "error"]
    assert words in error["event"]
    assert "Traceback" not in (tmp_path / "channel.log").read_text()


def test_a_peer_that_is_authorised_as_another_is_told_and_ends_with_4(
    start_by_hand: Starter, workplace: Path, tmp_path: Path
) -> None:
    """Its own file says receiver; the one that the channel has says transmitter."""
    hub = key_folder(tmp_path / "hub")
    shutil.copytree(hub, tmp_path / "peer")
    authorised = hub / "authorized" / "receiver-1.yaml"
    content = {**yaml.safe_load(authorised.read_text()), "role": "transmitter"}
    authorised.write_text(yaml.safe_dump(content))
    config, _ = write_process_file(
        tmp_path / "p.yaml",
        workplace,
        channel={"security": {"keys": str(hub)}, "control": None},
        receiver={
            "security": {"keys": str(tmp_path / "peer")},
            "control": None,
        },
    )
    start_by_hand("channel_sim", "channel", config)
    assert start_by_hand("receiver", "receiver-1", config).wait(DEADLINE_S) == 4
    (error,) = [each for each in logged(tmp_path / "receiver-1.log") if each["level"] == "error"]
    assert "Hello of receiver receiver-1 with the key of transmitter receiver-1" in error["event"]


@pytest.mark.parametrize("host", ["*", "lo"])
def test_a_sweep_listens_where_its_scenario_says(
    host: str, workplace: Path, tmp_path: Path
) -> None:
    """The processes that it starts here dial an address that can be dialled."""
    here = write_scenario(tmp_path / "s.yaml", **TINY, name="here", ports={"host": host})
    code, printed = command("sweep", here, "--out", tmp_path / "run", "--no-report", cwd=workplace)
    assert code == 0, printed
    plain = write_scenario(tmp_path / "plain.yaml", **TINY, name="here")
    if host == "*":
        code, printed = command(
            "sweep", plain, "--out", tmp_path / "plain", "--no-report", cwd=workplace
        )
        assert results_digest(tmp_path / "run") == results_digest(tmp_path / "plain"), printed


def test_a_host_that_is_not_here_is_one_line_and_exit_code_2(
    workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(
        tmp_path / "s.yaml", **TINY, ports={"host": "no-such-host.invalid", "control": 5561}
    )
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2
    assert (
        "error: cannot bind control to tcp://no-such-host.invalid:5561: "
        "that is neither an interface nor an address of this host" in printed
    )


@pytest.mark.skipif(not CASES.is_dir(), reason="the collected cases are not there: shared/cases")
@pytest.mark.parametrize(("case", "expected"), [("host-star", 0), ("host-unknown", 2)])
def test_collected_case_of_a_host(
    case: str, expected: int, workplace: Path, tmp_path: Path
) -> None:
    arguments = ("sweep", CASES / f"{case}.yaml", "--out", tmp_path / "run", "--no-report")
    code, printed = command(*arguments, cwd=workplace)
    assert code == expected, printed
    assert "Traceback" not in printed
