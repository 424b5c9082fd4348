"""Fixtures of the tests with real processes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forking import Popen
from tests.integration import harness
from tests.integration.by_hand import Starter
from tests.integration.plain_channel import Channel, Client, dialled, running


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """End the commands that a failed test left running; their children follow them."""
    yield
    while harness.started:
        process = harness.started.pop()
        if process.poll() is None:
            process.terminate()
        if process.stdout is not None and not process.stdout.closed:
            process.communicate(timeout=harness.DEADLINE_S)


@pytest.fixture(scope="module")
def shared_channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Channel]:
    """A channel with the table of the plain client, for all tests of a module."""
    with running(Channel(tmp_path_factory.mktemp("channel"))) as channel:
        yield channel


@pytest.fixture
def client(shared_channel: Channel, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client with a link and a codec of its own; the link decides the noise."""
    codec = hashlib.sha256(request.node.name.encode()).hexdigest()
    link = f"link-{codec[:8]}"
    with dialled(shared_channel, link, codec) as both:
        yield both


@pytest.fixture
def start_by_hand(tmp_path: Path) -> Iterator[Starter]:
    """Starts `python -m PACKAGE --config FILE --id NAME`; ends what is left."""
    started: list[subprocess.Popen[bytes]] = []

    def start(package: str, peer: str, config: Path) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", package, "--config", str(config), "--id", peer]
        with (tmp_path / f"{peer}.log").open("ab") as log:
            started.append(Popen[bytes](arguments, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=harness.DEADLINE_S)
