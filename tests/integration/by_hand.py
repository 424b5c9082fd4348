"""Processes started one by one, by hand, and the file that they read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from semcom.sockets import free_ports

ENGINE = "onnxruntime"  # as `write_scenario` has it
Starter = Callable[[str, str, Path], "subprocess.Popen[bytes]"]


def write_process_file(
    path: Path, workplace: Path, **changes: dict[str, object]
) -> tuple[Path, int]:
    """A file with a section for each role and changes laid over; also the orchestrator's port."""
    control, uplink, downlink = free_ports(3)
    folders = {"data_dir": str(workplace / "data"), "codec_dir": str(workplace / "codecs")}
    address = {
        name: f"tcp://127.0.0.1:{port}"
        for name, port in (("control", control), ("uplink", uplink), ("downlink", downlink))
    }
    sections = {
        "transmitter": {
            "control": address["control"],
            "uplink": address["uplink"],
            "engine": ENGINE,
            **folders,
        },
        "channel": address,
        "receiver": {
            "control": address["control"],
            "downlink": address["downlink"],
            "codec_dir": folders["codec_dir"],
            "engine": ENGINE,
        },
    }
    sections = {role: {**section, **changes.get(role, {})} for role, section in sections.items()}
    path.write_text(yaml.safe_dump(sections))
    return path, control
