"""`semcom keys`: the keys of a set of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal import console
from orchestrator.control.key_sets import hand_out, make_keys, parse_peer, revoke
from orchestrator.live.live_scenario import read_any_scenario
from semcom.errors import ConfigurationError
from semcom.speakers import Speaker


def keys(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of keys.")],
    peer: Annotated[
        list[str] | None,
        typer.Option(help="A link's NAME or receiver:NAME; may be repeated."),
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(help="Take all links and receivers of a scenario.")
    ] = None,
    revoked: Annotated[
        list[str] | None, typer.Option("--revoke", metavar="NAME", help="Revoke NAME's key.")
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--hand-out",
            metavar="TARGET",
            help="Copy the key files that the named peers need to this folder.",
        ),
    ] = None,
) -> None:
    """Generate, distribute and revoke the keys of processes.

    Existing keys are never changed or overwritten.
    """
    if revoked and (peer or scenario is not None or target is not None):
        raise ConfigurationError("--revoke cannot be combined with other options")
    if revoked:
        for name in revoked:
            revoke(folder, name)
            console.print(f"{name}: revoked, new connections are refused")
        return
    peers = [parse_peer(text) for text in peer or []]
    if scenario is not None:
        wanted = read_any_scenario(scenario)
        peers += [Speaker("transmitter", link) for link in wanted.links]
        peers += [Speaker("receiver", name) for name in wanted.receiver_names]
    made = make_keys(folder, peers)
    if target is not None:
        hand_out(folder, target, peers)
        console.print(f"{target}: the keys of {', '.join(str(each) for each in peers)}")
        return
    for each in made:
        console.print(f"{each}: new key")
    console.print(
        f"{folder}: {len(made)} keys generated; use them with security: {{keys: {folder}}}"
    )
