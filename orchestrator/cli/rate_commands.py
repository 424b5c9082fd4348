"""`semcom checkpoints rates`: the table that says how much of ordered codewords is sent."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import CodecDir, DataDir
from orchestrator.cli.terminal import console, new_table
from orchestrator.evaluation.scenario_of_codecs import parse_channels
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import CODECS, DATA
from orchestrator.plan.measured_rates import make_rates
from semcom.channel_choice import read_channel
from semcom.errors import ConfigurationError
from semcom.plain_text import command
from semcom.tasks.ordered_classification import OrderedClassification

RATES_EXAMPLES = (
    "semcom checkpoints rates my-nested",
    "semcom checkpoints rates my-nested --channels rayleigh --tolerance 0.01",
)


def checkpoints_rates(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An ordered codec of your own.")],
    *,
    channels: Annotated[
        str, typer.Option(help="Channel models for which the table is made.")
    ] = "awgn,rayleigh",
    tolerance: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Share of correct answers that may be lost compared with all increments.",
        ),
    ] = 0.005,
    images: Annotated[int, typer.Option(min=1, help="At most this many images are sent.")] = 2000,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
) -> None:
    """Make the table of increments by SNR.

    For each SNR, the table gives the smallest number of increments that costs at most the
    tolerance over every channel. A scenario uses it with `increments: [snr]`. It is computed on
    validation images, or on training images that the training run left out; if there are none, on
    the last training images.
    The codec's digest does not change.
    """
    catalog = Catalog(codecs)
    checkpoint = catalog.verified(name)
    if catalog.is_shipped(name):
        copy = command("semcom", "checkpoints", "export", name, codecs)
        raise ConfigurationError(f"codec {name} is a shipped one; copy it first with: {copy}")
    made, chosen = make_rates(
        checkpoint,
        data / checkpoint.manifest.dataset,
        channels=[read_channel(each, where="--channels") for each in parse_channels(channels)],
        images=images,
        tolerance=tolerance,
    )
    task, rates = made.manifest.task, made.manifest.snr_rates
    assert isinstance(task, OrderedClassification)
    assert rates is not None
    table = new_table("from Es/N0", "increments", "symbols")
    for step in rates.steps:
        symbols = task.lengths[step.increments - 1]
        table.add_row(f"{step.snr_db:g} dB", str(step.increments), str(symbols))
    console.print(table)
    seen = "" if chosen.held_out else ", which the codec was trained on"
    console.print(f"{name}: made on {chosen.stop - chosen.first} {chosen.split} images{seen}")
