"""The family `torch-export`: any two modules, stored as programs of `torch.export`.

    transmitter.pt2   items float32 (N, C, H, W) of 0..1 [, SNR float32 (N,) dB] -> reals (N, 2 K)
    receiver.pt2      reals float32 (N, 2 K), equalised [, SNR float32 (N,) dB] -> outputs

Real and imaginary parts alternate in the reals. Outputs are logits (N, T) of a classification, or
images (N, C, H, W) of 0..1 of a reconstruction. A program contains only operators and arrays, which
`semcom.families.program_check` verifies: loading it runs no code of its author.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from semcom.codec_arrays import End
from semcom.errors import CheckpointError
from semcom.families.family import Family
from semcom.families.program_check import check_program

if TYPE_CHECKING:  # checkpoints know families
    pass


class ExportedArchitecture(BaseModel):
    """Input of both programs, and their sizes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: tuple[int, int, int] = Field(description="height, width and channels of an image")
    receiver_snr: bool = Field(
        default=False, description="whether the receiver's half takes the SNR"
    )
    parameters: dict[str, int] = Field(
        default={}, description="number of parameters of each half, for tables"
    )


def check_content(manifest: object, end: End, content: bytes) -> None:
    """Check that a program contains only operators and arrays.

    Raises:
        CheckpointError: it contains anything else.
    """
    del manifest
    try:
        check_program(content)
    except CheckpointError as error:
        raise CheckpointError(f"the {end}'s half {error}") from error


TORCH_EXPORT = Family(
    name="torch-export",
    title="torch.export",
    architecture=ExportedArchitecture,
    files={"transmitter": "transmitter.pt2", "receiver": "receiver.pt2"},
    transmitter="transmitters.exported:load_transmitter",
    receiver="receiver.exported:load_receiver",
    check="semcom.families.exported:check_content",
    engines=("torch",),
)
