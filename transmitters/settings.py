"""Settings of a transmitter process; everything about the sweep comes by assignment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from semcom.settings import Address, Engine, ProcessSettings
from transmitters.sender import RESULTS_BYTES


class TransmitterSettings(ProcessSettings):
    """The `transmitter` section of a process file."""

    control: Address = Field(description="the orchestrator's address")
    uplink: Address = Field(description="the channel's address for transmitters")
    data_dir: Path = Field(default=Path("data"), description="folder of the data sets")
    codec_dir: Path = Field(default=Path("codecs"), description="folder of the codecs")
    threads: int = Field(default=1, ge=1, le=256, description="threads of the networks")
    engine: Engine = Field(default="torch", description="library that runs the networks")
    answers_dir: Path | None = Field(
        default=None,
        description="folder in which each answer is saved as a file; nowhere if omitted",
    )
    log_frames: bool = Field(default=False, description="log each answer, for an audit")
    cache_bytes: int = Field(
        default=256 << 20, ge=0, description="bytes of codewords that encode_once keeps"
    )
    window_bytes: int = Field(
        default=64 << 20, ge=1 << 16, description="bytes of codewords in flight"
    )
    results_bytes: int = Field(
        default=RESULTS_BYTES,
        ge=1 << 12,
        description="bytes of results that wait for their receipts",
    )
