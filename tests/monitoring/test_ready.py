"""Readiness is not for ever: a process whose peers fall silent says so, and recovers with them."""

from __future__ import annotations

import os
import signal
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.harness import eventually
from tests.monitoring.system import LINKS, System

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


def is_ready(system: System, peer: str) -> bool:
    """What /readyz says; the metric says the same."""
    try:
        return system.page(peer, "/readyz") == "ok\n"
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 503:
            raise
        return False


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("silent", "affected"),
    [
        ("channel", (*LINKS, "receiver-1", "orchestrator")),
        ("orchestrator", (*LINKS, "channel")),
        ("receiver-1", ("orchestrator",)),
    ],
)
def test_silence_of_a_peer_ends_readiness_and_its_return_brings_it_back(
    system: System, silent: str, affected: tuple[str, ...]
) -> None:
    eventually(lambda: all(is_ready(system, peer) for peer in affected), "all are ready before")
    pid = system.run.process.pid if silent == "orchestrator" else system.run.pid(silent)
    with stopped(pid):
        for peer in affected:
            eventually(lambda p=peer: not is_ready(system, p), f"{peer} misses {silent}")
            ready = system.families(peer)["semcom_ready"].samples[0].value
            assert ready == 0
    for peer in affected:
        eventually(lambda p=peer: is_ready(system, p), f"{peer} has {silent} again")
