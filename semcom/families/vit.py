"""The family `vit`: T-DeepSC and RTSC, which send what a vision transformer makes of an image.

    indices      T-DeepSC: class token -> 10 vectors -> nearest of 256 codewords -> 80 bits, 16-QAM
    class-token  T-DeepSC without a codebook: class token -> 16 reals
    tokens       RTSC: every token -> 8 reals

Networks are in `transmitters/vit` and `receiver/vit`.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, Literal, Self, assert_never

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.architecture import InputSpec
from semcom.codec_arrays import Arrays, ArraySpec, End, check_named, parse_arrays
from semcom.errors import CheckpointError
from semcom.families.array_names import Specs, layer_specs, norm_specs
from semcom.families.family import Family
from semcom.families.paper import FILES
from semcom.tasks.classification import Classification

VitSystem = Literal["t-deepsc", "rtsc"]
VitLink = Literal["indices", "class-token", "tokens"]
INDICES = 10
INDEX_REALS = 16  # of a codeword of the codebook, and of a class token that is sent
CODEBOOK = 256
SYMBOLS_PER_INDEX = 2
TOKEN_REALS = 8
QUERIES = 25
Depth = Annotated[int, Field(ge=1, le=24)]


class VitArchitecture(BaseModel):
    """Both ends of a link: a vision transformer, what is sent of it, and its receiver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: InputSpec = Field(description="input of the encoder")
    item: tuple[int, int, int] = Field(
        description="height, width and channels of an image that the encoder sees"
    )
    classes: int = Field(ge=2, le=65535, description="number of classes of the task")
    link: VitLink = Field(
        description="what is sent: indices into a codebook or the class token (T-DeepSC), or every "
        "token (RTSC)"
    )
    patch: int = Field(ge=1, le=64, description="pixels per side of a patch")
    width: int = Field(ge=8, le=4096, description="D, width of the encoder's tokens")
    layers: Depth = Field(description="layers of the encoder")
    heads: int = Field(ge=1, le=64, description="heads of the encoder's attention")
    inner: int = Field(
        ge=8, le=16384, description="hidden width of the encoder's feed-forward layers"
    )
    receiver_width: int = Field(
        default=128, ge=8, le=4096, description="width of the receiver's tokens"
    )
    receiver_layers: Depth = Field(description="layers at the receiver")
    receiver_heads: int = Field(default=4, ge=1, le=64, description="heads at the receiver")
    receiver_inner: int = Field(
        default=512,
        ge=8,
        le=16384,
        description="hidden width of the receiver's feed-forward layers",
    )
    parameters: dict[str, int] = Field(
        default={}, description="number of parameters of each part, for tables"
    )

    @property
    def system(self) -> VitSystem:
        """Return the name of its curves."""
        return "rtsc" if self.link == "tokens" else "t-deepsc"

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return (self.input.size // self.patch) ** 2

    @property
    def sent_reals(self) -> int:
        """Reals that the linear layer before the channel gives for each token that it gets."""
        match self.link:
            case "indices":
                return INDICES * INDEX_REALS
            case "class-token":
                return INDEX_REALS
            case "tokens":
                return TOKEN_REALS
        assert_never(self.link)

    @property
    def symbols(self) -> int:
        """K complex symbols per image."""
        match self.link:
            case "indices":
                return INDICES * SYMBOLS_PER_INDEX
            case "class-token":
                return INDEX_REALS // 2
            case "tokens":
                return self.patches * TOKEN_REALS // 2
        assert_never(self.link)

    def counted(self) -> dict[str, int]:
        """Return the parameters of each part; the codebook, which both ends hold, counts once."""
        counts = {"encoder": 0, "channel_encoder": 0, "decoder": 0, "head": 0}
        for end in ("transmitter", "receiver"):
            for name, spec in array_specs(self, end).items():
                if name != "decoder.codebook":
                    counts[name.partition(".")[0]] += prod(spec.shape)
        return counts

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.item != (self.input.size, self.input.size, 3):
            raise ValueError(f"item {self.item} is not of {self.input.size} pixels per side")
        if self.input.size % self.patch:
            raise ValueError(f"patches of {self.patch} pixels do not fill {self.input.size}")
        for name, width, heads in (
            ("width", self.width, self.heads),
            ("receiver_width", self.receiver_width, self.receiver_heads),
        ):
            if width % heads or width % 2:
                raise ValueError(f"{name} {width} over {heads} heads, and must be even")
        return self


def array_specs(architecture: VitArchitecture, end: End) -> dict[str, ArraySpec]:
    """Return what an end of a codec holds, by name."""
    return dict(_transmitter(architecture) if end == "transmitter" else _receiver(architecture))


def _transmitter(architecture: VitArchitecture) -> Specs:
    width, patch = architecture.width, architecture.patch
    yield from layer_specs("encoder.patches", (width, 3, patch, patch))
    if architecture.link == "tokens":
        yield "encoder.positions", ArraySpec((architecture.patches, width))
    else:
        yield "encoder.class_token", ArraySpec((width,))
    for at in range(architecture.layers):
        yield from _layer(f"encoder.layers.{at}", width, architecture.inner, ("attention",))
    yield from norm_specs("encoder.norm", width)
    yield from layer_specs("channel_encoder.linear", (architecture.sent_reals, width))
    if architecture.link == "indices":
        yield "channel_encoder.codebook", ArraySpec((CODEBOOK, INDEX_REALS))


def _receiver(architecture: VitArchitecture) -> Specs:
    width, inner = architecture.receiver_width, architecture.receiver_inner
    is_read = architecture.link != "tokens"  # by queries
    if architecture.link == "indices":
        yield "decoder.codebook", ArraySpec((CODEBOOK, INDEX_REALS))
    yield from layer_specs("decoder.widen", (width, INDEX_REALS if is_read else TOKEN_REALS))
    if is_read:
        yield "decoder.queries", ArraySpec((QUERIES, width))
    attentions = ("attention", "cross") if is_read else ("attention",)
    for at in range(architecture.receiver_layers):
        yield from _layer(f"decoder.layers.{at}", width, inner, attentions)
    yield from layer_specs("head.linear", (architecture.classes, width))


def _layer(name: str, width: int, inner: int, attentions: tuple[str, ...]) -> Specs:
    for attention in attentions:
        for part in ("query", "key", "value", "output"):
            yield from layer_specs(f"{name}.{attention}.{part}", (width, width))
    yield from layer_specs(f"{name}.feed_forward.up", (inner, width))
    yield from layer_specs(f"{name}.feed_forward.down", (width, inner))
    for number in range(1, len(attentions) + 2):
        yield from norm_specs(f"{name}.norm{number}", width)


def read_arrays(architecture: VitArchitecture, end: End, content: bytes) -> Arrays:
    """Return the arrays of an end's file.

    Raises:
        CheckpointError: it is not safetensors, or not of this architecture.
    """
    arrays = parse_arrays(content)
    check_named(array_specs(architecture, end), arrays)
    return arrays


def check_content(manifest: Any, end: End, content: bytes) -> None:
    """Check one end's file, and that the manifest agrees with itself.

    Raises:
        CheckpointError: as `read_arrays`, or task, symbols, system, `needs_snr` or `links` are not
            those of the architecture.
    """
    architecture = VitArchitecture.model_validate(manifest.architecture)
    expected = {
        "task": Classification(classes=architecture.classes),
        "symbols": architecture.symbols,
        "system": architecture.system,
        "needs_snr": False,
        "links": 1,
        "variable_length": False,
    }
    for name, value in expected.items():
        if getattr(manifest, name) != value:
            raise CheckpointError(
                f"the manifest's {name} is not {value!r}, as the architecture has"
            )
    read_arrays(architecture, end, content)


VIT = Family(
    name="vit",
    title="Vision transformers",
    architecture=VitArchitecture,
    files=FILES,
    transmitter="transmitters.vit.codec:load_transmitter",
    receiver="receiver.vit.codec:load_receiver",
    check="semcom.families.vit:check_content",
    engines=("torch",),
    systems={"t-deepsc": "T-DeepSC", "rtsc": "RTSC"},
)
