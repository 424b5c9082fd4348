"""What a channel process is told."""

from __future__ import annotations

from pydantic import Field

from semcom.channel_choice import Point
from semcom.messages import Name
from semcom.settings import Address, NoiseEngine, ProcessSettings, Settings


class StaticRun(Settings):
    """Points of a run given by file, for a channel that serves without an orchestrator."""

    run: Name
    points: list[Point] = Field(min_length=1)


class BrokerSettings(ProcessSettings):
    """The `channel` section of a process file."""

    uplink: Address = Field(description="where transmitters dial in")
    downlink: Address = Field(description="where receivers dial in")
    static: StaticRun | None = None
    noise_engine: NoiseEngine = Field(default="numpy", description="what draws the noise")
    queue_frames: int = Field(default=256, ge=1, le=65536, description="at one receiver")
