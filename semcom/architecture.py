"""Architecture of a codec: the shapes that both ends of a link share (no torch)."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from semcom.frame_messages import MAX_SYMBOLS

STAGE_PLANES = (16, 32, 64, 128)
STAGE_STRIDES = (1, 2, 2, 2)
STEM_CHANNELS = (32, 32, 64)
EXPANSION = 4
MAX_DEPTH = 5

System = Literal["rkd-sc", "cat-student", "jscc-student", "jscc-teacher"]
Depth = Annotated[int, Field(ge=1, le=MAX_DEPTH)]
Width = Annotated[int, Field(ge=1, le=8192)]
Increment = Annotated[int, Field(ge=1, le=MAX_SYMBOLS)]
Depths = tuple[Depth, Depth, Depth, Depth]
Triple = tuple[float, float, float]
# For pixels in 0..1; values beyond divide by almost zero or erase the image.
Mean = Annotated[float, Field(ge=-100, le=100)]
Std = Annotated[float, Field(ge=1e-4, le=100)]

CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)

# Table III, decoded to depths: (search, data set) -> blocks per stage.
TABLE_III_DEPTHS: dict[tuple[str, str], Depths] = {
    ("kdl-darts", "cifar10"): (3, 4, 4, 1),
    ("kdl-darts", "cifar100"): (4, 5, 5, 3),
    ("kdl-darts", "tiny-imagenet"): (5, 5, 5, 3),
    ("darts", "cifar10"): (5, 2, 5, 2),
    ("darts", "cifar100"): (4, 3, 5, 4),
    ("darts", "tiny-imagenet"): (4, 5, 5, 5),
}


class Architecture(BaseModel):
    """Base: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(Architecture):
    """Preprocessing of the encoder's input: resize to `size`, scale to 0..1, normalise."""

    size: int = Field(
        ge=16, le=1024, description="side in pixels; images of another size are resized (bicubic)"
    )
    mean: tuple[Mean, Mean, Mean] = Field(
        default=CLIP_MEAN, description="mean of each colour channel, as in CLIP"
    )
    std: tuple[Std, Std, Std] = Field(
        default=CLIP_STD, description="standard deviation of each colour channel, as in CLIP"
    )


class EncoderArchitecture(Architecture):
    """Semantic encoder, Table I. `width` scales all channels (1 in the paper)."""

    kind: Literal["student"] = Field(default="student", description="the student of Table I")
    input: InputSpec = Field(description="how the encoder sees an image")
    depths: Depths = Field(description="number of bottlenecks in each stage")
    width: float = Field(
        default=1.0,
        gt=0,
        le=4,
        description="factor by which the widths of all layers are multiplied",
    )
    stem_conv_stride: Literal[1, 2] = Field(default=2, description="1 for images of 32 pixels")
    feature_dim: int = Field(default=512, ge=8, le=4096, description="D, length of the feature")
    heads: int = Field(default=8, ge=1, le=64, description="heads of the attention pooling")

    @property
    def stem_channels(self) -> tuple[int, int, int]:
        """Channels of the three convolutions of the stem."""
        first, second, third = (max(8, round(c * self.width)) for c in STEM_CHANNELS)
        return first, second, third

    @property
    def stage_planes(self) -> tuple[int, ...]:
        """Bottleneck planes per stage; the output channels are four times as many."""
        return tuple(max(4, round(planes * self.width)) for planes in STAGE_PLANES)

    @property
    def last_map_size(self) -> int:
        """Height and width of the map that attention pooling sees."""
        after_stem_conv = -(-self.input.size // self.stem_conv_stride)
        return after_stem_conv // (2 * math.prod(STAGE_STRIDES))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.last_map_size < 2:
            raise ValueError(
                f"input {self.input.size} leaves a last feature map smaller than 2x2; "
                f"set stem_conv_stride: 1, or use larger images"
            )
        if (self.stage_planes[-1] * EXPANSION) % self.heads:
            raise ValueError(
                f"{self.stage_planes[-1] * EXPANSION} channels cannot be split evenly "
                f"over {self.heads} heads"
            )
        return self


def stage_parameters(architecture: EncoderArchitecture) -> list[list[int]]:
    """Parameters of each stage at each depth 1..5: what eq. (17) penalises (Table I)."""
    counts: list[list[int]] = []
    channels = architecture.stem_channels[-1]
    for planes, stride in zip(architecture.stage_planes, STAGE_STRIDES, strict=True):
        out = planes * EXPANSION
        first = _bottleneck(channels, planes)
        if stride > 1 or channels != out:
            first += _convolution(channels, out)
        further = _bottleneck(out, planes)
        counts.append([first + further * deeper for deeper in range(MAX_DEPTH)])
        channels = out
    return counts


def parameters_of(depths: Depths, counts: list[list[int]]) -> int:
    """Parameters of the four stages at these depths."""
    return sum(row[depth - 1] for row, depth in zip(counts, depths, strict=True))


def _bottleneck(channels: int, planes: int) -> int:
    """1x1, 3x3 and 1x1 convolutions, without the one of a shortcut."""
    return (
        _convolution(channels, planes)
        + _convolution(planes, planes, kernel=3)
        + _convolution(planes, planes * EXPANSION)
    )


def _convolution(channels: int, out: int, *, kernel: int = 1) -> int:
    """A convolution without bias, and the scale and shift of its batch norm."""
    return channels * out * kernel**2 + 2 * out


class ConvEncoderArchitecture(Architecture):
    """A plain convolutional encoder: the compact teacher, and the encoder of its JSCC baseline.

    Blocks of 3x3 convolutions, each but the last followed by 2x2 max pooling; then the mean of the
    map or a `hidden` layer over all of it, a linear layer and a standardisation of every feature.
    """

    kind: Literal["conv"] = Field(default="conv", description="3x3 convolutions")
    input: InputSpec = Field(description="how the encoder sees an image")
    blocks: tuple[Annotated[tuple[Width, ...], Field(max_length=64)], ...] = Field(
        default=((64,), (64, 256), (256, 256), (512,), (1024,)),
        min_length=1,
        max_length=16,
        description="widths of each block's convolutions",
    )
    residual_after: tuple[int, ...] = Field(
        default=(),
        max_length=16,
        description="indices of the blocks that are followed by a residual pair of convolutions",
    )
    whiten: bool = Field(
        default=True, description="start with a fixed layer that whitens the patches"
    )
    hidden: Annotated[int, Field(ge=0, le=65536)] = Field(
        default=3072,
        description="width of a layer over the flattened last map; 0: average pooling instead",
    )
    feature_dim: int = Field(default=512, ge=8, le=4096, description="D, length of the feature")

    @property
    def first_stride(self) -> int:
        """Stride of the first layer: 1 up to 32 pixels, 2 up to 64."""
        return max(1, self.input.size // 32)

    @property
    def last_map_size(self) -> int:
        """Height and width of the last block's map."""
        after_first = self.input.size // self.first_stride
        return after_first >> (len(self.blocks) - 1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.last_map_size < 1:
            raise ValueError(f"{len(self.blocks)} blocks leave nothing of {self.input.size} pixels")
        return self


class TimmEncoderArchitecture(Architecture):
    """Any model of timm with a linear layer to the feature width, as CLIP's ViT-B/16."""

    kind: Literal["timm"] = Field(default="timm", description="a model from timm")
    input: InputSpec = Field(description="how the encoder sees an image")
    model: str = Field(min_length=1, max_length=128, description="name of the model in timm")
    feature_dim: int = Field(default=512, ge=8, le=4096, description="D, length of the feature")


def _kind(encoder: Any) -> str:
    """Manifests written before there was a choice do not name a kind."""
    if isinstance(encoder, dict):
        return str(encoder.get("kind", "student"))
    return str(getattr(encoder, "kind", "student"))


AnyEncoderArchitecture = Annotated[
    Annotated[EncoderArchitecture, Tag("student")]
    | Annotated[ConvEncoderArchitecture, Tag("conv")]
    | Annotated[TimmEncoderArchitecture, Tag("timm")],
    Discriminator(_kind),
]


class ChannelCodecArchitecture(Architecture):
    """Channel encoder and decoder: CAT of section III-B, or the plain link of the baselines."""

    system: System = Field(
        default="rkd-sc",
        description="cat-student is rkd-sc trained without a teacher; the jscc systems send the "
        "feature itself",
    )
    feature_dim: int = Field(default=512, ge=8, le=4096, description="D, length of the feature")
    ffn_dim: int = Field(
        default=2048, ge=8, le=16384, description="hidden width of CAT's feed-forward layers"
    )
    compression_ratio: float = Field(
        default=0.8, ge=0, lt=1, description="c = floor(D (1 - ratio)) numbers are sent"
    )
    tx_csi: bool = Field(
        default=False, description="give the SNR to CAT's encoder, too, not only to its decoder"
    )
    increments: tuple[Increment, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=16,
        description="number of complex symbols of each increment of an ordered codeword, in place "
        "of compression_ratio; any number of leading increments is a codeword, too. "
        "None: codewords of one length",
    )

    @property
    def is_direct(self) -> bool:
        """The JSCC baselines send the feature itself."""
        return self.system in ("jscc-student", "jscc-teacher")

    @property
    def codeword_dim(self) -> int:
        """c = floor(D (1 - ratio)), eq. (22), or that of all increments; D for a direct link."""
        if self.is_direct:
            return self.feature_dim
        if self.increments is not None:
            return 2 * sum(self.increments)
        return math.floor(round(self.feature_dim * (1.0 - self.compression_ratio), 6))

    @property
    def symbols(self) -> int:
        """K = ceil(c / 2) complex symbols per image."""
        return (self.codeword_dim + 1) // 2

    @property
    def filled(self) -> float:
        """Share of the 2 K reals of a codeword that are sent: the padding of an odd c is zero."""
        return self.codeword_dim / (2 * self.symbols)

    @model_serializer(mode="wrap")
    def _as_before(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Omit fields that codecs of one length do not have: their manifests do not change."""
        fields: dict[str, Any] = serialize(self)
        if self.increments is None:
            fields.pop("increments", None)
        return fields

    @property
    def lengths(self) -> tuple[int, ...]:
        """Symbols of one increment, of two, ...: the lengths of a codeword, K the last."""
        return tuple(accumulate(self.increments or (self.symbols,)))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.increments is not None:
            self._check_increments()
        if not 2 <= self.codeword_dim <= self.feature_dim:
            raise ValueError(f"compression_ratio {self.compression_ratio} leaves no codeword")
        if not self.is_direct and self.codeword_dim == self.feature_dim:
            raise ValueError("compression_ratio must leave room for the SNR code: raise it above 0")
        return self

    def _check_increments(self) -> None:
        if self.is_direct:
            raise ValueError("increments: only with CAT; a JSCC baseline sends the feature itself")
        if self.codeword_dim >= self.feature_dim:
            raise ValueError(
                f"increments: {self.symbols} symbols leave no room for the SNR code next to a "
                f"feature of {self.feature_dim} numbers"
            )


class CodecArchitecture(Architecture):
    """Both ends of a link: semantic encoder, channel codec, task head."""

    encoder: AnyEncoderArchitecture = Field(description="the semantic encoder")
    channel: ChannelCodecArchitecture = Field(description="CAT, or the plain link of the baselines")
    classes: int = Field(ge=2, le=65535, description="number of classes of the task")

    @property
    def image(self) -> tuple[int, int, int]:
        """Height, width and channels that the encoder sees."""
        return self.encoder.input.size, self.encoder.input.size, 3

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.encoder.feature_dim != self.channel.feature_dim:
            raise ValueError(
                f"encoder feature_dim {self.encoder.feature_dim} != "
                f"channel feature_dim {self.channel.feature_dim}"
            )
        return self
