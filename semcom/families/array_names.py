"""Arrays of common layers, with torch's names (no torch)."""

from __future__ import annotations

from collections.abc import Iterator

from semcom.codec_arrays import ArraySpec

Specs = Iterator[tuple[str, ArraySpec]]


def layer_specs(name: str, shape: tuple[int, ...]) -> Specs:
    """Return weight and bias of a linear or convolutional layer."""
    yield f"{name}.weight", ArraySpec(shape)
    yield f"{name}.bias", ArraySpec(shape[:1])


def norm_specs(name: str, channels: int) -> Specs:
    """Return scale and shift of a layer norm or group norm."""
    yield f"{name}.weight", ArraySpec((channels,))
    yield f"{name}.bias", ArraySpec((channels,))
