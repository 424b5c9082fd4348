"""Processes that share a pool of keys: each holds another one, and gives it back by ending."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from orchestrator.control.key_sets import make_keys, revoke
from semcom.errors import ConfigurationError
from semcom.key_pool import claim
from semcom.keys import KeyFolder
from semcom.speakers import Speaker

CLAIM = """
import sys
from pathlib import Path
from semcom.key_pool import claim
from semcom.keys import KeyFolder
print(claim(KeyFolder(Path(sys.argv[1])), "receiver", "receiver-*"), flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[str]:
    """A process that takes a key; killed in the end. Yields the key's name."""
    arguments = [sys.executable, "-c", CLAIM, str(folder)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def pool(folder: Path, keys: int) -> Path:
    peers = [Speaker("receiver", f"receiver-{number}") for number in range(1, keys + 1)]
    make_keys(folder, [*peers, Speaker("transmitter", "receiver-link")])
    return folder


def test_each_process_holds_another_key_and_a_killed_one_gives_its_own_back(
    tmp_path: Path,
) -> None:
    folder = pool(tmp_path / "keys", 3)
    with ExitStack() as rest:
        with holder(folder) as first:
            others = {rest.enter_context(holder(folder)) for _ in range(2)}
            assert {first} | others == {"receiver-1", "receiver-2", "receiver-3"}
            with pytest.raises(ConfigurationError, match="in use by other processes"):
                claim(KeyFolder(folder), "receiver", "receiver-*")
        assert rest.enter_context(holder(folder)) == first


def test_key_that_is_not_authorised_any_more_is_passed_over(tmp_path: Path) -> None:
    folder = pool(tmp_path / "keys", 2)
    revoke(folder, "receiver-1")
    with holder(folder) as name:
        assert name == "receiver-2"


def test_without_keys_there_is_no_pool(tmp_path: Path) -> None:
    config = tmp_path / "processes.yaml"
    config.write_text("channel: {uplink: 'tcp://127.0.0.1:1', downlink: 'tcp://127.0.0.1:2'}")
    done = subprocess.run(
        [sys.executable, "-m", "channel_sim", "--config", str(config), "--id", "channel-*"],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 2
    assert "a pool needs keys" in done.stderr
    assert "Traceback" not in done.stderr
