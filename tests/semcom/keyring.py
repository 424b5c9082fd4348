"""A folder of keys for tests, and processes' ends that use it."""

from __future__ import annotations

from pathlib import Path

from orchestrator.control.key_sets import make_keys
from semcom.messages import Role
from semcom.security import REFUSED, Security
from semcom.settings import SecuritySettings
from semcom.speakers import Speaker
from semcom.telemetry import Telemetry

LINK, OTHER_LINK = Speaker("transmitter", "shapes10"), Speaker("transmitter", "shapes100")
RECEIVER = Speaker("receiver", "receiver-1")
CHANNEL, ORCHESTRATOR = Speaker("channel", "channel"), Speaker("orchestrator", "orchestrator")


def key_folder(path: Path) -> Path:
    """Keys of both servers, two links and a receiver."""
    make_keys(path, [LINK, OTHER_LINK, RECEIVER])
    return path


class Keyed:
    """A process's security, and what it counted."""

    def __init__(self, folder: Path, speaker: Speaker) -> None:
        role: Role = speaker.role
        self.telemetry = Telemetry(role, speaker.name)
        settings = SecuritySettings(keys=folder)
        self.security = Security(settings, role, speaker.name, self.telemetry)

    def refused(self) -> dict[str, float]:
        """Reasons that were counted."""
        found: dict[str, float] = {}
        for metric in self.telemetry.registry.collect():
            for sample in metric.samples:
                if sample.name == REFUSED and sample.value:
                    found[sample.labels["reason"]] = sample.value
        return found
