"""What waits in the queues of connections is counted, and bounded; the kernel is made by hand."""

from __future__ import annotations

import resource
import socket
import sys
from dataclasses import dataclass, field

import pytest

from semcom import bounds
from semcom.bounds import BOUND, DIALLED, MAX_CONNECTIONS, Bounds
from semcom.connections import (
    CHECK_EVERY_S,
    CHECK_OFTEN_S,
    OFTEN_BYTES,
    Connections,
    Counts,
    Kernel,
    Remote,
    hang_up,
    tcp_counts,
)
from semcom.wire import MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, PREFIX_BYTES
from tests.semcom.raw_peer import message

BOUNDS = Bounds(
    part_bytes=100, received_messages=2, sent_messages=2, received_bytes=10_000, sent_bytes=5_000,
    all_received_bytes=15_000, all_sent_bytes=8_000,
)  # fmt: skip


@dataclass
class Machine:
    """A kernel: descriptors, what they have received and what was acknowledged."""

    counts: dict[int, Counts] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)
    memory: int = 0

    def connect(self, fd: int, *, received: int = 0, acknowledged: int = 0, port: int = 0) -> None:
        self.counts[fd] = Counts(("127.0.0.1", port or fd), received, acknowledged)

    def end(self, fd: int, remote: Remote) -> None:
        assert self.counts[fd].remote == remote
        self.ended.append(fd)
        del self.counts[fd]

    def connections(self, *, keyed: bool = False, bounds: Bounds = BOUNDS) -> Connections:
        kernel = Kernel(self.counts.get, self.end, lambda: self.memory, lambda: None)
        return Connections("uplink", bounds, keyed=keyed, bound=True, kernel=kernel)


def take(connections: Connections, peer: bytes, parts: list[bytes], *, fd: int) -> None:
    """A message is read, as the reader of a socket does."""
    if not connections.took(peer, parts):
        connections.opened(fd, peer=peer)
        connections.took(peer, parts)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_what_was_read_waits_no_more(machine):
    connections, parts = machine.connections(), [b"x" * 20, b"y" * 300, b"z" * 9000]
    machine.connect(5)
    connections.opened(5)
    for number in range(1, 100):
        machine.connect(5, received=number * len(message(parts)))
        take(connections, b"peer", parts, fd=5)
        connections.check(float(number))
    assert machine.ended == []
    assert connections.hung_up == 0


@pytest.mark.parametrize("keyed", [False, True])
def test_bytes_of_a_message_are_those_on_the_wire(machine, keyed):
    parts = [b"", b"x" * 222, b"y" * 223, b"z" * 255, b"a" * 256]
    connections = machine.connections(keyed=keyed)
    on_wire = len(message([part + b"e" * (33 if keyed else 0) for part in parts]))
    assert connections.on_wire(parts) == on_wire


def test_peer_whose_message_never_ends_is_hung_up_on(machine):
    connections = machine.connections()
    machine.connect(5)
    machine.connect(6)
    connections.opened(5)
    connections.opened(6)
    machine.connect(5, received=BOUNDS.received_bytes)
    connections.check(1.0)
    assert machine.ended == []
    machine.connect(5, received=BOUNDS.received_bytes + 1)
    connections.check(2.0)
    assert machine.ended == [5]
    connections.check(3.0)
    assert (connections.hung_up, len(connections)) == (1, 1)


def test_connection_that_does_not_end_is_hung_up_on_again_and_counted_once(machine):
    connections = machine.connections()
    machine.connect(5, received=BOUNDS.received_bytes + 1)
    connections.opened(5)
    for second in (1.0, 2.0, 3.0):
        connections.check(second)
        machine.connect(5, received=2 * BOUNDS.received_bytes)
    assert machine.ended == [5, 5, 5]
    assert connections.hung_up == 1


def test_of_many_connections_those_with_most_waiting_go_until_the_rest_fits(machine):
    connections = machine.connections()
    for fd, received in ((3, 4000), (4, 9000), (5, 6000), (6, 3000)):
        machine.connect(fd, received=received)
        connections.opened(fd)
    connections.check(1.0)
    assert machine.ended == [4]


def test_message_of_many_small_parts_is_known_by_the_memory_it_takes(machine):
    bounds = BOUNDS.sending(None)
    connections = machine.connections(
        bounds=Bounds(100, 2, 2, 10 * OFTEN_BYTES, 1, 10 * OFTEN_BYTES, 1)
    )
    assert bounds is BOUNDS
    machine.memory = 500 * OFTEN_BYTES
    for fd in (3, 4):
        machine.connect(fd)
        connections.opened(fd)
    connections.check(1.0)
    machine.connect(3, received=2 * OFTEN_BYTES)
    machine.memory += 9 * OFTEN_BYTES
    connections.check(2.0)
    assert machine.ended == []
    machine.memory += 2 * OFTEN_BYTES
    connections.check(3.0)
    assert machine.ended == [3]
    connections.check(4.0)
    assert machine.ended == [3], "what is not given back is not blamed on others"


def test_check_is_due_more_often_while_much_waits(machine):
    bounds = Bounds(100, 2, 2, 1 << 30, 1, 1 << 30, 1)
    connections = machine.connections(bounds=bounds)
    machine.connect(3)
    connections.opened(3)
    assert connections.check(1.0) == pytest.approx(CHECK_EVERY_S)
    machine.connect(3, received=OFTEN_BYTES + 1)
    assert connections.check(1.0 + CHECK_EVERY_S) == pytest.approx(CHECK_OFTEN_S)


def test_nothing_more_is_sent_to_a_peer_that_does_not_acknowledge(machine):
    connections, parts = machine.connections(), [b"x" * 1000]
    machine.connect(5)
    take(connections, b"peer", [b"hello"], fd=5)
    sent = 0
    while connections.room_for(b"peer", connections.on_wire(parts)):
        connections.put(b"peer", connections.on_wire(parts))
        sent += len(message(parts))
    assert BOUNDS.sent_bytes - 1009 < sent <= BOUNDS.sent_bytes
    machine.connect(5, acknowledged=1009)
    assert connections.room_for(b"peer", connections.on_wire(parts)), (
        "room is looked for before it is refused"
    )
    connections.put(b"peer", connections.on_wire(parts))
    assert not connections.room_for(b"peer", connections.on_wire(parts))


def test_all_peers_together_have_a_bound_too(machine):
    connections, parts = machine.connections(), [b"x" * 991]
    sent = 0
    for fd in range(3, 10):
        machine.connect(fd)
        take(connections, b"%d" % fd, [b"hello"], fd=fd)
        while connections.room_for(b"%d" % fd, connections.on_wire(parts)):
            connections.put(b"%d" % fd, connections.on_wire(parts))
            sent += 1000
    assert sent == BOUNDS.all_sent_bytes
    machine.connect(3, acknowledged=5000)
    assert connections.room_for(b"9", connections.on_wire(parts))


def test_connection_that_is_gone_is_forgotten_and_a_descriptor_used_again_is_another(machine):
    connections = machine.connections()
    machine.connect(5, received=9000, port=1)
    take(connections, b"old", [b"x"], fd=5)
    machine.connect(5, received=10, port=2)
    connections.opened(5)
    machine.connect(5, received=9000, port=2)
    connections.check(1.0)
    assert machine.ended == []
    assert len(connections) == 1
    del machine.counts[5]
    connections.check(2.0)
    assert len(connections) == 0
    assert connections.room_for(b"old", connections.on_wire([b"x" * 10**6])), (
        "the socket itself says that it is gone"
    )
    assert connections._of == {}


def test_of_too_many_connections_those_that_said_nothing_go(machine):
    connections = machine.connections()
    for fd in range(MAX_CONNECTIONS):
        machine.connect(fd, received=7)
        connections.opened(fd)
        if fd != 17:
            take(connections, b"%d" % fd, [b"hello"], fd=fd)
    for fd in (5001, 5002):
        machine.connect(fd, received=7)
        connections.opened(fd)
        take(connections, b"%d" % fd, [b"hello"], fd=fd)
    connections.check(1.0)
    assert machine.ended == [17, 5002]


def test_without_counts_nothing_is_bounded_here(machine):
    connections = machine.connections()
    take(connections, b"peer", [b"x"], fd=-1)
    connections.put(b"peer", connections.on_wire([b"x"]))
    assert connections.room_for(b"peer", connections.on_wire([b"x" * 10**6]))
    assert len(connections) == 0


@pytest.mark.parametrize(("name", "table"), [(n, t) for t in (BOUND, DIALLED) for n in t])
def test_bounds_in_bytes_lie_above_a_queue_full_of_the_largest_messages(name, table):
    """So that whoever keeps to the protocol never meets them; 8 MiB may be in the kernel."""
    bounds = table[name]
    payload = MAX_PAYLOAD_BYTES if bounds.part_bytes == MAX_PAYLOAD_BYTES else 0
    largest = PREFIX_BYTES + MAX_HEADER_BYTES + payload
    needed = bounds.received_messages * largest + largest
    assert needed <= bounds.received_bytes <= bounds.all_received_bytes
    assert 0 < bounds.sent_bytes <= bounds.all_sent_bytes


@pytest.mark.parametrize("name", ["uplink", "downlink"])
@pytest.mark.parametrize("table", [BOUND, DIALLED], ids=["bound", "dialled"])
def test_largest_frame_and_largest_answer_pass_both_ways_beside_another(name, table):
    bounds = table[name]
    assert bounds.part_bytes == MAX_PAYLOAD_BYTES
    assert bounds.sent_bytes >= 2 * (PREFIX_BYTES + MAX_HEADER_BYTES + MAX_PAYLOAD_BYTES)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the counts of Linux")
def test_connection_is_counted_and_hung_up_on_without_a_free_descriptor():
    """Else strangers who use up all of them would never be hung up on again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as here,
    ):
        client.sendall(b"x" * 10)
        here.settimeout(10.0)
        assert here.recv(10) == b"x" * 10
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, hard))
        try:
            counts = tcp_counts(here.fileno())
            assert counts is not None
            hang_up(here.fileno(), counts.remote)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert counts.received == 10
        assert here.fileno() >= 0, "it is still its owner's"
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@pytest.mark.parametrize(
    ("limits", "asked", "connections"),
    [
        ((1024, 524288), bounds.DESCRIPTORS, 1024),
        ((1024, -1), bounds.DESCRIPTORS, 1024),
        ((1024, 1024), 1024, 256),
        ((100, 100), 100, 64),
        ((20000, 20000), None, 1024),
        ((-1, -1), None, 1024),
    ],
)
def test_connections_leave_half_of_the_descriptors_that_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, int],
    asked: int | None,
    connections: int,
):
    wanted: list[tuple[int, int]] = []
    monkeypatch.setattr(bounds.resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(bounds.resource, "setrlimit", lambda _, pair: wanted.append(pair))
    assert bounds.max_connections() == connections
    assert wanted == ([] if asked is None else [(asked, limits[1])])
