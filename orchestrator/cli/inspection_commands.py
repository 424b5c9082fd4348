"""`semcom inspect` and `semcom record`: single items of a run, and their symbols as recordings."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn

from orchestrator.cli.options import CodecDir, DataDir
from orchestrator.cli.terminal import Words, console, progress_bar
from orchestrator.datasets.prepare import draw_missing
from orchestrator.inspection.choice import Wanted
from orchestrator.inspection.item_page import item_page
from orchestrator.inspection.item_tables import look_tables
from orchestrator.inspection.ranking import COUNT, Which
from orchestrator.inspection.run_items import Look, inspect_run
from orchestrator.inspection.sigmf_recording import files_of, write_recordings
from orchestrator.plan.folders import CODECS, DATA, RUNS, Folders
from orchestrator.results.run_folder import LEDGER, open_ledger
from semcom.errors import AccountingError, ConfigurationError, SemcomError, StorageError
from semcom.extras import require
from semcom.files import write_atomically

MAX_LISTED = 5  # runs that an error names
ORDERS = ("worst", "change", "number")
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run or evaluation.")]
CodecName = Annotated[
    str | None, typer.Option(help="One of the link's codecs (default: the first).")
]
ChannelLabel = Annotated[
    str | None,
    typer.Option(help="Channel by its name in reports, or its model (default: the first)."),
]
Seed = Annotated[int | None, typer.Option(help="Seed of the channel (default: the first).")]
Snrs = Annotated[
    str | None, typer.Option("--snr-db", help="SNRs of the run, such as -10,0,10 (default: all).")
]


def inspect(  # noqa: PLR0913 - the options of a command
    run: RunFolder,
    *,
    link: Annotated[
        str | None, typer.Option(help="One of the run's links (default: the first).")
    ] = None,
    codec: CodecName = None,
    channel: ChannelLabel = None,
    seed: Seed = None,
    snr_db: Snrs = None,
    item: Annotated[
        list[int] | None, typer.Option(help="Number of an item; may be repeated.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Number of items to choose.")] = COUNT,
    by: Annotated[str, typer.Option(help="How to choose: worst, change or number.")] = "worst",
    among: Annotated[
        int | None,
        typer.Option(min=1, help="Choose only among this many items, from the first on."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures.")] = None,
    data: DataDir = DATA,
    codec_dir: CodecDir = CODECS,
) -> None:
    """Show single items of a run: answers, symbols and features.

    Everything is recomputed from the run's plan and compared with its ledger.
    """
    require("semcom inspect", "training")
    if by not in ORDERS:
        raise ConfigurationError(f"--by {by}: expected {', '.join(ORDERS)}")
    look = looked_at(
        run,
        Wanted(link=link, codec=codec, channel=channel, seed=seed, snrs_db=parse_snrs(snr_db)),
        Which(items=item or (), count=count, by=by, among=among),  # type: ignore[arg-type]
        folders=Folders(data=data, codecs=codec_dir, runs=RUNS),
    )
    detailed = len(item) if item else 1
    for part in look_tables(look, detailed=detailed, width=console.table_width):
        console.print(part)
    if html is not None:
        _write(html, item_page(look))
        console.print(f"page: {html}")
    if look.differing:
        raise AccountingError(look.agreement())
    console.print(look.agreement())


def record(  # noqa: PLR0913 - the options of a command
    link: Annotated[str, typer.Argument(metavar="LINK", help="One of the run's links.")],
    *,
    run: Annotated[
        Path | None, typer.Option(help="Folder of a finished run or evaluation; required.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Path of the files without extension (default: LINK).")
    ] = None,
    items: Annotated[
        int, typer.Option(min=1, help="Record this many items, from the first on.")
    ] = 100,
    item: Annotated[
        list[int] | None, typer.Option(help="Number of an item; may be repeated.")
    ] = None,
    codec: CodecName = None,
    channel: ChannelLabel = None,
    seed: Seed = None,
    snr_db: Snrs = None,
    sample_rate: Annotated[
        float, typer.Option(min=1e-9, help="Symbols per second, for players and displays.")
    ] = 1.0,
    data: DataDir = DATA,
    codec_dir: CodecDir = CODECS,
) -> None:
    """Write the symbols of one link of a finished run as SigMF.

    Sent and received symbols are written. Everything is recomputed from the run's plan and compared
    with its ledger. A live system keeps no symbols: sweep its points first, with `semcom sweep
    --live`.
    """
    if run is None:
        raise ConfigurationError(_which_run(link))
    require("semcom record", "training")
    require("semcom record", "sigmf")
    files_of(out or Path(link))  # before anything is computed
    look = looked_at(
        run,
        Wanted(link=link, codec=codec, channel=channel, seed=seed, snrs_db=parse_snrs(snr_db)),
        Which(items=item or (), count=items, by="number", among=items, detail="symbols"),
        folders=Folders(data=data, codecs=codec_dir, runs=RUNS),
    )
    if look.differing:
        raise AccountingError(f"nothing was written: {look.agreement()}")
    for path in write_recordings(look, out or Path(link), sample_rate_hz=sample_rate):
        console.print(f"wrote {path}")
    console.print(look.agreement())


def _which_run(link: str) -> str:
    """Return the text for a command that names a link but no run."""
    found: list[str] = []
    for ledger in sorted(RUNS.glob(f"*/{LEDGER}")):
        with suppress(SemcomError), open_ledger(ledger.parent) as opened:
            if link in opened.plan.links:
                found.append(str(ledger.parent))
    if not found:
        return f"--run is required, and no run in {RUNS} has link '{link}': run a sweep first"
    listed = ", ".join(found[:MAX_LISTED]) + (", ..." if len(found) > MAX_LISTED else "")
    return f"--run is required; runs with link '{link}': {listed}"


def looked_at(run: Path, wanted: Wanted, which: Which, *, folders: Folders) -> Look:
    """Return items; show a progress bar, and generate missing synthetic data sets."""
    with open_ledger(run) as ledger:
        draw_missing((link.dataset for link in ledger.plan.links.values()), folders.data)
    columns = Words("{task.description}"), BarColumn(), MofNCompleteColumn(), Words("items")
    with progress_bar(*columns) as progress:
        bar = progress.add_task("encoding", total=None)

        def encoding(codec: str, done: int, of: int) -> None:
            progress.update(bar, description=f"{codec}: encoding", completed=done, total=of)

        return inspect_run(run, wanted, folders=folders, which=which, encoding=encoding)


def parse_snrs(text: str | None) -> list[float] | None:
    """Return SNRs of a list such as `-10,0,10`.

    Raises:
        ConfigurationError: something is not a number.
    """
    try:
        return None if text is None else [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigurationError(f"--snr-db {text}: expected a list of numbers in dB") from None


def _write(path: Path, page: str) -> None:
    try:
        write_atomically(path, page.encode(errors="backslashreplace"))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
