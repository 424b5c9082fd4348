"""`semcom bench`: benchmarks of the processes compared with baselines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.bench.bench_sweeps import CODEC, DATASET
from orchestrator.bench.channel_bench import bench_channel
from orchestrator.bench.encoder_bench import bench_encoder
from orchestrator.bench.figures import Figures, read_figures, target_table
from orchestrator.bench.growth import bench_growth
from orchestrator.bench.peers_bench import bench_peers
from orchestrator.bench.pipeline_bench import bench_latency, bench_pipeline
from orchestrator.bench.receiver_bench import bench_receiver
from orchestrator.bench.start import bench_start
from orchestrator.bench.superposition_bench import bench_superposition
from orchestrator.bench.training_bench import bench_training
from orchestrator.cli.command_order import examples
from orchestrator.cli.options import CodecDir, DataDir, new_app
from orchestrator.cli.terminal import console
from orchestrator.cli.training_commands import HANDED_ON
from orchestrator.datasets.prepare import draw_missing
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import CODECS, DATA, Folders
from semcom.children import become_module
from semcom.extras import require
from semcom.plain_text import command

Bench = Callable[[int, Folders], Figures]


def bench_on_ray(rounds: int, folders: Folders) -> Figures:
    """Import Ray only when it is needed."""
    from orchestrator.bench.cluster_bench import bench_cluster  # noqa: PLC0415 - few have it

    return bench_cluster(rounds, folders)


BENCHES: dict[str, Bench] = {
    "channel": lambda rounds, _: bench_channel(rounds),
    "latency": bench_latency,
    "pipeline": bench_pipeline,
    "receiver": bench_receiver,
    "superposition": bench_superposition,
    "encoder": bench_encoder,
    "training": bench_training,
    "start": bench_start,
    "growth": lambda _, folders: bench_growth(folders),
    "peers": lambda rounds, _: bench_peers(rounds),
    "cluster": bench_on_ray,
}
APART = ("peers", "cluster")  # `all` leaves them out: Sionna and Ray are separate extras
# The extras that a benchmark needs; all others need those of a training.
EXTRAS = {
    "channel": ["compiled"],
    "encoder": ["training", "edge"],
    "start": ["receiver", "edge", "compiled"],
    "peers": ["compiled", "sionna"],
    "cluster": ["training", "ray"],
}

bench_app = new_app(
    "Run benchmarks against their baselines. Keep the machine idle otherwise.",
    "semcom bench run channel latency --rounds 5 --out runs/bench",
    "semcom bench report runs/bench",
)


@bench_app.command("training", **HANDED_ON)
def bench_training_alone(context: typer.Context) -> None:
    """Compare the training loop with a plain PyTorch one."""
    become_module("orchestrator.training.loop_timing", *context.args)


@bench_app.command(
    "run", epilog=examples("semcom bench run all", "semcom bench run channel --rounds 3")
)
def bench_run(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help=f"all, or some of: {', '.join(BENCHES)}.")
    ],
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Number of rounds.")] = 5,
    out: Annotated[Path, typer.Option(help="Folder of CSV and JSON.")] = Path("runs/bench"),
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
) -> None:
    """Run benchmarks of the processes against their baselines."""
    together = [name for name in BENCHES if name not in APART]
    chosen = [each for name in names for each in (together if name == "all" else [name])]
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; available: all, {', '.join(BENCHES)}")
    for name in chosen:
        for extra in EXTRAS.get(name, ["training"]):
            require(command("semcom", "bench", "run", name), extra)
    folders = Folders(data=data, codecs=codecs).absolute()
    Catalog(folders.codecs).verified(CODEC)
    draw_missing([DATASET, "shapes100", "shapes200"], folders.data)
    for name in chosen:
        figures = BENCHES[name](rounds, folders)
        console.print(figures.table().rich())
        console.print(f"wrote {figures.write(out)}")


@bench_app.command("report", epilog=examples("semcom bench report runs/bench"))
def bench_report(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of CSV and JSON.")
    ] = Path("runs/bench"),
) -> None:
    """Print and plot every target with its measurement."""
    from orchestrator.bench.plot import write_plot  # noqa: PLC0415 - draws

    found = read_figures(folder)
    console.print(target_table(found).rich())
    console.print(f"wrote {write_plot(found, folder)}")
