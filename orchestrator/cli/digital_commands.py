"""`semcom checkpoints digital`: codecs made of a source code, a channel code and QAM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from orchestrator.cli.options import CodecDir, DataDir
from orchestrator.cli.terminal import console
from orchestrator.plan.block_errors import block_errors
from orchestrator.plan.folders import CODECS, DATA
from semcom.errors import ConfigurationError
from semcom.families.digital import BitsPerSymbol
from semcom.families.digital_image_making import ImageChoice, make_image_codec
from semcom.families.digital_making import make_sentence_codec
from semcom.families.image_formats import ImageFormat
from semcom.families.image_modes import FadingOfModes
from semcom.families.sentence_code import SentenceCodeKind
from semcom.frame_messages import MAX_SYMBOLS
from semcom.names import NAME_PATTERN, is_name
from semcom.shards import Shard, read_manifest
from semcom.text_shards import TextShard

Modulation = Literal["qpsk", "16-qam", "64-qam"]
BITS: dict[Modulation, BitsPerSymbol] = {"qpsk": 2, "16-qam": 4, "64-qam": 6}
Source = Literal["huffman", "five-bit", "word-huffman", "webp", "vp8", "jpeg", "avif"]
OF_IMAGES: tuple[ImageFormat, ...] = get_args(ImageFormat)
OF_SENTENCES: tuple[SentenceCodeKind, ...] = get_args(SentenceCodeKind)
DIGITAL_EXAMPLES = (
    "semcom checkpoints digital words --data-set europarl --source word-huffman",
    "semcom checkpoints digital vp8 --data-set cifar10 --source vp8 --channel rayleigh",
)


def checkpoints_digital(  # noqa: PLR0913 - the options of a command
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new codec.")],
    *,
    data_set: Annotated[str, typer.Option("--data-set", help="Data set for which it is made.")],
    source: Annotated[Source, typer.Option(help="Source code of sentences, or image format.")],
    modulation: Annotated[
        Modulation | None,
        typer.Option(help="For sentences: modulation (qpsk for word-huffman, otherwise 16-qam)."),
    ] = None,
    symbols: Annotated[
        int | None,
        typer.Option(min=8, max=MAX_SYMBOLS, help="For images: symbols per codeword (512)."),
    ] = None,
    channel: Annotated[
        FadingOfModes | None,
        typer.Option(help="For images: channel for which QAM and rates are chosen (awgn)."),
    ] = None,
    images: Annotated[
        int, typer.Option(min=1, help="For images: images compressed to choose QAM and rates.")
    ] = 200,
    blocks: Annotated[
        int,
        typer.Option(
            min=10, help="For images: blocks sent per code and SNR to choose QAM and rates."
        ),
    ] = 100,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
) -> None:
    """Create a codec that sends bits with LDPC codes and QAM.

    A source code converts sentences to bits, an image format converts images. The channel codes are
    those of 5G NR. Code tables are built from the training split; QAM and rates for images are
    chosen on the validation split if there is one, otherwise on the training split. Hosts that run
    the codec need the extra digital.
    """
    if not is_name(name):
        raise ConfigurationError(f"{name[:64]!r}: a name matches {NAME_PATTERN}")
    if source in OF_SENTENCES:
        if symbols is not None or channel is not None:
            raise ConfigurationError(
                f"--symbols, --channel: only for images; {source} is for sentences"
            )
        codec = make_sentence_codec(
            TextShard(data / data_set, "train"),
            codecs / name,
            kind=next(kind for kind in OF_SENTENCES if kind == source),
            bits_per_symbol=None if modulation is None else BITS[modulation],
        )
    else:
        if modulation is not None:
            raise ConfigurationError(
                "--modulation: only for sentences; for images it depends on the SNR"
            )
        choice = ImageChoice(
            kind=next(kind for kind in OF_IMAGES if kind == source),
            symbols=512 if symbols is None else symbols,
            channel=channel or "awgn",
            images=images,
            blocks=blocks,
        )
        codec = make_image_codec(
            _shard_to_choose_on(data / data_set),
            codecs / name,
            choice,
            measure=lambda codes: block_errors(codes, symbols=choice.symbols, blocks=choice.blocks),
        )
    console.print(
        f"{name}: {codec.manifest.symbols} symbols, digest {codec.digest}, in {codec.folder}"
    )


def _shard_to_choose_on(folder: Path) -> Shard:
    splits = read_manifest(folder).splits
    return Shard(folder, "validation" if "validation" in splits else "train")
