"""Real sockets: no peer, hostile or silent, takes an endpoint's memory beyond its bounds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from semcom import bounds, wire
from semcom.connections import hang_up, resident_bytes
from semcom.frame_messages import TaskResult
from semcom.messages import Welcome
from semcom.ports import free_ports
from semcom.sockets import Endpoint, Poller, Received
from semcom.wakeup import Wakeup
from tests.semcom.raw_peer import RawPeer, flooding, frame, message
from tests.semcom.samples import DIGEST, KEY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs the counts of Linux")

MIB = 1 << 20
SMALL = bounds.Bounds(
    part_bytes=MIB, received_messages=8, sent_messages=4096,
    received_bytes=12 * MIB, sent_bytes=8 * MIB,
    all_received_bytes=24 * MIB, all_sent_bytes=24 * MIB,
)  # fmt: skip
SLACK = 48 * MIB  # of the allocator, of the kernel's buffers, of a moment's delay
# On an idle machine, a peer on the same host brings some GiB per second: 50 ms later it is 100 MiB.
FLOODED = 160 * MIB
GREETED = message(wire.encode(Welcome(instance="0123456789abcdef")))


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    wakeup = Wakeup()
    yield wakeup
    wakeup.close()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, zmq_context: object) -> Iterator[Endpoint]:
    monkeypatch.setitem(bounds.BOUND, "uplink", SMALL)
    endpoint = Endpoint.bind(f"tcp://127.0.0.1:{free_ports(1)[0]}", name="uplink")
    yield endpoint
    endpoint.close()


def port_of(endpoint: Endpoint) -> int:
    return int(endpoint.socket.getsockopt_string(32).rpartition(":")[2])  # LAST_ENDPOINT


def growth_while(endpoint: Endpoint, wakeup: Wakeup, seconds: float, *, hung_up: int) -> int:
    """How much memory the process takes at most, until so many connections are hung up."""
    poller, before = Poller([endpoint], wakeup), resident_bytes()
    most, end_s = 0, time.monotonic() + seconds
    while time.monotonic() < end_s and endpoint.connections.hung_up < hung_up:
        poller.wait(0.05)
        most = max(most, resident_bytes() - before)
    return most


@pytest.mark.parametrize("part", [b"x" * MIB, b"x" * 300, b""], ids=["large", "small", "empty"])
def test_message_that_never_ends_is_cut_off(endpoint: Endpoint, wakeup: Wakeup, part: bytes):
    data = frame(part, more=True) * max(1, MIB // max(4, len(part)))
    with RawPeer(port_of(endpoint)) as peer:
        with flooding((peer, data)):
            most = growth_while(endpoint, wakeup, 30.0, hung_up=1)
        assert endpoint.connections.hung_up == 1
        assert most < SMALL.all_received_bytes + FLOODED
        assert peer.sent < 512 * MIB


def test_many_that_never_end_a_message_and_dial_again_take_no_more(
    endpoint: Endpoint, wakeup: Wakeup
):
    """Each holds too little to be cut off by itself; what goes must not count as used anyway."""
    poller, before, most = Poller([endpoint], wakeup), resident_bytes(), 0
    data, stopped = frame(b"", more=True) * (32 << 10), threading.Event()

    def flood() -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError, AssertionError), RawPeer(port_of(endpoint)) as peer:
                peer.stopped = stopped
                peer.flood(data)

    threads = [threading.Thread(target=flood) for _ in range(30)]
    for thread in threads:
        thread.start()
    try:
        end_s = time.monotonic() + 60.0
        while endpoint.connections.hung_up < 150 and time.monotonic() < end_s:
            poller.wait(0.02)
            most = max(most, resident_bytes() - before)
    finally:
        stopped.set()
        for thread in threads:
            thread.join(60)
    assert endpoint.connections.hung_up >= 150
    assert most < SMALL.all_received_bytes + 3 * FLOODED


def test_whole_message_of_very_many_parts_is_refused_and_not_held(
    endpoint: Endpoint, wakeup: Wakeup
):
    poller, before = Poller([endpoint], wakeup), resident_bytes()
    data = frame(b"", more=True) * (50 << 10) + frame(b"", more=False)
    for number in range(1, 4):
        with RawPeer(port_of(endpoint)) as peer:
            peer.line.settimeout(10.0)
            peer.line.sendall(data)
            assert poller.wait(10.0) == [endpoint]
            received = endpoint.receive()
            assert received is not None
            assert received.error is not None
            assert received.error.reason == "parts"
            assert endpoint.receive() is None, "others are looked at meanwhile"
            with RawPeer(port_of(endpoint)) as other:
                assert other.send(GREETED)
                answers: list[Received] = []
                while not answers and poller.wait(10.0):
                    answers += filter(None, [endpoint.receive()])
                assert answers[0].message == Welcome(instance="0123456789abcdef")
        assert endpoint.connections.hung_up == number
    assert resident_bytes() - before < 64 * MIB


def test_peer_with_a_part_too_many_is_told_and_stays(endpoint: Endpoint, wakeup: Wakeup):
    poller = Poller([endpoint], wakeup)
    with RawPeer(port_of(endpoint)) as peer:
        assert peer.send(message([b"x"] * 50) + GREETED)
        got: list[Received] = []
        while len(got) < 2 and poller.wait(10.0):
            got += filter(None, [endpoint.receive()])
    assert (got[0].error is not None, got[1].error) == (True, None)
    assert endpoint.connections.hung_up == 0


def test_messages_that_nobody_reads_wait_at_the_sender(endpoint: Endpoint, wakeup: Wakeup):
    data = message([b"p" * 20, b"h" * 100, b"x" * MIB])
    with RawPeer(port_of(endpoint)) as peer:
        with flooding((peer, data)):
            most = growth_while(endpoint, wakeup, 1.5, hung_up=1)
        assert endpoint.connections.hung_up == 0, "a peer that keeps to the protocol stays"
        assert most < SMALL.received_bytes + SLACK
        assert peer.sent < SMALL.received_bytes + 64 * MIB, "the rest waits in the kernel"


def test_peer_that_reads_nothing_is_sent_no_more_than_the_bound(endpoint: Endpoint, wakeup: Wakeup):
    poller, before = Poller([endpoint], wakeup), resident_bytes()
    with RawPeer(port_of(endpoint), receive_bytes=4096) as peer:
        assert peer.send(GREETED)
        assert poller.wait(10.0) == [endpoint]
        received = endpoint.receive()
        assert received is not None
        parts, sent, end_s = [b"p" * 20, b"h" * 100, b"x" * (64 << 10)], 0, time.monotonic() + 30
        refused = 0
        while refused < 50 and time.monotonic() < end_s:
            if endpoint.send_parts(parts, to=received.sender):
                sent += len(message(parts))
            else:
                refused += 1
                poller.wait(0.005)
        assert refused == 50
        assert sent < SMALL.sent_bytes + 8 * MIB, "the bound, and what the kernel took"
        assert resident_bytes() - before < SMALL.sent_bytes + SLACK


RESULT = TaskResult(key=KEY, codec=DIGEST, channel_ms=0.0, batch_wait_ms=0.0, decode_ms=0.0)


def pair(name: str) -> tuple[Endpoint, Endpoint]:
    """A bound end and one that dials it, with the bounds that processes have."""
    bound = Endpoint.bind(f"tcp://127.0.0.1:{free_ports(1)[0]}", name=name)
    return bound, Endpoint.connect(bound.address, name=name)


@pytest.mark.parametrize("name", ["uplink", "downlink"])
@pytest.mark.parametrize("size", [0, 1, wire.MAX_HEADER_BYTES + 1, wire.MAX_PAYLOAD_BYTES])
def test_answer_of_any_size_passes_up_and_down(
    zmq_context: object, wakeup: Wakeup, name: str, size: int
):
    answer = np.frombuffer(np.random.default_rng(size).bytes(size), np.uint8)
    bound, dialled = pair(name)
    try:
        poller, end_s = Poller([bound, dialled], wakeup), time.monotonic() + 30
        while not dialled.send(RESULT, answer) and time.monotonic() < end_s:
            poller.wait(0.01)
        up = next_message(bound, poller, end_s)
        assert bound.send_parts(up.parts, to=up.sender)
        down = next_message(dialled, poller, end_s)
        for received in (up, down):
            assert received.message == RESULT
            assert received.payload.tobytes() == answer.tobytes()
        assert bound.connections.hung_up == 0
    finally:
        bound.close()
        dialled.close()


def next_message(endpoint: Endpoint, poller: Poller, end_s: float) -> Received:
    while time.monotonic() < end_s:
        poller.wait(0.05)
        received = endpoint.receive()
        if received is not None:
            return received
    raise TimeoutError("no message")


def test_answers_that_a_channel_does_not_read_wait_up_to_the_bound(
    zmq_context: object, wakeup: Wakeup
):
    """A receiver's own: what it decodes meanwhile is dropped, and comes again."""
    bound, dialled = pair("downlink")
    answer = np.zeros(2 * MIB, np.uint8)
    try:
        poller, before = Poller([dialled], wakeup), resident_bytes()
        sent, refused, end_s = 0, 0, time.monotonic() + 30
        while not len(dialled.connections) and time.monotonic() < end_s:
            poller.wait(0.01)
        while refused < 50 and time.monotonic() < end_s:
            if dialled.send(RESULT, answer):
                sent += answer.nbytes
            else:
                refused += 1
                poller.wait(0.005)
        assert refused == 50
        ours, theirs = bounds.DIALLED["downlink"], bounds.BOUND["downlink"]
        arrived = (theirs.received_messages + 1) * answer.nbytes
        assert sent < ours.sent_bytes + arrived + 16 * MIB, "and what the kernel took"
        assert resident_bytes() - before < ours.sent_bytes + arrived + SLACK
    finally:
        bound.close()
        dialled.close()


def test_end_that_dials_again_may_send_again(endpoint: Endpoint, wakeup: Wakeup):
    """It has the same descriptor and the same other end, and counts of its own."""
    address = f"tcp://127.0.0.1:{port_of(endpoint)}"
    dealer = Endpoint.connect(address, name="uplink", sent_bytes=2 * MIB)
    try:
        poller, parts = Poller([endpoint, dealer], wakeup), [b"p" * 20, b"h" * 100, b"x" * MIB]
        for _ in range(3):
            got, end_s = 0, time.monotonic() + 30
            while got < 8 and time.monotonic() < end_s:
                dealer.send_parts(parts)
                poller.wait(0.01)
                while endpoint.receive() is not None:
                    got += 1
            assert got >= 8
            for connection in list(endpoint.connections._open.values()):
                hang_up(connection.fd, connection.remote)
    finally:
        dealer.close()


def test_peer_that_reads_on_gets_everything(endpoint: Endpoint, wakeup: Wakeup):
    poller, parts = Poller([endpoint], wakeup), [b"p" * 20, b"h" * 100, b"x" * (256 << 10)]
    with RawPeer(port_of(endpoint)) as peer:
        assert peer.send(GREETED)
        assert poller.wait(10.0) == [endpoint]
        received = endpoint.receive()
        assert received is not None
        left, got = 4 * SMALL.sent_bytes // len(parts[2]), 0
        expected, end_s = left * len(message(parts)), time.monotonic() + 30
        while got < expected and time.monotonic() < end_s:
            while left and endpoint.send_parts(parts, to=received.sender):
                left -= 1
            got += len(peer.line.recv(4 * MIB))
        assert left == 0
        assert got >= expected
