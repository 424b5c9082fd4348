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
    epilog=examples("semcom data prepare cifar10", "semcom data prepare mine --from photos"),
)
def data_prepare(  # noqa: PLR0913, PLR0917 - the options of a command
    name: Annotated[
        str, typer.Argument(metavar="NAME", help=f"{', '.join(DATASETS)}, or one of your own.")
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A local copy instead of the download, or your own items."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Crop and resize your own images to so many pixels a side."),
    ] = None,
    test_share: Annotated[
        float | None,
        typer.Option(help=f"Of your own images, if they have no test folder ({TEST_SHARE:g})."),
    ] = None,
    words: Annotated[
        int | None,
        typer.Option(help=f"Of your own sentences: words of the vocabulary ({WORDS})."),
    ] = None,
    sentences: Annotated[
        int | None, typer.Option(help=f"... sentences to train on, at most ({TRAIN}).")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it if it is there and whole.")
    ] = False,
    data: DataDir = DATA,
) -> None:
    """Write a data set as shards: downloaded, copied or drawn."""
    check_name(name, what="data set")
    of_images, of_text = (size, test_share) != (None, None), (words, sentences) != (None, None)
    if name in DATASETS and (of_images or of_text):
        raise ConfigurationError(
            f"--size, --test-share, --words, --sentences: of your own items, not of {name}"
        )
    if keep and (name in DRAWN or (data / name / MANIFEST).exists()):
        manifest = ensure(name, data / name)
    elif name in DATASETS or source is None:
        manifest = prepare(name, root=data / name, source=source)
    elif holds_text(source):
        if of_images:
            raise ConfigurationError(f"--size, --test-share: of images, {source} holds text")
        wanted = TextSize(
            WORDS if words is None else words, TRAIN if sentences is None else sentences
        )
        manifest = prepare_text(name, root=data / name, source=source, size=wanted)
    else:
        if of_text:
            raise ConfigurationError(f"--words, --sentences: of text, {source} holds none")
        manifest = prepare_own(
            name, root=data / name, source=source, size=size, test_share=test_share
        )
    console.print(f"{data / name}: {manifest.summary}")
