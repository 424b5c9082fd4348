"""The proxy does what its plan says, and nothing where it says nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from semcom.sockets import free_ports
from tests.faults.proxy import FaultPlan, Proxy
from tests.integration.harness import eventually

MESSAGES = [[b"head", b"%04d" % number, b"", bytes(300)] for number in range(200)]


class Ends:
    """A DEALER that dials a ROUTER through a proxy."""

    def __init__(self, proxy: Proxy, router: zmq.Socket[bytes], dealer: zmq.Socket[bytes]) -> None:
        self.proxy, self.router, self.dealer = proxy, router, dealer
        self.got: list[list[bytes]] = []
        self.sender = b""

    def receive(self) -> None:
        """Take what has arrived at the bound end."""
        while self.router.poll(10):
            self.sender, *parts = self.router.recv_multipart()
            self.got.append(parts)

    def arrived(self, count: int) -> None:
        def there() -> bool:
            self.receive()
            return len(self.got) >= count

        eventually(there, f"{count} messages", 30)

    def send(self, messages: list[list[bytes]]) -> None:
        for parts in messages:
            self.dealer.send_multipart(parts)


@contextmanager
def joined() -> Iterator[Ends]:
    (port,) = free_ports(1)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    router.bind(f"tcp://127.0.0.1:{port}")
    dealer.setsockopt(zmq.RECONNECT_IVL, 20)
    dealer.setsockopt(zmq.IMMEDIATE, 1)
    dealer.setsockopt(zmq.SNDTIMEO, 60_000)
    try:
        with Proxy(port) as proxy:
            dealer.connect(proxy.address)
            ends = Ends(proxy, router, dealer)
            ends.send([[b"first"]])
            ends.arrived(1)
            ends.got.clear()
            yield ends
    finally:
        context.destroy(linger=0)


def through(**plan: float) -> tuple[list[list[bytes]], Proxy]:
    """What comes through of all messages under a plan."""
    with joined() as ends:
        ends.proxy.begin(FaultPlan(seed=1, **plan))
        ends.send(MESSAGES)
        eventually(lambda: sum(ends.proxy.passed.values()) == len(MESSAGES), "all passed", 30)
        ends.proxy.end()
        dropped, doubled = ends.proxy.counts["drop"], ends.proxy.counts["duplicate"]
        ends.arrived(len(MESSAGES) - dropped + doubled)
        return ends.got, ends.proxy


def test_proxy_without_faults_changes_nothing_either_way() -> None:
    with joined() as ends:
        ends.proxy.begin(FaultPlan(seed=1))
        ends.send(MESSAGES)
        ends.arrived(len(MESSAGES))
        assert ends.got == MESSAGES
        ends.router.send_multipart([ends.sender, b"back", bytes(70_000)])
        assert ends.dealer.recv_multipart() == [b"back", bytes(70_000)]
        assert not ends.proxy.counts


def test_dropped_messages_are_gone_and_the_others_in_order() -> None:
    got, proxy = through(drop=0.2)
    assert 0 < proxy.counts["drop"] < len(MESSAGES)
    assert len(got) == len(MESSAGES) - proxy.counts["drop"]
    assert got == sorted(got)
    assert all(message in MESSAGES for message in got)


def test_duplicated_messages_come_twice() -> None:
    got, proxy = through(duplicate=0.2)
    assert proxy.counts["duplicate"] > 0
    assert [m for n, m in enumerate(got) if n == 0 or m != got[n - 1]] == MESSAGES
    assert len(got) == len(MESSAGES) + proxy.counts["duplicate"]


@pytest.mark.parametrize("fault", ["reorder", "delay"])
def test_messages_are_overtaken_and_none_is_lost(fault: str) -> None:
    got, proxy = through(**{fault: 0.2, "delay_s": 0.3})
    assert proxy.counts[fault] > 0
    assert got != MESSAGES
    assert sorted(got) == MESSAGES


def test_corrupted_messages_differ_in_one_bit() -> None:
    got, proxy = through(corrupt=0.2)
    changed = [(a, b) for a, b in zip(got, MESSAGES, strict=True) if a != b]
    assert len(changed) == proxy.counts["corrupt"] > 0
    for found, sent in changed:
        flipped = int.from_bytes(b"".join(found), "big") ^ int.from_bytes(b"".join(sent), "big")
        assert flipped.bit_count() == 1


def test_one_seed_is_one_plan() -> None:
    def faults(seed: int, way: str) -> list[str | None]:
        plan = FaultPlan(seed=seed, drop=0.2, corrupt=0.2, delay=0.2)
        return [plan.harm(way, number).fault for number in range(100)]

    assert faults(1, "a") == faults(1, "a")
    assert faults(1, "a") != faults(2, "a")
    assert faults(1, "a") != faults(1, "b")


def test_reset_breaks_connections_that_are_made_again_later() -> None:
    with joined() as ends:
        before = ends.sender
        ends.proxy.cut(0.3, "reset").result(timeout=60)

        def again() -> bool:
            ends.dealer.send(b"again")
            ends.receive()
            return bool(ends.got)

        eventually(again, "a new connection", 30)
        assert ends.sender != before


def test_stall_holds_messages_back_and_loses_none() -> None:
    with joined() as ends:
        before, started_s = ends.sender, time.monotonic()
        whole = ends.proxy.cut(0.5, "stall")
        ends.send(MESSAGES)
        ends.arrived(len(MESSAGES))
        assert time.monotonic() - started_s >= 0.5
        whole.result(timeout=60)
        assert ends.got == MESSAGES
        assert ends.sender == before
