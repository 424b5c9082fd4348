"""The demos: shipped scenarios for `semcom demo`, with shipped codecs and synthetic items."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from orchestrator.cli.options import SCENARIOS


class DemoName(StrEnum):
    """A demo that is selected by name."""

    NOMA = "noma"
    TEXT = "text"


class Demo(NamedTuple):
    """A scenario, and the text that is printed before it is swept."""

    scenario: Path
    says: str


DEMOS: dict[DemoName | None, Demo] = {
    None: Demo(
        SCENARIOS / "demo.yaml",
        "Three edge transmitters, a channel, an edge server and the orchestrator run, each in its "
        "own process.",
    ),
    DemoName.NOMA: Demo(
        SCENARIOS / "demo-noma.yaml",
        "Two transmitters send one image each at the same time; the channel adds them up, "
        "and one receiver recovers both.",
    ),
    DemoName.TEXT: Demo(
        SCENARIOS / "demo-text.yaml",
        "Three transmitters send sentences at the same time; each is received separately "
        "and interferes with the others.",
    ),
}
