"""A codec of a few kilobytes, whose arrays fit its architecture: for tests that damage it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.checkpoints import Checkpoint, write_checkpoint
from semcom.codec_arrays import Arrays, ArraySpec, End, array_specs

ARCHITECTURE = CodecArchitecture(
    encoder=EncoderArchitecture(
        input=InputSpec(size=32),
        depths=(1, 2, 1, 1),
        width=0.05,
        stem_conv_stride=1,
        feature_dim=8,
        heads=4,
    ),
    channel=ChannelCodecArchitecture(compression_ratio=0.5, feature_dim=8, ffn_dim=8),
    classes=10,
)


def fitting_arrays(
    end: End, architecture: CodecArchitecture = ARCHITECTURE, *, seed: int = 0
) -> Arrays:
    """Arrays of an end: random weights, variances about 1, counts of 7."""
    rng = np.random.default_rng(seed)

    def values(spec: ArraySpec):
        match spec.kind:
            case "count":
                return np.full(spec.shape, 7, dtype=np.int64)
            case "variance":
                return rng.uniform(0.5, 2.0, spec.shape).astype(np.float16)
            case _:
                return rng.normal(0.0, 0.5, spec.shape).astype(np.float16)

    return {name: values(spec) for name, spec in array_specs(architecture, end).items()}


def write_small_codec(
    folder: Path,
    *,
    transmitter: Arrays | None = None,
    receiver: Arrays | None = None,
    architecture: CodecArchitecture = ARCHITECTURE,
) -> Checkpoint:
    """A codec on disk, under an honest manifest whatever its arrays are."""
    weights: dict[End, Arrays] = {
        "transmitter": fitting_arrays("transmitter") if transmitter is None else transmitter,
        "receiver": fitting_arrays("receiver") if receiver is None else receiver,
    }
    return write_checkpoint(
        folder,
        name="codec-1",
        dataset="cifar10",
        architecture=architecture,
        weights={
            end: {name: np.asarray(array) for name, array in arrays.items()}
            for end, arrays in weights.items()
        },
        training={"seed": 0},
        results={"accuracy": 0.9},
    )
