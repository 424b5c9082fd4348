"""Checks that connected hosts reach each other by their addresses, before ranks start.

Otherwise process groups would wait for minutes without giving a reason. All hosts learn what one
host finds, so that all end with the same line.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import combinations

from torch.distributed.distributed_c10d import Store

from semcom.errors import ConfigurationError, one_line

ANSWER_S = 20.0  # until each host has reported; they have just connected
PROBE_S = 5.0
LEAVE_S = 5.0  # so that all have read the findings before the host of the store ends
NONCE_BYTES = 16


@dataclass(frozen=True)
class Host:
    """A host as described by itself.

    Attributes:
        name: its name.
        address: address at which others should reach it.
        given: whether that was set with `--local-addr`.
        own: whether it actually has that address.
        port: port on which it answers with `nonce`.
        nonce: random, so that no other program is mistaken for it.
    """

    name: str
    address: str
    given: bool
    own: bool
    port: int
    nonce: str

    def __str__(self) -> str:
        return f"host {one_line(self.name, 60)}"


def is_own_address(address: str) -> bool:
    """Return whether an address, which may be a name, belongs to this host."""
    try:
        found = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)
    except OSError:
        return False
    for family, kind, protocol, _, place in found:
        with suppress(OSError), socket.socket(family, kind, protocol) as own:
            own.bind(place)
            return True
    return False


def check_hosts(store: Store, rank: int, count: int, *, address: str, given: bool) -> None:
    """Check that all hosts of a round reach each other.

    Args:
        store: store of this round only, shared by all.
        rank: rank of this host.
        count: number of hosts.
        address: address at which the others should reach this host.
        given: whether it was set with `--local-addr`.

    Raises:
        ConfigurationError: the first problem that any of them found, the same on all.
    """
    if count == 1:
        return
    with _answering() as (port, nonce):
        own = Host(
            name=socket.gethostname(),
            address=address,
            given=given,
            own=is_own_address(address),
            port=port,
            nonce=nonce,
        )
        store.set(f"semcom/host/{rank}", json.dumps(asdict(own)))
        hosts = [Host(**json.loads(text)) for text in _all(store, "semcom/host", count)]
        store.set(f"semcom/found/{rank}", _wrong_address(hosts) or _not_reached(hosts, own))
        found = [text.decode() for text in _all(store, "semcom/found", count)]
        _leave_together(store, count)
    if problem := next(filter(None, found), ""):
        raise ConfigurationError(problem)


def _wrong_address(hosts: Sequence[Host]) -> str:
    """Return the wrong address as a text; empty if each host has its own."""
    given = [host for host in hosts if host.given]
    for host in given:
        if not host.own:
            return f"--local-addr {host.address} is not an address of {host}"
    for one, other in combinations(given, 2):
        if one.address == other.address:
            return (
                f"--local-addr {one.address} was given to {one} and to {other}: each host needs "
                "its own address"
            )
    return ""


def _not_reached(hosts: Sequence[Host], own: Host) -> str:
    """Return a host that one does not reach as a text; empty if it reaches all others."""
    others = [host for host in hosts if host != own]
    with ThreadPoolExecutor(max_workers=len(others)) as pool:
        reached = list(pool.map(_reaches, others))
    for host, well in zip(others, reached, strict=True):
        if not well:
            where = "its --local-addr" if host.given else "its name: set --local-addr there"
            return f"{own} does not reach {host} at {host.address}, {where}"
    return ""


def _reaches(host: Host) -> bool:
    try:
        with socket.create_connection((host.address, host.port), timeout=PROBE_S) as connection:
            return connection.recv(2 * NONCE_BYTES, socket.MSG_WAITALL).decode() == host.nonce
    except (OSError, ValueError):
        return False


@contextmanager
def _answering() -> Iterator[tuple[int, str]]:
    """Answer every connection, on a thread; yields the port and the answer."""
    nonce = secrets.token_hex(NONCE_BYTES)
    with socket.create_server(("", 0), backlog=128) as server:

        def answer() -> None:
            with suppress(OSError):  # closed: all hosts have been checked
                while True:
                    connection, _ = server.accept()
                    with suppress(OSError), connection:
                        connection.sendall(nonce.encode())

        threading.Thread(target=answer, name="host-check", daemon=True).start()
        try:
            yield server.getsockname()[1], nonce
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def _all(store: Store, name: str, count: int) -> list[bytes]:
    """Return the entries of all hosts.

    Raises:
        DistStoreError: one of them was too late.
    """
    keys = [f"{name}/{rank}" for rank in range(count)]
    store.wait(keys, timedelta(seconds=ANSWER_S))
    return [store.get(key) for key in keys]


def _leave_together(store: Store, count: int) -> None:
    store.add("semcom/read", 1)
    end_s = time.monotonic() + LEAVE_S
    while store.add("semcom/read", 0) < count and time.monotonic() < end_s:
        time.sleep(0.05)
