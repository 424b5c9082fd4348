"""What a channel process is told."""

from __future__ import annotations

from pydantic import Field

from channel_sim.broker import QUEUE_BYTES
from semcom.channel_choice import Point
from semcom.messages import PointTable
from semcom.names import Name
from semcom.point_tables import point_tables
from semcom.settings import Address, NoiseEngine, ProcessSettings, Settings
from semcom.wire import MAX_PAYLOAD_BYTES


class StaticRun(Settings):
    """Points of a run given by file, for a channel that serves without an orchestrator."""

    run: Name
    points: list[Point] = Field(min_length=1)

    @property
    def tables(self) -> list[PointTable]:
        """The points as an orchestrator would tell them."""
        return point_tables(self.run, self.points)


class BrokerSettings(ProcessSettings):
    """The `channel` section of a process file."""

    uplink: Address = Field(description="where transmitters dial in")
    downlink: Address = Field(description="where receivers dial in")
    static: StaticRun | None = None
    noise_engine: NoiseEngine = Field(default="numpy", description="what draws the noise")
    queue_frames: int = Field(default=256, ge=1, le=65536, description="at one receiver")
    queue_bytes: int = Field(
        default=QUEUE_BYTES, ge=MAX_PAYLOAD_BYTES, le=1 << 34, description="at one receiver"
    )
