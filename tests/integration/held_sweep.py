"""`semcom`, but it stands still once a link has so many frames in the ledger, until it is let go.

    python held_sweep.py LINK FRAMES sweep SCENARIO ...

A test that disturbs a sweep in its middle runs this: the middle cannot be over before the test
gets there, however fast the processes are. Until then, and once standard input is closed, it is
`semcom`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from orchestrator.cli import main as cli
from orchestrator.sweep.state import Sweep
from semcom.messages import Message


def hold(link: str, frames: int) -> None:
    """Let every sweep wait for the end of standard input once it has so many frames of a link."""
    seen: set[tuple[int, int]] = set()
    go_on = Sweep.recorded

    def recorded(sweep: Sweep, name: str, added: Iterable[tuple[int, int]]) -> list[Message]:
        added = list(added)
        if name == link:
            seen.update(added)
        if len(seen) >= frames:
            sys.stdin.buffer.read()  # returns at once when the end has been seen
        return go_on(sweep, name, added)

    Sweep.recorded = recorded


if __name__ == "__main__":
    hold(sys.argv[1], int(sys.argv[2]))
    del sys.argv[1:3]
    cli.main()
