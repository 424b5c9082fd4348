"""The family `semnoma`: images over superposed or plain links, reconstructed by the receiver.

With one user a codec serves a plain link (the teacher, or a user of an orthogonal system); with
more users it serves slots in which they send at the same time: one encoder with a plane for each
user, one decoder for each user. A codec may refine what its decoders recover. The networks are
those of transmitters/semnoma and receiver/semnoma.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.codec_arrays import End, check_named, parse_arrays
from semcom.errors import CheckpointError
from semcom.families.family import Family
from semcom.families.semnoma_arrays import array_specs
from semcom.families.semnoma_refinement import Refinement, refinement_specs
from semcom.tasks.reconstruction import Reconstruction

SHRINK = 4  # pixels per side that become one position of the feature
OWN_SIDE_VALUES = 3  # SNR, |h|, arg h
Side = Annotated[int, Field(ge=12, le=64, multiple_of=SHRINK)]
Width = Annotated[int, Field(ge=8, le=1024, multiple_of=2)]


class SemnomaArchitecture(BaseModel):
    """Architecture of both ends.

    `csi: aligned` rotates the received symbols by the phase of the user's own gain, and a decoder
    gets every gain of the slot. `csi: own` is as published: the received symbols are unchanged, and
    a decoder gets only its user's gain; the encoder also has inputs for a gain, which no
    transmitter knows before it sends, so they are set to |h| = 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    item: tuple[Side, Side, Literal[3]] = Field(
        default=(32, 32, 3), description="height, width and channels of an image"
    )
    users: int = Field(
        default=2, ge=1, le=8, description="users that share a slot; 1: a plain link"
    )
    channels: int = Field(
        default=16, ge=2, le=64, multiple_of=2, description="channels of the feature that is sent"
    )
    widths: tuple[Width, Width] = Field(
        default=(48, 96), description="channels at half and at a quarter of the image's side"
    )
    blocks: tuple[Annotated[int, Field(ge=1, le=16)], Annotated[int, Field(ge=1, le=16)]] = Field(
        default=(2, 2), description="number of ConvNeXt blocks at each of these two sizes"
    )
    attention: bool = Field(default=False, description="an attention block after each AF module")
    fusion: tuple[Annotated[int, Field(ge=1, le=8)], ...] = Field(
        default=(1,),
        min_length=1,
        max_length=4,
        description="hidden widths of AF modules, as multiples of the channels of their map",
    )
    csi: Literal["aligned", "own"] = Field(
        default="aligned",
        description="aligned: the received symbols are rotated by the phase of the user's own gain,"
        " and a decoder gets the gains of all users; own: as published, the symbols are"
        " unchanged, and a decoder gets only the gain of its user",
    )
    snr_db: tuple[float, float] = Field(
        default=(0.0, 20.0),
        description="range of SNRs in training, in dB; the networks clip the SNR to it",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.snr_db[0] > self.snr_db[1]:
            raise ValueError("snr_db: the lower end is above the upper one")
        return self

    @property
    def feature(self) -> tuple[int, int, int]:
        """Channels, height and width of the feature."""
        height, width, _ = self.item
        return self.channels, height // SHRINK, width // SHRINK

    @property
    def symbols(self) -> int:
        """K complex symbols of a codeword: adjacent reals of the feature are one symbol."""
        channels, height, width = self.feature
        return channels * height * width // 2

    @property
    def encoder_side_values(self) -> int:
        """Number of side values of the encoder."""
        return 1 if self.csi == "aligned" else OWN_SIDE_VALUES

    @property
    def decoder_side_values(self) -> int:
        """Number of side values of a decoder: SNR, gains, phases relative to its own."""
        return 3 * self.users - 1 if self.csi == "aligned" else OWN_SIDE_VALUES


class SemnomaCodecArchitecture(SemnomaArchitecture):
    """Architecture of a codec as its manifest states it.

    A codec without refinement omits it, so codecs of earlier versions keep their digests.
    """

    refinement: Refinement | None = Field(
        default=None, description="refinement of the images after the decoders; none: no change"
    )

    def stated(self) -> dict[str, Any]:
        """Return the content of a manifest."""
        left_out = {"refinement"} if self.refinement is None else set()
        return self.model_dump(mode="json", exclude=left_out)


def check_content(manifest: Any, end: End, content: bytes) -> None:
    """Check one end's file, and that the manifest is consistent.

    Raises:
        CheckpointError: it is not safetensors, does not fit this architecture, or task, symbols or
            `needs_snr` do not agree with the architecture.
    """
    architecture = SemnomaCodecArchitecture.model_validate(manifest.architecture)
    expected = Reconstruction(shape=architecture.item)
    if manifest.task != expected:
        raise CheckpointError(f"the manifest's task is not {expected!r}, as the architecture has")
    if manifest.symbols != architecture.symbols:
        raise CheckpointError(
            f"the manifest has {manifest.symbols} symbols, the architecture {architecture.symbols}"
        )
    if manifest.links != architecture.users:
        raise CheckpointError(
            f"the manifest has {manifest.links} links, the architecture {architecture.users} users"
        )
    if not manifest.needs_snr:
        raise CheckpointError("the manifest says needs_snr: false; the encoder follows the SNR")
    specs = array_specs(architecture, end)
    if end == "receiver" and architecture.refinement is not None:
        specs |= refinement_specs(architecture.refinement)
    check_named(specs, parse_arrays(content))


SEMNOMA = Family(
    name="semnoma",
    title="SemNOMA",
    architecture=SemnomaCodecArchitecture,
    files={"transmitter": "transmitter.safetensors", "receiver": "receiver.safetensors"},
    transmitter="transmitters.semnoma.codec:load_transmitter",
    receiver="receiver.semnoma.codec:load_receiver",
    check="semcom.families.semnoma:check_content",
    engines=("torch",),
    systems={
        "semnoma-teacher": "SemNOMA teacher",
        "kd-semnoma": "KD-SemNOMA",
        "semnoma": "SemNOMA",
        "oma": "OMA",
        "kd-semnoma-diffusion": "KD-SemNOMA + diffusion",
        "kd-semnoma-cgan": "KD-SemNOMA + cGAN",
        "semnoma-diffusion": "SemNOMA + diffusion",
        "semnoma-cgan": "SemNOMA + cGAN",
    },
)
