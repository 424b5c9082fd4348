"""The family `label`: the transmitter classifies and sends the class with a code.

    images -> encoder -> channel encoder -> codeword, not sent -> Classifier -> class m
           -> code.reals[m] -> z (N, K);   at the receiver, maximum likelihood over the M codewords

The classifier is a codec of the paper's families without a channel between its ends, so it decides
as that codec does without noise. It shows what a codec's symbols could carry at least. Shape
legend: M classes, K complex symbols, D feature width, c reals of the source's codeword.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from semcom.architecture import ChannelCodecArchitecture, CodecArchitecture, TimmEncoderArchitecture
from semcom.codec_arrays import Arrays, ArraySpec, End, check_named, parse_arrays
from semcom.codec_arrays import array_specs as source_specs
from semcom.errors import CheckpointError
from semcom.families.family import Family
from semcom.families.label_code import LabelCode, check_code
from semcom.families.paper import FILES
from semcom.tasks.classification import Classification

CODE = "code.reals"
NOISE_FREE_DB = 30.0  # the highest SNR that the paper's decoders get
CLASSIFIER = "classifier."
STAGES = (("snr_code0", "block0", "reduce"), ("snr_code1", "block1", "output"))  # of the source


class LabelArchitecture(BaseModel):
    """Both ends: the classifier, and the code over a number of symbols."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: CodecArchitecture = Field(description="architecture of the codec that classifies")
    code: LabelCode = Field(default="simplex", description="channel code of the classes")
    symbols: int = Field(ge=1, le=4096, description="K complex symbols of a codeword")
    item: tuple[int, int, int] = Field(description="height, width and channels of an image")
    parameters: dict[str, int] = Field(
        default={}, description="number of parameters of each part, for tables"
    )


def stage_widths(channel: ChannelCodecArchitecture) -> list[tuple[int, int]]:
    """Return (reals in, reals out) of each stage of the classifier; empty for a direct link."""
    if channel.is_direct:
        return []
    return [
        (channel.codeword_dim, channel.codeword_dim),
        (channel.codeword_dim, channel.feature_dim),
    ]


def array_specs(architecture: LabelArchitecture, end: End) -> dict[str, ArraySpec]:
    """Return the arrays of one end of a codec, by name."""
    source = architecture.source
    code = CODE, ArraySpec((source.classes, 2 * architecture.symbols))
    if end == "receiver":
        return dict([code])
    return dict([*source_specs(source, "transmitter").items(), *_classifier(source), code])


def _classifier(source: CodecArchitecture) -> Iterator[tuple[str, ArraySpec]]:
    channel = source.channel
    dim, ffn_dim = channel.feature_dim, channel.ffn_dim
    for number, (inputs, outputs) in enumerate(stage_widths(channel)):
        name = f"{CLASSIFIER}stages.{number}"
        yield f"{name}.code", ArraySpec((dim - inputs,))
        shapes = {
            "block.value": (dim, dim), "block.output": (dim, dim), "block.norm1": (dim,),
            "block.up": (ffn_dim, dim), "block.down": (dim, ffn_dim), "block.norm2": (dim,),
            "linear": (outputs, dim),
        }  # fmt: skip
        for part, shape in shapes.items():
            yield f"{name}.{part}.weight", ArraySpec(shape)
            yield f"{name}.{part}.bias", ArraySpec(shape[:1])
    yield f"{CLASSIFIER}linear.weight", ArraySpec((source.classes, dim))
    yield f"{CLASSIFIER}linear.bias", ArraySpec((source.classes,))


def read_arrays(architecture: LabelArchitecture, end: End, content: bytes) -> Arrays:
    """Return the arrays of an end's file.

    Raises:
        CheckpointError: it is not safetensors, or does not fit this architecture.
    """
    arrays = parse_arrays(content)
    is_timm = isinstance(architecture.source.encoder, TimmEncoderArchitecture)
    free = "encoder." if is_timm and end == "transmitter" else None
    check_named(array_specs(architecture, end), arrays, free=free)
    check_code(architecture.code, arrays[CODE])
    return arrays


def check_content(manifest: Any, end: End, content: bytes) -> None:
    """Check one end's file, and that the manifest is consistent.

    Raises:
        CheckpointError: as for `read_arrays`, or task, symbols, `needs_snr` or `links` do not agree
            with the architecture.
    """
    architecture = LabelArchitecture.model_validate(manifest.architecture)
    expected = Classification(classes=architecture.source.classes)
    if manifest.task != expected:
        raise CheckpointError(f"the manifest's task is not {expected!r}, as the architecture has")
    if manifest.symbols != architecture.symbols:
        raise CheckpointError(
            f"the manifest has {manifest.symbols} symbols, the architecture {architecture.symbols}"
        )
    if manifest.needs_snr or manifest.links != 1 or manifest.variable_length:
        raise CheckpointError(
            "codewords of a label codec have one length and one link, and do not depend on the SNR"
        )
    read_arrays(architecture, end, content)


LABEL = Family(
    name="label",
    title="Label",
    architecture=LabelArchitecture,
    files=FILES,
    transmitter="transmitters.label.codec:load_transmitter",
    receiver="receiver.label.codec:load_receiver",
    check="semcom.families.label:check_content",
)
