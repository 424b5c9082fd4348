"""`semcom data`: prepare data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.command_order import examples
from orchestrator.cli.options import DataDir, new_app
from orchestrator.cli.terminal import console
from orchestrator.datasets.hold_out import TEST_SHARE
from orchestrator.datasets.own_sets import prepare_own
from orchestrator.datasets.prepare import DATASETS, DRAWN, ensure, prepare
from orchestrator.datasets.text_sets import TRAIN, WORDS, TextSize, holds_text, prepare_text
from orchestrator.plan.folders import DATA
from semcom.errors import ConfigurationError
from semcom.names import check_name
from semcom.shards import MANIFEST

data_app = new_app("Prepare data sets.", "semcom data prepare cifar10")


@data_app.command(
    "prepare",
    epilog=examples(
        "semcom data prepare cifar10",
        "semcom data prepare mine --from photos",
        "semcom data prepare kodak --from kodak --tiles 32",
    ),
)
def data_prepare(  # noqa: PLR0913, PLR0917 - the options of a command
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=f"{', '.join(DATASETS)}, or a name for your own.")
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A local copy instead of a download, or your own data."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Crop and resize your own images to this many pixels per side."),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help=f"Test share of your own images without a test folder ({TEST_SHARE:g})."),
    ] = None,
    tiles: Annotated[
        int | None,
        typer.Option(help="Cut images of any size into tiles with this many pixels per side."),
    ] = None,
    words: Annotated[
        int | None,
        typer.Option(help=f"Vocabulary size of your own sentences ({WORDS})."),
    ] = None,
    sentences: Annotated[
        int | None,
        typer.Option(help=f"Largest number of training sentences of your own text ({TRAIN})."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep an existing data set if it is intact.")
    ] = False,
    data: DataDir = DATA,
) -> None:
    """Write a data set as shards: downloaded, copied or generated."""
    check_name(name, what="data set")
    of_images = (size, test_share, tiles) != (None, None, None)
    of_text = (words, sentences) != (None, None)
    if name in DATASETS and (of_images or of_text):
        raise ConfigurationError(
            "--size, --test-share, --tiles, --words, --sentences: only for your own data, not for "
            f"{name}"
        )
    if keep and (name in DRAWN or (data / name / MANIFEST).exists()):
        manifest = ensure(name, data / name)
    elif name in DATASETS or source is None:
        manifest = prepare(name, root=data / name, source=source)
    elif holds_text(source):
        if of_images:
            raise ConfigurationError(
                f"--size, --test-share, --tiles: only for images, but {source} holds text"
            )
        wanted = TextSize(
            WORDS if words is None else words, TRAIN if sentences is None else sentences
        )
        manifest = prepare_text(name, root=data / name, source=source, size=wanted)
    else:
        if of_text:
            raise ConfigurationError(
                f"--words, --sentences: only for text, but {source} holds none"
            )
        manifest = prepare_own(
            name,
            root=data / name,
            source=source,
            size=size,
            test_share=test_share,
            tiles=tiles,
        )
    console.print(f"{data / name}: {manifest.summary}")
