"""Settings of a receiver process."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from receiver.batcher import WAITING_BYTES
from semcom.names import Name
from semcom.settings import Address, Decoding, Engine, ProcessSettings, check_device


class ReceiverSettings(ProcessSettings):
    """The `receiver` section of a process file."""

    downlink: Address = Field(description="the channel's address for receivers")
    codec_dir: Path = Field(default=Path("codecs"), description="folder of the codecs")
    codecs: list[Name] = Field(
        default=[], description="codecs loaded at start; others are loaded on request"
    )
    mode: Decoding = Field(
        default="exact",
        description="exact: one forward pass per frame; throughput: frames may be merged",
    )
    max_batch_images: int = Field(
        default=256, ge=1, le=65536, description="largest number of items in merged frames"
    )
    max_delay_ms: float = Field(
        default=2.0, ge=0, le=1000, description="how long a frame may wait to be merged with others"
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="auto: a GPU if there is one",
    )
    engine: Engine = Field(default="torch", description="library that runs the networks")
    threads: int = Field(default=1, ge=1, le=256, description="threads of the networks")
    log_frames: bool = Field(default=False, description="log each answer, for an audit")
    waiting_bytes: int = Field(
        default=WAITING_BYTES, ge=1 << 16, description="bytes of frames that wait to be decoded"
    )

    @model_validator(mode="after")
    def _merges_where_it_may(self) -> Self:
        of_merging = {"max_batch_images", "max_delay_ms"} & self.model_fields_set
        if self.mode == "exact" and of_merging:
            raise ValueError(
                f"{min(of_merging)} has no effect with mode: exact, which never merges frames"
            )
        return self

    @model_validator(mode="after")
    def _computes_there(self) -> Self:
        check_device(self.engine, self.device)
        return self
