"""Settings of a channel process."""

from __future__ import annotations

from pydantic import Field

from channel_sim.broker import QUEUE_BYTES
from semcom.channel_choice import Point
from semcom.messages import PointTable
from semcom.names import Name
from semcom.point_tables import point_tables
from semcom.settings import NOISE_ENGINE, Address, NoiseEngineChoice, ProcessSettings, Settings
from semcom.wire import MAX_PAYLOAD_BYTES


class StaticRun(Settings):
    """Points of a run from a file, for a channel without an orchestrator."""

    run: Name
    points: list[Point] = Field(min_length=1)

    @property
    def tables(self) -> list[PointTable]:
        """Return the points in the form in which an orchestrator would send them."""
        return point_tables(self.run, self.points)


class BrokerSettings(ProcessSettings):
    """The `channel` section of a process file."""

    uplink: Address = Field(description="where transmitters connect")
    downlink: Address = Field(description="where receivers connect")
    static: StaticRun | None = None
    noise_engine: NoiseEngineChoice = NOISE_ENGINE
    queue_frames: int = Field(
        default=256, ge=1, le=65536, description="frames that one receiver may hold"
    )
    queue_bytes: int = Field(
        default=QUEUE_BYTES,
        ge=MAX_PAYLOAD_BYTES,
        le=1 << 34,
        description="bytes that one receiver may hold",
    )
