"""Build image codecs of the family `digital` and choose their modes (no torch)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import End, format_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.errors import ConfigurationError
from semcom.families.digital import MEAN, DigitalArchitecture, ImageSource, reconstruction_of
from semcom.families.digital_making import SYSTEM, check_free
from semcom.families.image_formats import ImageFormat, check_format
from semcom.families.image_modes import (
    Candidate,
    Curve,
    FadingOfModes,
    candidates,
    choose,
    file_psnrs,
    mean_psnr,
)
from semcom.shards import Shard

OF_MEAN = 10_000  # largest number of training images for the mean colour


@dataclass(frozen=True, kw_only=True)
class ImageChoice:
    """The format, size and channel for which an image codec is built.

    Attributes:
        kind: format of the files.
        symbols: K of a codeword.
        channel: for which its modes are chosen.
        images: number of images for the choice, the first ones of the validation split.
        blocks: number of blocks for measuring errors.
    """

    kind: ImageFormat
    symbols: int = 512
    channel: FadingOfModes = "awgn"
    images: int = 200
    blocks: int = 100


def make_image_codec(
    shard: Shard,
    folder: Path,
    choice: ImageChoice,
    *,
    measure: Callable[[Sequence[Candidate]], Sequence[Curve]],
) -> Checkpoint:
    """Write an image codec into its own folder.

    Args:
        shard: images outside the test split.
        folder: target; its name is the codec's.
        choice: what it is built for.
        measure: returns the error rates of codes over AWGN.

    Raises:
        CheckpointError: the folder holds a codec, or the images are too small for the task.
        ConfigurationError: Pillow lacks the format, or no code has this many symbols.
        StorageError: the disk is full or cannot be written.
    """
    check_free(folder)
    library = check_format(choice.kind)
    codes = candidates(choice.symbols)
    if not codes:
        raise ConfigurationError(f"no block of 5G NR has {choice.symbols} symbols")
    mean = np.rint(shard.images_NHWC[:OF_MEAN].mean(axis=(0, 1, 2))).astype(np.uint8)
    images = np.array(shard.images_NHWC[: choice.images])
    psnrs = file_psnrs(images, choice.kind, [code.block_bytes for code in codes], mean)
    failed = mean_psnr(np.broadcast_to(mean, images.shape), images)
    curves = measure(codes)
    rated = list(zip(codes, curves, psnrs, strict=True))
    modes = choose(rated, failed_psnr_db=failed, channel=choice.channel)
    height, width, channels = images.shape[1:]
    architecture = DigitalArchitecture(
        source=ImageSource(kind=choice.kind, symbols=choice.symbols, modes=modes),
        item=(height, width, channels),
    )
    content = format_arrays({MEAN: mean})
    contents: dict[End, bytes] = {"transmitter": content, "receiver": content}
    manifest = FamilyManifest(
        family="digital",
        name=folder.name,
        system=f"{SYSTEM}-{choice.kind}",
        dataset=shard.manifest.name,
        task=reconstruction_of(architecture),
        symbols=choice.symbols,
        needs_snr=True,
        architecture=architecture.model_dump(mode="json"),
        weights=weight_files(contents),
        training={
            "made_of": shard.manifest.name,
            "dataset_sha256": shard.digest,
            "split": shard.split,
            "images": len(images),
            "blocks": choice.blocks,
            "channel": choice.channel,
            "library": library,
        },
        results={
            "mean_colour_psnr": failed,
            "modes": [
                {
                    "bits_per_symbol": code.bits_per_symbol,
                    "block_bytes": code.block_bytes,
                    "psnr": psnr,
                    "block_errors_by_snr_db": {
                        f"{snr_db:g}": share
                        for snr_db, share in zip(curve.snr_db, curve.share, strict=True)
                    },
                }
                for code, curve, psnr in rated
            ],
        },
    )
    return write_codec(folder, manifest, contents)
