"""Hosts of a training that cannot reach each other: all of them end, with one and the same line."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from torch.distributed import HashStore

from orchestrator.training import host_check
from orchestrator.training.host_check import check_hosts, is_own_address
from semcom.errors import ConfigurationError
from tests.orchestrator.training.harness import start_training
from tests.orchestrator.training.test_meeting import free_port

A_MINUTE_S = 60.0
OWN = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def told(*hosts: tuple[str, bool]) -> list[str]:
    """What each host is told; nothing where all is well."""
    store = HashStore()

    def check(rank: int) -> str:
        address, given = hosts[rank]
        try:
            check_hosts(store, rank, len(hosts), address=address, given=given)
        except ConfigurationError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        return list(pool.map(check, range(len(hosts))))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_hosts_that_reach_each_other_are_told_nothing(count: int) -> None:
    assert told(*((address, True) for address in OWN[:count])) == [""] * count


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ([("127.0.0.1", True), ("127.0.0.1", True)], "--local-addr 127.0.0.1 was given to host"),
        ([("127.0.0.1", True), ("203.0.113.9", True)], "203.0.113.9 is not an address of host"),
        ([("no-such-host.invalid", True), ("127.0.0.1", True)], "is not an address of host"),
        ([("127.0.0.1", True), ("no-such-host.invalid", False)], "does not reach host"),
        ([("127.0.0.1", True), ("127.0.0.2", True), ("127.0.0.1", True)], "was given to host"),
    ],
)
def test_whatever_one_finds_all_are_told(hosts: list[tuple[str, bool]], says: str) -> None:
    found = told(*hosts)
    assert len(set(found)) == 1
    assert says in found[0]
    assert "\n" not in found[0]


def test_nobody_else_is_taken_for_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an address leads to another machine, on which somebody listens, too."""
    drawn = iter(("aa", "bb", "aa", "cc"))
    monkeypatch.setattr(host_check.secrets, "token_hex", lambda _: next(drawn) * 16)
    with host_check._answering() as (port, nonce):
        host = host_check.Host("h", "127.0.0.1", given=True, own=True, port=port, nonce=nonce)
        assert host_check._reaches(host)
        assert not host_check._reaches(replace(host, nonce="bb" * 16))


def test_own_addresses_are_known() -> None:
    assert is_own_address("127.0.0.2")
    assert is_own_address("localhost")
    assert not is_own_address("203.0.113.9")
    assert not is_own_address("no-such-host.invalid")


@pytest.mark.processes
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("meeting", "addresses", "says"),
    [
        ("127.0.0.1", ("127.0.0.1", "127.0.0.1"), "error: --local-addr 127.0.0.1 was given to"),
        (
            "127.0.0.1",
            ("127.0.0.1", "203.0.113.9"),
            "error: --local-addr 203.0.113.9 is not an addre",
        ),
        (
            "127.0.0.9",
            ("127.0.0.1", "127.0.0.2"),
            "error: the hosts did not connect to each other: ",
        ),
        (
            "no-such-host.invalid",
            ("127.0.0.1", "127.0.0.2"),
            "error: the hosts did not connect to each other: ",
        ),
    ],
    ids=["equal", "wrong", "nobody keeps the store", "no such endpoint"],
)
def test_hosts_that_cannot_train_together_all_end_within_a_minute(
    meeting: str, addresses: tuple[str, str], says: str, data_dir: Path, tmp_path: Path
) -> None:
    place = ("--until", "teacher", "--nnodes", "2", "--rendezvous", f"{meeting}:{free_port()}")
    begun_s = time.monotonic()
    hosts: list[subprocess.Popen[str]] = [
        start_training(data_dir, tmp_path, *place, "--local-addr", address, "--wait", "10")
        for address in addresses
    ]
    outputs = [host.communicate(timeout=300)[0] for host in hosts]
    assert time.monotonic() - begun_s < A_MINUTE_S
    assert [host.returncode for host in hosts] == [2, 2], outputs
    for output in outputs:
        errors = [line for line in output.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, output
        assert errors[0].startswith(says), outputs
        assert "Traceback" not in output
