"""`semcom checkpoints`: list, check and copy codecs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.command_order import examples
from orchestrator.cli.options import CodecDir, DataDir, new_app
from orchestrator.cli.terminal import console, new_table
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.codec_probe import run_networks
from orchestrator.plan.folders import CODECS, DATA
from orchestrator.reports.metric_texts import stated_text
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families.label_code import LabelCode
from semcom.families.label_making import make_label_codec
from semcom.frame_messages import MAX_SYMBOLS
from semcom.names import NAME_PATTERN, is_name

checkpoints_app = new_app("List, check and copy codecs.", "semcom checkpoints list")


Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Codecs (default: all).")]


@checkpoints_app.command("list", epilog=examples("semcom checkpoints list"))
def checkpoints_list(codecs: CodecDir = CODECS) -> None:
    """List your codecs and the shipped ones.

    A shipped codec is used if --codecs has none with the same name.
    """
    table = new_table(
        "codec",
        "data set",
        "family",
        "system",
        "task",
        "symbols",
        "noise-free",
        "MB",
        "digest",
        "from",
    )
    catalog = Catalog(codecs)
    for name in catalog.all_names():
        manifest = catalog.open(name).manifest
        metric = manifest.task.METRICS[0]
        table.add_row(
            name,
            manifest.dataset,
            manifest.family.name,
            manifest.system,
            manifest.task.kind,
            str(manifest.symbols),
            stated_text(metric, manifest.results.get(f"noise_free_{metric.name}")),
            f"{sum(file.bytes for file in manifest.weights.values()) / 1e6:.1f}",
            manifest.digest[:12],
            "shipped" if catalog.is_shipped(name) else str(codecs),
        )
    console.print(table)


@checkpoints_app.command("verify", epilog=examples("semcom checkpoints verify cifar10"))
def checkpoints_verify(
    names: Names = None,
    codecs: CodecDir = CODECS,
) -> None:
    """Check codecs and run their networks once.

    Manifests, digests, shapes and values are checked.
    """
    catalog = Catalog(codecs)
    chosen = names or catalog.names()
    if not chosen:
        raise CheckpointError(f"no codec in {codecs}")
    verified = {name: catalog.verified(name) for name in chosen}
    remarks = run_networks([checkpoint.folder for checkpoint in verified.values()])
    for name, checkpoint in verified.items():
        console.print(f"{name}: ok, digest {checkpoint.digest}")
    for remark in remarks:
        console.print(remark)


@checkpoints_app.command("classes", epilog=examples("semcom checkpoints classes my-codec"))
def checkpoints_classes(
    names: Names = None,
    codecs: CodecDir = CODECS,
    data: DataDir = DATA,
) -> None:
    """Add class names to codecs of earlier versions.

    A codec's digest does not change.
    """
    catalog = Catalog(codecs, own_only=True)
    for name in names or catalog.names():
        classes = catalog.name_classes(name, data).manifest.classes
        assert classes is not None
        console.print(f"{name}: {len(classes)} classes, from {classes[0]} to {classes[-1]}")


@checkpoints_app.command(
    "label",
    epilog=examples(
        "semcom checkpoints label cifar10",
        "semcom checkpoints label cifar10 --name short --symbols 26",
    ),
)
def checkpoints_label(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A codec of rkd or jscc.")],
    *,
    made: Annotated[
        str | None, typer.Option("--name", help="Name of the new codec (NAME-label).")
    ] = None,
    code: Annotated[
        LabelCode | None,
        typer.Option(help="Code for the classes (default: simplex if it fits into the symbols)."),
    ] = None,
    symbols: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_SYMBOLS, help="Symbols per codeword (default: as many as NAME sends)."
        ),
    ] = None,
    codecs: CodecDir = CODECS,
) -> None:
    """Create a codec that sends only the class.

    The transmitter classifies as NAME does without noise; the receiver detects the codeword of a
    class. Its curve is the label bound of NAME.
    """
    source = Catalog(codecs).verified(name)
    wanted = f"{name}-label" if made is None else made
    if not is_name(wanted):
        raise ConfigurationError(f"--name {wanted[:64]!r}: a name matches {NAME_PATTERN}")
    codec = make_label_codec(source, codecs / wanted, code=code, symbols=symbols)
    console.print(
        f"{wanted}: {codec.manifest.symbols} symbols, digest {codec.digest}, in {codec.folder}"
    )


@checkpoints_app.command(
    "export", epilog=examples("semcom checkpoints export cifar10 elsewhere/codecs")
)
def checkpoints_export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A codec.")],
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Another folder of codecs.")],
    codecs: CodecDir = CODECS,
) -> None:
    """Copy a verified codec into another folder."""
    console.print(f"exported to {Catalog(codecs).export(name, target)}")
