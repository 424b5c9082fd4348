"""`semcom bound`: an upper bound on any channel code."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from orchestrator.cli.command_order import examples
from orchestrator.cli.options import DataDir, new_app
from orchestrator.cli.terminal import console, new_table
from orchestrator.evaluation.scenario_of_codecs import parse_snr_db
from orchestrator.plan.folders import DATA
from orchestrator.plan.snr_points import SnrRange
from orchestrator.reports.image_bound import Arrangement, as_csv, bound_rows, table_rows
from semcom.errors import ConfigurationError, StorageError
from semcom.families.image_formats import WRITERS, ImageFormat
from semcom.files import write_atomically
from semcom.frame_messages import MAX_SYMBOLS
from semcom.groups import MAX_MEMBERS
from semcom.points import SNR_MAX_DB, SNR_MIN_DB
from semcom.shards import Shard

bound_app = new_app(
    "Compute upper bounds that no channel code can exceed.", "semcom bound images cifar10"
)
SNRS_DB = "0:20:5"


@bound_app.command(
    "images",
    epilog=examples(
        "semcom bound images cifar10", "semcom bound images cifar10 --users 2 --out bound.csv"
    ),
)
def bound_images(  # noqa: PLR0913 - the options of a command
    name: Annotated[str, typer.Argument(metavar="NAME", help="A data set of images.")],
    *,
    snr_db: Annotated[str, typer.Option("--snr-db", help="START:STOP:STEP or a list.")] = SNRS_DB,
    symbols: Annotated[
        int,
        typer.Option(min=1, max=MAX_SYMBOLS, help="Complex symbols for one image of every user."),
    ] = 512,
    users: Annotated[
        int, typer.Option(min=1, max=MAX_MEMBERS, help="Number of users that share the symbols.")
    ] = 1,
    single: Annotated[str, typer.Option(help="Formats of single images.")] = "webp,vp8",
    mosaic: Annotated[
        str, typer.Option(help="Formats of mosaics of 64 images.")
    ] = "webp,avif,jpeg",
    images: Annotated[
        int, typer.Option(min=1, help="Number of test images, from the first on.")
    ] = 320,
    out: Annotated[Path | None, typer.Option(help="Also write the table as CSV.")] = None,
    data: DataDir = DATA,
) -> None:
    """Compute the PSNR of image formats at capacity over AWGN.

    Every image has (symbols / users) log2(1 + SNR) bits, as a single file or as its share of a
    mosaic of 64 images.
    """
    formats = [*_formats("single", single), *_formats("mosaic", mosaic)]
    shard = Shard(data / name, "test")
    rows = bound_rows(
        np.array(shard.images_NHWC[:images]), formats,
        snrs_db=_snrs_db(snr_db), symbols=symbols, users=users,
    )  # fmt: skip
    content = as_csv(rows)
    head, cells = table_rows(csv.DictReader(io.StringIO(content)))
    table = new_table(*head)
    for row in cells:
        table.add_row(*row)
    console.print(table)
    if out is not None:
        try:
            write_atomically(out, content.encode())
        except OSError as error:
            raise StorageError(f"cannot write {out}: {error.strerror}") from error


def _snrs_db(text: str) -> list[float]:
    points = parse_snr_db(text)
    if isinstance(points, dict):
        return SnrRange.model_validate(points).values
    if wrong := [each for each in points if not SNR_MIN_DB <= each <= SNR_MAX_DB]:
        raise ConfigurationError(
            f"--snr-db {wrong[0]:g}: SNRs are {SNR_MIN_DB:g} to {SNR_MAX_DB:g} dB"
        )
    return points


def _formats(arrangement: Arrangement, named: str) -> list[tuple[Arrangement, ImageFormat]]:
    found: list[tuple[Arrangement, ImageFormat]] = []
    for name in filter(None, (each.strip() for each in named.split(","))):
        kind = next((each for each in WRITERS if each == name), None)
        if kind is None:
            raise ConfigurationError(
                f"--{arrangement} {name[:20]!r}: available: {', '.join(WRITERS)}"
            )
        found.append((arrangement, kind))
    return found
