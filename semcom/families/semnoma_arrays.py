"""The arrays of a codec of the family `semnoma`, derived from its architecture (no torch).

Shape legend: as in the networks; names are those of their modules.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from semcom.codec_arrays import ArraySpec, End
from semcom.families.array_names import Specs, layer_specs, norm_specs

if TYPE_CHECKING:
    from semcom.families.semnoma import SemnomaArchitecture

SIDE_WIDTH = 128
EXPANSION = 4
DEPTHWISE = 7
UNITS = 3


def array_specs(architecture: SemnomaArchitecture, end: End) -> dict[str, ArraySpec]:
    """Return the arrays of one end of a codec, by name."""
    if end == "transmitter":
        return dict(_encoder(architecture))
    decoders = (_decoder(architecture, f"decoders.{user}") for user in range(architecture.users))
    return {name: spec for decoder in decoders for name, spec in decoder}


def _encoder(architecture: SemnomaArchitecture) -> Specs:
    (height, width, colours), (wide, deep) = architecture.item, architecture.widths
    yield "encoder.planes", ArraySpec((architecture.users, 1, height, width))
    yield from layer_specs("encoder.shrink.0", (wide, colours + 1, 4, 4))
    yield from norm_specs("encoder.enter.0", wide)
    yield from layer_specs("encoder.shrink.1", (deep, wide, 2, 2))
    yield from norm_specs("encoder.enter.1", wide)
    for stage, channels in enumerate(architecture.widths):
        place = f"encoder.stages.{stage}"
        blocks = architecture.blocks[stage]
        yield from _stage(architecture, place, (channels, blocks), architecture.encoder_side_values)
    yield from norm_specs("encoder.leave", deep)
    yield from layer_specs("encoder.output", (architecture.channels, deep, 1, 1))


def _decoder(architecture: SemnomaArchitecture, name: str) -> Specs:
    wide, deep = architecture.widths
    yield from layer_specs(f"{name}.input", (deep, architecture.channels, 1, 1))
    yield from norm_specs(f"{name}.enter", deep)
    for stage, (channels, blocks) in enumerate(
        zip((deep, wide), reversed(architecture.blocks), strict=True)
    ):
        place = f"{name}.stages.{stage}"
        yield from _stage(architecture, place, (channels, blocks), architecture.decoder_side_values)
        yield from norm_specs(f"{name}.grow.{stage}.0", channels)
        yield from layer_specs(f"{name}.grow.{stage}.1", (4 * wide, channels, 3, 3))
    yield from layer_specs(f"{name}.output", (architecture.item[2], wide, 1, 1))


def _stage(
    architecture: SemnomaArchitecture, name: str, size: tuple[int, int], side_values: int
) -> Specs:
    """Return the arrays of blocks, AF module and attention block; `size`: channels and blocks."""
    channels, blocks = size
    for block in range(blocks):
        yield from _convnext(f"{name}.blocks.{block}", channels)
    yield from layer_specs(f"{name}.feature.side.0", (SIDE_WIDTH, side_values))
    yield from norm_specs(f"{name}.feature.side.1", SIDE_WIDTH)
    yield from layer_specs(f"{name}.feature.side.3", (channels, SIDE_WIDTH))
    hidden = (factor * channels for factor in architecture.fusion)
    for number, (inputs, outputs) in enumerate(pairwise((2 * channels, *hidden, channels))):
        yield from layer_specs(f"{name}.feature.scale.{2 * number}", (outputs, inputs))
    if architecture.attention:
        for branch in ("trunk", "mask"):
            for unit in range(UNITS):
                yield from _unit(f"{name}.attention.{branch}.{unit}", channels)
        yield from layer_specs(f"{name}.attention.mask.{UNITS}", (channels, channels, 1, 1))


def _convnext(name: str, channels: int) -> Specs:
    yield f"{name}.scale", ArraySpec((channels,))
    yield from layer_specs(f"{name}.depthwise", (channels, 1, DEPTHWISE, DEPTHWISE))
    yield from norm_specs(f"{name}.norm", channels)
    yield from layer_specs(f"{name}.up", (EXPANSION * channels, channels))
    yield from layer_specs(f"{name}.down", (channels, EXPANSION * channels))


def _unit(name: str, channels: int) -> Specs:
    half = channels // 2
    yield from layer_specs(f"{name}.reduce", (half, channels, 1, 1))
    yield from layer_specs(f"{name}.middle", (half, half, 3, 3))
    yield from layer_specs(f"{name}.expand", (channels, half, 1, 1))
