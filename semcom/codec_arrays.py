"""The arrays that a codec must contain, derived from its architecture, and their check (no torch).

Everything that reads weights calls `check_arrays`: `semcom checkpoints verify`, both
engines of a transmitter, receivers, training. A codec is therefore accepted or refused everywhere
alike, and no network is built for weights that do not fit. The probes of `semcom/probe.py` then
check that the networks' outputs are finite.

Shape legend: D feature width, c reals of a codeword, T classes, C channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as format_safetensors

from semcom.architecture import (
    EXPANSION,
    STAGE_STRIDES,
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    TimmEncoderArchitecture,
)
from semcom.errors import CheckpointError

End = Literal["transmitter", "receiver"]
Arrays = dict[str, npt.NDArray[np.generic]]
Kind = Literal["weight", "variance", "count"]
FLOATING = (np.float16, np.float32, np.float64)
MAX_QUOTED = 200  # characters of a name that a file gives


@dataclass(frozen=True)
class ArraySpec:
    """One array: a `variance` is a non-negative weight, a `count` a non-negative int64."""

    shape: tuple[int, ...]
    kind: Kind = "weight"


Specs = Iterator[tuple[str, ArraySpec]]


def array_specs(architecture: CodecArchitecture, end: End) -> dict[str, ArraySpec]:
    """Return the arrays of one end of a codec, by name.

    The names inside a timm model are timm's own and not included.
    """
    channel = architecture.channel
    if end == "transmitter":
        return dict([*_encoder(architecture), *_channel_encoder(channel)])
    head = _linear("head.linear", channel.feature_dim, architecture.classes)
    return dict([*_channel_decoder(channel), *head])


def parse_arrays(content: bytes) -> Arrays:
    """Return the arrays of a safetensors file.

    Raises:
        CheckpointError: it is not valid.
    """
    try:
        arrays: Arrays = parse_safetensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"is not safetensors: {_line(str(error))}") from error
    return arrays


def format_arrays(arrays: Arrays) -> bytes:
    """Return arrays as the content of a safetensors file."""
    return format_safetensors(dict(arrays))


def check_content(manifest: Any, end: End, content: bytes) -> None:
    """Check one end's file as a codec of the paper's families has it.

    Raises:
        CheckpointError: it is not safetensors, or does not fit this architecture; see
            `check_arrays`.
    """
    check_arrays(manifest.architecture, end, parse_arrays(content))


def check_arrays(architecture: CodecArchitecture, end: End, arrays: Arrays) -> None:
    """Check names, shapes, types and values of one end's arrays.

    Raises:
        CheckpointError: they do not fit this architecture, or no network can use them; one line
            names the first wrong array.
    """
    specs = array_specs(architecture, end)
    is_timm = isinstance(architecture.encoder, TimmEncoderArchitecture)
    free = "encoder." if is_timm and end == "transmitter" else None  # names that only timm knows
    check_named(specs, arrays, free=free)


def check_named(specs: dict[str, ArraySpec], arrays: Arrays, *, free: str | None = None) -> None:
    """Check arrays of any family against their specifications.

    Args:
        specs: of each array, by name.
        arrays: of a file.
        free: prefix of names that `specs` need not contain.

    Raises:
        CheckpointError: they differ, or no network can use them.
    """
    for name in specs:
        if name not in arrays:
            raise _misfit(f"{name} is missing")
    for name, array in arrays.items():
        spec = specs.get(name)
        if spec is None and not (free is not None and name.startswith(free)):
            raise CheckpointError(f"weights '{_line(name)}' belong to no part of this codec")
        if spec is not None or array.dtype.kind == "f":  # timm also has tables of integers
            _check_array(name, array, spec or ArraySpec(array.shape, _kind(name)))


def _check_array(name: str, array: npt.NDArray[np.generic], spec: ArraySpec) -> None:
    if array.shape != spec.shape:
        hint = ""
        if name.startswith("head.") and array.ndim == len(spec.shape):
            hint = f": {array.shape[0]} classes, the manifest says {spec.shape[0]}"
        raise _misfit(f"{_line(name)} has shape {array.shape}, not {spec.shape}{hint}")
    if spec.kind == "count":
        if array.dtype != np.int64:
            raise _misfit(f"{_line(name)} is {array.dtype}, not int64")
        if array.size and int(np.min(array)) < 0:
            raise _misfit(f"{_line(name)} is a negative count")
        return
    if array.dtype not in FLOATING:
        raise _misfit(f"{_line(name)} is {array.dtype}")
    if not np.isfinite(array).all():
        raise CheckpointError(f"{_line(name)} holds NaN or Inf")
    with np.errstate(over="ignore"):  # seen by the next line
        single = array.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        raise _misfit(f"{_line(name)} does not fit float32")
    if spec.kind == "variance" and bool((single < 0).any()):
        raise _misfit(f"{_line(name)} holds a negative variance")


def _misfit(text: str) -> CheckpointError:
    return CheckpointError(f"weights do not fit the codec: {text}")


def _kind(name: str) -> Kind:
    """Return the kind of an array of a timm model, by torch's names in a batch norm."""
    if name.endswith("num_batches_tracked"):
        return "count"
    return "variance" if name.endswith("running_var") else "weight"


def _line(name: str) -> str:
    return " ".join(name.split())[:MAX_QUOTED]


def _encoder(architecture: CodecArchitecture) -> Specs:
    match architecture.encoder:
        case EncoderArchitecture() as encoder:
            yield from _student(encoder)
        case ConvEncoderArchitecture() as encoder:
            yield from _conv_encoder(encoder)
        case TimmEncoderArchitecture():
            return


def _student(encoder: EncoderArchitecture) -> Specs:
    channels = 3
    for number, width in enumerate(encoder.stem_channels, 1):
        yield from _conv(f"encoder.stem.conv{number}", channels, width, kernel=3)
        yield from _norm(f"encoder.stem.bn{number}", width)
        channels = width
    for stage, depth in enumerate(encoder.depths):
        planes, stride = encoder.stage_planes[stage], STAGE_STRIDES[stage]
        for block in range(depth):
            name, out = f"encoder.stages.{stage}.{block}", planes * EXPANSION
            widths = ((channels, planes, 1), (planes, planes, 3), (planes, out, 1))
            for number, (inputs, outputs, kernel) in enumerate(widths, 1):
                yield from _conv(f"{name}.conv{number}", inputs, outputs, kernel=kernel)
                yield from _norm(f"{name}.bn{number}", outputs)
            if block == 0 and (stride > 1 or channels != out):
                yield from _conv(f"{name}.shortcut.1", channels, out, kernel=1)
                yield from _norm(f"{name}.shortcut.2", out)
            channels = out
    yield "encoder.pool.position", ArraySpec((encoder.last_map_size**2 + 1, channels))
    for part in ("query", "key", "value"):
        yield from _linear(f"encoder.pool.{part}", channels, channels)
    yield from _linear("encoder.pool.output", channels, encoder.feature_dim)


def _conv_encoder(encoder: ConvEncoderArchitecture) -> Specs:
    channels, layer = 3, 0
    if encoder.whiten:
        kernel = 2 * encoder.first_stride
        channels, layer = 6 * kernel**2, 1
        yield from _conv("encoder.trunk.0", 3, channels, kernel=kernel)
    for index, widths in enumerate(encoder.blocks):
        for width in widths:
            yield from _conv_norm(f"encoder.trunk.{layer}", channels, width)
            channels, layer = width, layer + 1
        layer += index < len(encoder.blocks) - 1  # the pooling
        if index in encoder.residual_after:
            for number in range(2):
                yield from _conv_norm(f"encoder.trunk.{layer}.body.{number}", channels, channels)
            layer += 1
    if encoder.hidden:
        inputs, layer = channels * encoder.last_map_size**2, layer + 1  # the flattening
        yield f"encoder.trunk.{layer}.weight", ArraySpec((encoder.hidden, inputs))
        yield from _norm(f"encoder.trunk.{layer + 1}", encoder.hidden)
        channels = encoder.hidden
    yield from _linear("encoder.project", channels, encoder.feature_dim)
    yield from _statistics("encoder.standardize", encoder.feature_dim)


def _channel_encoder(channel: ChannelCodecArchitecture) -> Specs:
    if channel.is_direct:
        return
    yield from _block("channel_encoder.block", channel)
    yield from _linear("channel_encoder.reduce", channel.feature_dim, channel.codeword_dim)
    if channel.tx_csi:
        yield from _linear("channel_encoder.snr_code.linear", 1, channel.feature_dim)


def _channel_decoder(channel: ChannelCodecArchitecture) -> Specs:
    if channel.is_direct:
        return
    dim, codeword = channel.feature_dim, channel.codeword_dim
    for number, (name, outputs) in enumerate((("reduce", codeword), ("output", dim))):
        inputs = 1 + len(channel.increments or ())
        yield from _linear(f"decoder.snr_code{number}.linear", inputs, dim - codeword)
        yield from _block(f"decoder.block{number}", channel)
        yield from _linear(f"decoder.{name}", dim, outputs)


def _block(name: str, channel: ChannelCodecArchitecture) -> Specs:
    """Arrays of a transformer block over one token."""
    dim, inner = channel.feature_dim, channel.ffn_dim
    for part, inputs, outputs in (
        ("value", dim, dim), ("output", dim, dim), ("up", dim, inner), ("down", inner, dim),
    ):  # fmt: skip
        yield from _linear(f"{name}.{part}", inputs, outputs)
    for part in ("norm1", "norm2"):
        yield f"{name}.{part}.weight", ArraySpec((dim,))
        yield f"{name}.{part}.bias", ArraySpec((dim,))


def _linear(name: str, inputs: int, outputs: int) -> Specs:
    yield f"{name}.weight", ArraySpec((outputs, inputs))
    yield f"{name}.bias", ArraySpec((outputs,))


def _conv(name: str, inputs: int, outputs: int, *, kernel: int) -> Specs:
    yield f"{name}.weight", ArraySpec((outputs, inputs, kernel, kernel))


def _conv_norm(name: str, inputs: int, outputs: int) -> Specs:
    yield from _conv(f"{name}.0", inputs, outputs, kernel=3)
    yield from _norm(f"{name}.1", outputs)


def _norm(name: str, width: int) -> Specs:
    """Arrays of a batch norm with scale and shift."""
    yield f"{name}.weight", ArraySpec((width,))
    yield f"{name}.bias", ArraySpec((width,))
    yield from _statistics(name, width)


def _statistics(name: str, width: int) -> Specs:
    yield f"{name}.running_mean", ArraySpec((width,))
    yield f"{name}.running_var", ArraySpec((width,), "variance")
    yield f"{name}.num_batches_tracked", ArraySpec((), "count")
