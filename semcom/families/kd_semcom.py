"""The family `kd_semcom`: sentences with a transformer codec (Liu et al., Table I).

A sentence of n words has L = n + 1 tokens, the last of which is END. Its codeword has 8 L symbols
of mean power 1, and zeros up to the 8 x `tokens` symbols that every codeword of the codec has.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, assert_never

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.codec_arrays import FLOATING, Arrays, End, parse_arrays
from semcom.errors import CheckpointError
from semcom.families.family import Family
from semcom.row_quantization import dequantize
from semcom.vocabulary import FIRST_WORD

SYMBOLS_PER_TOKEN = 8
REALS_PER_TOKEN = 2 * SYMBOLS_PER_TOKEN
Channel = Literal["wide", "narrow", "deepsc"]
Shapes = Iterator[tuple[str, tuple[int, ...]]]
Depth = Annotated[int, Field(ge=1, le=12)]


class KdSemcomArchitecture(BaseModel):
    """Both ends of a link, Table I.

    Channel networks: `wide` is Linear 256, ReLU, Linear 16 and 128, 512, 128 with a layer norm;
    `narrow` is Linear 16 and 128, 128 with a layer norm; `deepsc` is 256, 16 and 256, 128.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: Depth = Field(description="layers of the semantic encoder, and of the semantic decoder")
    channel: Channel = Field(description="networks of channel encoder and channel decoder")
    vocabulary: int = Field(gt=FIRST_WORD, le=65536, description="number of token ids")
    tokens: int = Field(
        default=30,
        ge=2,
        le=256,
        description="largest number of tokens in a sentence, including END",
    )
    precision: Literal["fp16", "int8"] = Field(
        default="fp16", description="precision of the matrices on disk"
    )
    width: int = Field(default=128, ge=8, le=4096, description="D, width of the vectors")
    heads: int = Field(default=8, ge=1, le=64, description="heads of every attention")
    inner: int = Field(
        default=512, ge=8, le=16384, description="hidden width of every feed-forward network"
    )
    parameters: dict[str, int] = Field(
        default={}, description="number of parameters of each part, for tables"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads or self.width % 2:
            raise ValueError(f"width {self.width} over {self.heads} heads, and must be even")
        return self

    @property
    def symbols(self) -> int:
        """K of every codeword."""
        return SYMBOLS_PER_TOKEN * self.tokens

    def counted(self) -> dict[str, int]:
        """Return the parameters of each part; without embeddings and prediction layer, Table I."""
        counts = {"encoder": 0, "channel_encoder": 0, "decoder": 0, "semantic_decoder": 0}
        for end in ("transmitter", "receiver"):
            for name, shape in shapes(self, end):
                part = name.partition(".")[0]
                if ".embedding." not in name and part in counts:
                    counts[part] += int(np.prod(shape))
        return counts


def shapes(architecture: KdSemcomArchitecture, end: End) -> Shapes:
    """Yield the name and shape of every array of an end."""
    width = architecture.width
    embedding = (architecture.vocabulary, width)
    if end == "transmitter":
        yield "encoder.embedding.table.weight", embedding
        for at in range(architecture.layers):
            yield from _layer(architecture, f"encoder.layers.{at}", ("attention",))
        yield from _stack("channel_encoder.layers", channel_encoder_widths(architecture))
        return
    widths, beside = channel_decoder_widths(architecture)
    yield from _stack("decoder.layers", widths)
    if beside:
        yield from _stack("decoder.beside", beside)
        yield from _norm("decoder.norm", width)
    yield "semantic_decoder.embedding.table.weight", embedding
    for at in range(architecture.layers):
        yield from _layer(architecture, f"semantic_decoder.layers.{at}", ("attention", "cross"))
    yield from _linear("head", width, architecture.vocabulary)


def channel_encoder_widths(architecture: KdSemcomArchitecture) -> tuple[int, ...]:
    """Return the widths of the channel encoder's layers, with a ReLU between them."""
    between = () if architecture.channel == "narrow" else (2 * architecture.width,)
    return (architecture.width, *between, REALS_PER_TOKEN)


def channel_decoder_widths(
    architecture: KdSemcomArchitecture,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the widths of the channel decoder's first layers, and of those of its branch."""
    width = architecture.width
    match architecture.channel:
        case "wide":
            return (REALS_PER_TOKEN, width), (width, 4 * width, width)
        case "narrow":
            return (REALS_PER_TOKEN, width), (width, width)
        case "deepsc":
            return (REALS_PER_TOKEN, 2 * width, width), ()
    assert_never(architecture.channel)


def check_content(manifest: Any, end: End, content: bytes) -> None:
    """Check one end's file: names, shapes, types and values of its arrays.

    Raises:
        CheckpointError: it is not safetensors, does not fit this architecture, or the manifest does
            not say that sentences differ in length.
    """
    if not manifest.variable_length:
        raise CheckpointError(
            "the manifest says variable_length: false; sentences differ in length"
        )
    read_arrays(KdSemcomArchitecture.model_validate(manifest.architecture), end, content)


def read_arrays(architecture: KdSemcomArchitecture, end: End, content: bytes) -> Arrays:
    """Return one end's checked arrays; quantised ones as the values that they represent.

    Raises:
        CheckpointError: as for `check_content`.
    """
    stored = parse_arrays(content)
    is_int8 = any(array.dtype == np.int8 for array in stored.values())
    if is_int8 != (architecture.precision == "int8"):
        raise CheckpointError(f"is not in {architecture.precision}, as its manifest says")
    arrays, expected = dequantize(stored), dict(shapes(architecture, end))
    if missing := expected.keys() - arrays.keys():
        raise CheckpointError(f"weights do not fit the codec: {min(missing)} is missing")
    for name, array in arrays.items():
        shape = expected.get(name)
        if shape is None:
            raise CheckpointError(f"weights {name[:200]!r} belong to no part of this codec")
        if array.shape != shape or array.dtype not in FLOATING:
            raise CheckpointError(
                f"weights do not fit the codec: {name} is {array.dtype} {array.shape}, not {shape}"
            )
        if not np.isfinite(array).all():
            raise CheckpointError(f"{name} holds NaN or Inf")
    return arrays


def _layer(architecture: KdSemcomArchitecture, name: str, attentions: tuple[str, ...]) -> Shapes:
    width = architecture.width
    for attention in attentions:
        for part in ("query", "key", "value", "output"):
            yield from _linear(f"{name}.{attention}.{part}", width, width)
    yield from _linear(f"{name}.feed_forward.up", width, architecture.inner)
    yield from _linear(f"{name}.feed_forward.down", architecture.inner, width)
    for number in range(1, len(attentions) + 2):
        yield from _norm(f"{name}.norm{number}", width)


def _stack(name: str, widths: tuple[int, ...]) -> Shapes:
    for at, (inputs, outputs) in enumerate(pairwise(widths)):
        yield from _linear(f"{name}.{at}", inputs, outputs)


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, width: int) -> Shapes:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


KD_SEMCOM = Family(
    name="kd_semcom",
    title="KD-SemCom",
    architecture=KdSemcomArchitecture,
    files={"transmitter": "transmitter.safetensors", "receiver": "receiver.safetensors"},
    transmitter="transmitters.kd_semcom.codec:load_transmitter",
    receiver="receiver.kd_semcom.codec:load_receiver",
    check="semcom.families.kd_semcom:check_content",
    engines=("torch",),
    systems={
        "teacher": "Teacher",
        **{f"student-{number}": f"Student {number}" for number in (1, 2, 3, 4)},
        **{f"baseline-{number}": f"Baseline {number}" for number in (1, 2, 3)},
        "deepsc": "DeepSC",
    },
)
