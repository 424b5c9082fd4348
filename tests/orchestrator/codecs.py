"""Tiny codecs with random weights, and a data set that fits them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from receiver.codec import ReceiverCodec
from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.checkpoints import Checkpoint, write_checkpoint
from semcom.nn.weights import to_arrays
from semcom.shards import write_dataset
from transmitters.codec import TransmitterCodec

CLASSES = 4
DIM = 32


def tiny_architecture(system: str = "rkd-sc", **channel) -> CodecArchitecture:
    image = InputSpec(size=32)
    if system == "jscc-teacher":
        encoder = ConvEncoderArchitecture(
            input=image, blocks=((8,), (16,)), hidden=0, whiten=False, feature_dim=DIM
        )
    else:
        encoder = EncoderArchitecture(
            input=image, depths=(1, 1, 1, 1), width=0.25, stem_conv_stride=1, feature_dim=DIM
        )
    return CodecArchitecture(
        encoder=encoder,
        channel=ChannelCodecArchitecture(system=system, feature_dim=DIM, ffn_dim=DIM, **channel),
        classes=CLASSES,
    )


def write_codec(
    folder: Path, *, dataset: str = "tiny", system: str = "rkd-sc", seed: int = 0, **channel
) -> Checkpoint:
    """A codec whose features differ enough from image to image to give several answers."""
    torch.manual_seed(seed)
    architecture = tiny_architecture(system, **channel)
    transmitter, receiver = TransmitterCodec(architecture), ReceiverCodec(architecture)
    with torch.no_grad():
        for module in transmitter.modules.values():
            for parameter in module.parameters():
                parameter.mul_(2.0)
    return write_checkpoint(
        folder,
        name=folder.name,
        dataset=dataset,
        architecture=architecture,
        weights={
            "transmitter": to_arrays(transmitter.modules),
            "receiver": to_arrays(receiver.modules),
        },
        training={"teacher_parameters": 1_000_000},
        results={},
    )


def write_images(folder: Path, images: int = 60) -> None:
    """Images of noise, each class brighter than the one before."""
    rng = np.random.default_rng(0)
    labels_N = rng.integers(0, CLASSES, images)
    images_NHWC = rng.integers(0, 64, (images, 32, 32, 3)) + 60 * labels_N[:, None, None, None]
    write_dataset(
        folder,
        name=folder.name,
        classes=[f"class {index}" for index in range(CLASSES)],
        source="made up",
        splits={"test": (images_NHWC.astype(np.uint8), labels_N.astype(np.uint16))},
    )
