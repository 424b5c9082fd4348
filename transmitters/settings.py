"""What a transmitter process is told; everything about the sweep comes by assignment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from semcom.settings import Address, Engine, ProcessSettings
from transmitters.sender import RESULTS_BYTES


class TransmitterSettings(ProcessSettings):
    """The `transmitter` section of a process file."""

    control: Address = Field(description="the orchestrator's address")
    uplink: Address = Field(description="the channel's address for transmitters")
    data_dir: Path = Field(default=Path("data"), description="of the data sets")
    codec_dir: Path = Field(default=Path("codecs"), description="of the codecs")
    threads: int = Field(default=1, ge=1, le=256, description="of the networks")
    engine: Engine = Field(default="torch", description="what computes the networks")
    answers_dir: Path | None = Field(
        default=None, description="where each answer is kept as a file; nowhere if left out"
    )
    log_frames: bool = Field(default=False, description="each answer in the log, for an audit")
    cache_bytes: int = Field(default=256 << 20, ge=0, description="codewords kept, see encode_once")
    window_bytes: int = Field(default=64 << 20, ge=1 << 16, description="codewords in flight")
    results_bytes: int = Field(
        default=RESULTS_BYTES, ge=1 << 12, description="results that wait for their receipts"
    )
