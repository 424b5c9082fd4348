"""`semcom up`, `status`, `channel`, `codec`, `down`: start, watch, change and end a live system."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from orchestrator.cli.command_order import examples
from orchestrator.cli.options import (
    SCENARIOS,
    CodecDir,
    DataDir,
    RunsDir,
    new_app,
    say_origins,
    waits_on_console,
)
from orchestrator.cli.outcome_lines import print_results, print_undrawn
from orchestrator.cli.terminal import console, progress_bar
from orchestrator.datasets.prepare import draw_missing
from orchestrator.live.background import end, start
from orchestrator.live.client import change, read_status
from orchestrator.live.live_folder import Home, find_system
from orchestrator.live.live_scenario import LiveScenario, read_live_scenario, trace_notes
from orchestrator.live.requests import ChannelRequest
from orchestrator.live.status_view import view
from orchestrator.live.up import run_live
from orchestrator.plan.folders import CODECS, DATA, RUNS, WORK, Folders
from orchestrator.plan.scenario import Scenario
from semcom.errors import ConfigurationError, ProcessFailedError, SemcomError
from semcom.names import check_name
from semcom.plain_text import command, option
from semcom.points import SNR_MAX_DB, SNR_MIN_DB
from semcom.settings import parse_yaml, validate

LIVE_SCENARIO = SCENARIOS / "live.yaml"
POLL_S = 0.5

Name = Annotated[
    str | None,
    typer.Option("--name", help="The live system, by name or URL, if there are several."),
]
Link = Annotated[str, typer.Argument(metavar="LINK", help="A link of the live system.")]
LinkOrGroup = Annotated[
    str, typer.Argument(metavar="LINK", help="A link of the live system, or a group of links.")
]

channel_app = new_app(
    "Change the channel of a live system.", "semcom channel set shapes10 --snr-db -4"
)
codec_app = new_app("Change the codecs of a live system.", "semcom codec set shapes10 my-codec")


def up(  # noqa: PLR0913 - the options of a command
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO",
            help="A live scenario in YAML.",
            show_default="the shipped live.yaml",
        ),
    ] = LIVE_SCENARIO,
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the live system (default: the scenario's).")
    ] = None,
    attach: Annotated[
        bool, typer.Option("--attach", help="Wait for processes that are started elsewhere.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Run it in the background once every link streams.")
    ] = False,
    data: DataDir = DATA,
    codecs: CodecDir = CODECS,
    runs: RunsDir = RUNS,
    work: Annotated[Path, typer.Option("--work", help="Folder of training artefacts.")] = WORK,
) -> None:
    """Start a live system; its links stream until it is stopped."""
    wanted = read_live_scenario(scenario)
    for note in trace_notes(wanted):
        console.print(note)
    home = Home(runs, wanted.name if name is None else check_name(name, what="--name"))
    if detach:
        options = ["--attach"] if attach else []
        for option, value in (("data", data), ("codecs", codecs), ("runs", runs), ("work", work)):
            options += [f"--{option}", str(value)]
        _detach(home, [str(scenario), "--name", home.name, *options])
        return
    say_origins((link.codec for link in wanted.links.values()), codecs)
    draw_missing((link.dataset for link in wanted.links.values()), data)
    folders = Folders(data=data, codecs=codecs, runs=runs)
    _stream(wanted, home, folders, work, launch=not attach)


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    name: Name = None,
    runs: RunsDir = RUNS,
) -> None:
    """Show the links of a live system.

    The table shows SNR, metrics, latency and throughput of each link, and sweeps and training jobs.
    """
    system = find_system(runs, name)
    current = read_status(system)
    if as_json:
        console.print(json.dumps(current))
        return
    if not watch:
        console.print(view(current))
        return
    if not console.at_terminal:  # where output cannot be overwritten, one after the other
        while not console.quiet:
            console.print(view(current))
            time.sleep(2 * POLL_S)
            current = read_status(system)
        return
    with Live(view(current), console=console, auto_refresh=False) as table:
        while True:
            time.sleep(2 * POLL_S)
            table.update(view(read_status(system)), refresh=True)


def down(name: Name = None, runs: RunsDir = RUNS) -> None:
    """Stop a live system once its frames in flight are finished."""
    system = find_system(runs, name)
    end(system)
    console.print(f"{system.name} is down")


@channel_app.command(
    "set",
    epilog=examples(
        "semcom channel set shapes10 --snr-db -5 --model rayleigh",
        "semcom channel set shapes10 --model tdl --set profile=tdl-c",
        "semcom channel set shapes10 --follow",
        "semcom channel set street --sir-db 5 --interferers 1",
    ),
)
def channel_set(  # noqa: PLR0913 - the options of a command
    link: LinkOrGroup,
    *,
    snr_db: Annotated[
        float | None,
        typer.Option(min=SNR_MIN_DB, max=SNR_MAX_DB, help="Hold this SNR, Es/N0 in dB."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="awgn, rayleigh, rician or an installed model.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the model; may be repeated."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Resume the SNR course.")] = False,
    sir_db: Annotated[
        float | None, typer.Option(help="SIR of each interferer in the link's group, dB.")
    ] = None,
    interferers: Annotated[
        int | None, typer.Option(help="Number of interferers of each link of the group.")
    ] = None,
    occurrence: Annotated[
        float | None, typer.Option(help="Probability that an interferer is active.")
    ] = None,
    name: Name = None,
    runs: RunsDir = RUNS,
) -> None:
    """Change the channel of a link, or of a group of links, while it streams."""
    met = {"sir_db": sir_db, "interferers": interferers, "occurrence": occurrence}
    met = {key: value for key, value in met.items() if value is not None}
    if snr_db is None and model is None and not (settings or follow or met):
        raise ConfigurationError(
            "nothing to change: give --snr-db, --model, --set, --follow, or for a group --sir-db, "
            "--interferers or --occurrence"
        )
    if snr_db is not None and follow:
        raise ConfigurationError("give --snr-db or --follow, not both")
    wanted: dict[str, Any] = {"link": link, "snr_db": snr_db, "model": model, **met}
    wanted["settings"] = dict(_setting(each) for each in settings or [])
    if follow:
        wanted["course"] = "resume"
    validate(ChannelRequest, wanted, where="channel set")  # checked before a system is searched for
    change(find_system(runs, name), "/api/channel", wanted)
    changes = [
        "follows its course" if follow else "",
        f"SNR held at {snr_db:g} dB" if snr_db is not None else "",
        f"channel model {model}" if model is not None else "",
        *(settings or []),
        *(f"{key} {value:g}" for key, value in met.items()),
    ]
    console.print(f"{link}: {', '.join(filter(None, changes))}")


def _setting(text: str) -> tuple[str, Any]:
    """Parse `KEY=VALUE`, with the value in YAML.

    Raises:
        ConfigurationError: it is not of that form.
    """
    key, found, value = text.partition("=")
    if not (key and found):
        raise ConfigurationError(f"--set {text}: expected KEY=VALUE")
    return key.strip(), parse_yaml(value, where=f"--set {text}")


@codec_app.command("set", epilog=examples("semcom codec set shapes10 my-codec"))
def codec_set(
    link: Link,
    codec: Annotated[str, typer.Argument(metavar="CODEC", help="A codec of the live system.")],
    name: Name = None,
    runs: RunsDir = RUNS,
) -> None:
    """Change the codec of a link while it streams.

    If the new codec is refused, the old one continues to serve.
    """
    serving = change(find_system(runs, name), "/api/codec", {"link": link, "codec": codec})
    console.print(f"{link} serves {serving['codec']}, digest {serving['digest'][:12]}")


def sweep_live(
    scenario: Scenario, path: Path, *, runs: Path, name: str | None, resume: bool, report: bool
) -> None:
    """Run a sweep in a live system and wait until it ends.

    Raises:
        SemcomError: it was refused or failed, with the exit code of a sweep.
    """
    system = find_system(runs, name)
    wanted = scenario.model_dump(mode="json")
    content = {"scenario": wanted, "resume": resume, "report": report, "path": str(path.absolute())}
    begun = change(system, "/api/sweep", content)
    console.print(f"{system.name} sweeps {scenario.name} into {begun['folder']}")
    with progress_bar() as progress:
        bar = progress.add_task(scenario.name, total=begun["planned"], note="")
        while True:
            found = read_status(system)["sweep"] or {}
            if found.get("folder") != begun["folder"]:
                raise SemcomError(f"{system.name} has lost the sweep; see its logs")
            waiting = ", ".join(found["waiting"])
            note = f"waiting for {waiting}" if waiting else found["state"]
            progress.update(bar, completed=found["recorded"], note=note)
            if found["state"] in ("done", "failed"):
                break
            time.sleep(POLL_S)
    if found["state"] == "failed":
        options = [*option("--live-name", name), *option("--runs", runs, RUNS)]
        options += [] if report else ["--no-report"]
        again = command("semcom", "sweep", path, "--live", "--resume", *options)
        raise ProcessFailedError(f"{found['error']}; resume with: {again}", found["exit_code"])
    print_results(found["results_digest"], found["seconds"])
    if found["report"] is not None:
        console.print(f"report: {found['report']}")
    if found.get("undrawn") is not None:
        print_undrawn(Path(found["folder"]), found["undrawn"])


def _stream(
    scenario: LiveScenario, home: Home, folders: Folders, work: Path, *, launch: bool
) -> None:
    """Run in the foreground: show the table on a terminal, otherwise one line when it is up."""
    table = Live(console=console, auto_refresh=False) if console.at_terminal else None

    def on_up(url: str) -> None:
        console.print(
            f"{home.name} is up at {url}; end it with Ctrl-C, or with: {home.command('down')}"
        )
        if table is not None:
            table.start()

    def on_status(current: dict[str, Any]) -> None:
        if table is not None:
            table.update(view(current), refresh=True)

    try:
        with waits_on_console():
            run_live(
                scenario,
                home,
                folders=folders,
                work=work,
                launch=launch,
                up=on_up,
                watcher=on_status,
            )
    finally:
        if table is not None:
            table.stop()
    console.print(f"{home.name} is down")


def _detach(home: Home, arguments: list[str]) -> None:
    """Start the same command in the background; return when every link streams.

    Raises:
        ProcessFailedError: it ended before that, with its error and exit code.
    """
    with console.status("starting"):
        found = start(home, arguments)
    console.print(f"{home.name} is up at {found.url}")
    console.print(f"see its state with: {home.command('status')}")
    console.print(f"end it with: {home.command('down')}")
