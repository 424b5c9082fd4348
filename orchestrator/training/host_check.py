"""Hosts that have met see whether each reaches every other by its address, before ranks start.

Process groups would wait for minutes where one does not, and not say why. What one host finds, all
are told, so that all end with the same line.
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

ANSWER_S = 20.0  # until each host has said something; they have just met
PROBE_S = 5.0
LEAVE_S = 5.0  # so that all have read what was found before the one with the store leaves
NONCE_BYTES = 16


@dataclass(frozen=True)
class Host:
    """A host as it introduces itself.

    Attributes:
        name: its own.
        address: by which others are to reach it.
        given: whether `--local-addr` named that.
        own: whether it has that address.
        port: where it answers with `nonce`.
        nonce: drawn, so that no other program is taken for it.
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
    """Return whether this host has an address, which may be a name."""
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
    """See that all hosts of a round reach each other.

    Args:
        store: of this round alone, which all share.
        rank: of this host.
        count: of hosts.
        address: of this host, as the others are to reach it.
        given: whether `--local-addr` named it.

    Raises:
        ConfigurationError: the first thing that any of them found, the same on all.
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
    """Return which address was given wrongly; nothing where each host has its own."""
    given = [host for host in hosts if host.given]
    for host in given:
        if not host.own:
            return f"--local-addr {host.address} is no address of {host}"
    for one, other in combinations(given, 2):
        if one.address == other.address:
            return (
                f"--local-addr {one.address} was given to {one} and to {other}: each host needs "
                "its own address"
            )
    return ""


def _not_reached(hosts: Sequence[Host], own: Host) -> str:
    """Return which host one does not reach; nothing where it reaches all others."""
    others = [host for host in hosts if host != own]
    with ThreadPoolExecutor(max_workers=len(others)) as pool:
        reached = list(pool.map(_reaches, others))
    for host, well in zip(others, reached, strict=True):
        if not well:
            where = "its --local-addr" if host.given else "its name: give it --local-addr"
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
            with suppress(OSError):  # closed: the hosts know each other
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
    """Return what each host has stored.

    Raises:
        DistStoreError: one of them did not in time.
    """
    keys = [f"{name}/{rank}" for rank in range(count)]
    store.wait(keys, timedelta(seconds=ANSWER_S))
    return [store.get(key) for key in keys]


def _leave_together(store: Store, count: int) -> None:
    store.add("semcom/read", 1)
    end_s = time.monotonic() + LEAVE_S
    while store.add("semcom/read", 0) < count and time.monotonic() < end_s:
        time.sleep(0.05)
