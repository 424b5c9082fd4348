"""Processes started one by one, by hand, in an order that nobody would choose."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from semcom.sockets import free_ports
from tests.integration.harness import (
    DEADLINE_S,
    command,
    results_digest,
    start_sweep,
    write_scenario,
)

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

SMALL: dict[str, object] = {"images": 100, "frame_images": 20, "snr_db": [0, 10]}
Starter = Callable[[str, str, Path], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_by_hand(tmp_path: Path) -> Iterator[Starter]:
    """Starts `python -m PACKAGE --config FILE --id NAME`; ends what is left."""
    started: list[subprocess.Popen[bytes]] = []

    def start(package: str, peer: str, config: Path) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", package, "--config", str(config), "--id", peer]
        with (tmp_path / f"{peer}.log").open("ab") as log:
            started.append(subprocess.Popen(arguments, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=DEADLINE_S)


def test_processes_dial_in_in_any_order_and_give_the_launched_digest(
    start_by_hand: Starter, workplace: Path, tmp_path: Path
) -> None:
    control, uplink, downlink = free_ports(3)
    folders = {"data_dir": str(workplace / "data"), "codec_dir": str(workplace / "codecs")}
    address = {
        name: f"tcp://127.0.0.1:{port}"
        for name, port in (("control", control), ("uplink", uplink), ("downlink", downlink))
    }
    config = tmp_path / "processes.yaml"
    sections = {
        "transmitter": {"control": address["control"], "uplink": address["uplink"], **folders},
        "channel": address,
        "receiver": {
            "control": address["control"],
            "downlink": address["downlink"],
            "codec_dir": folders["codec_dir"],
        },
    }
    config.write_text(yaml.safe_dump(sections))

    start_by_hand("transmitters", "shapes100", config)
    start_by_hand("receiver", "receiver-1", config)
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL, ports={"control": control})
    run = start_sweep(scenario, tmp_path / "run", "--no-launch", workplace=workplace)
    start_by_hand("channel_sim", "channel", config)
    start_by_hand("receiver", "receiver-2", config)
    start_by_hand("transmitters", "shapes10", config)
    run.finish()

    launched = write_scenario(tmp_path / "launched.yaml", **SMALL)
    start_sweep(launched, tmp_path / "launched", workplace=workplace).finish()
    assert results_digest(tmp_path / "run") == results_digest(tmp_path / "launched")


@pytest.mark.parametrize("package", ["transmitters", "channel_sim", "receiver"])
def test_process_with_a_bad_setting_names_the_key_and_exits_with_2(
    package: str, start_by_hand: Starter, tmp_path: Path
) -> None:
    role = {"transmitters": "transmitter", "channel_sim": "channel"}.get(package, package)
    config = tmp_path / "bad.yaml"
    config.write_text(yaml.safe_dump({role: {"uplynk": 1}}))
    process = start_by_hand(package, "bad", config)
    assert process.wait(timeout=DEADLINE_S) == 2
    assert "Traceback" not in (tmp_path / "bad.log").read_text()


def test_sweep_that_nobody_can_find_is_refused(workplace: Path, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL)
    arguments = ("sweep", scenario, "--out", tmp_path / "run", "--no-launch")
    code, printed = command(*arguments, cwd=workplace)
    assert code == 2
    assert "ports.control" in printed
