"""Sections of the process file of a shard, one for each role."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import SystemSettings

Sections = Mapping[str, Mapping[str, Any]]  # by role


class ChannelPlace(NamedTuple):
    """Addresses at which a channel listens.

    Attributes:
        bound: address to which its sockets are bound.
        host: host to which others connect.
        uplink: port for transmitters.
        downlink: port for receivers.
    """

    bound: str
    host: str
    uplink: int
    downlink: int


def host_to_dial(bound: str) -> str:
    """Return the host to which local processes connect to reach a socket's bound address."""
    host = bound.removeprefix("tcp://").rpartition(":")[0]
    return "127.0.0.1" if host in ("*", "0.0.0.0") else host


def process_sections(
    settings: SystemSettings,
    control: str,
    place: ChannelPlace,
    folders: Folders,
    *,
    answers: Path | None = None,
) -> dict[str, dict[str, Any]]:
    """Return a section for each role.

    Args:
        settings: settings of the system.
        control: the orchestrator's address for processes.
        place: addresses of their channel.
        folders: folders of data sets and codecs.
        answers: folder in which transmitters keep answers, if they do.
    """
    common: dict[str, Any] = {"control": control}
    if settings.security is not None:
        common["security"] = {"keys": settings.security.keys.absolute()}
    return {
        "transmitter": {
            **common,
            "uplink": f"tcp://{place.host}:{place.uplink}",
            "data_dir": folders.data,
            "codec_dir": folders.codecs,
            "threads": settings.threads.transmitter,
            "engine": settings.engine,
            "log_frames": settings.log_frames,
            **({} if answers is None else {"answers_dir": answers.absolute()}),
        },
        "channel": {
            **common,
            "uplink": f"tcp://{place.bound}:{place.uplink}",
            "downlink": f"tcp://{place.bound}:{place.downlink}",
            "noise_engine": settings.noise_engine,
        },
        "receiver": {
            **common,
            "downlink": f"tcp://{place.host}:{place.downlink}",
            "codec_dir": folders.codecs,
            "mode": settings.decoding,
            "device": settings.device,
            "engine": settings.receiver_engine,
            "threads": settings.threads.receiver,
            "log_frames": settings.log_frames,
        },
    }
