"""Two ends on this machine: messages arrive, what cannot be sent is said, no socket is left."""

from __future__ import annotations

import socket
import threading

import numpy as np
import pytest
import zmq

from semcom import sockets, wire
from semcom.errors import ConfigurationError, PortInUseError
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.messages import Welcome
from semcom.sockets import Endpoint, Poller, Received, free_ports
from semcom.wakeup import Wakeup
from tests.integration.harness import eventually

DEADLINE_S = 60.0
MESSAGE = Welcome(instance="0123456789abcdef")
SYMBOLS = np.array([[1 - 1j, 2], [0, 3j]], dtype=np.complex64)
FRAME = SymbolFrame(
    key=FrameKey(run="demo", point=0, link="cifar10", frame=0),
    first_image=0,
    images=2,
    symbols=2,
    codec="ab" * 32,
)


@pytest.fixture(autouse=True)
def context(zmq_context):
    """The test's own context, and no socket of it left open."""
    return zmq_context


@pytest.fixture
def wakeup():
    """Something to poll with."""
    wakeup = Wakeup()
    yield wakeup
    wakeup.close()


class Pair:
    """A ROUTER that was bound and a DEALER that dials it, greeted."""

    def __init__(self, wakeup: Wakeup) -> None:
        self.address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.router = Endpoint.bind(self.address, name="uplink")
        self.dealer = Endpoint.connect(self.address, name="uplink")
        self._wakeup = wakeup
        self.peer = send_until_heard(self.dealer, self.router, wakeup).sender

    def hear(self, endpoint: Endpoint) -> Received:
        return hear(endpoint, self._wakeup)

    def close(self) -> None:
        self.router.close()
        self.dealer.close()


def hear(endpoint: Endpoint, wakeup: Wakeup, timeout_s: float = DEADLINE_S) -> Received:
    """The next message of an endpoint."""
    poller = Poller([endpoint], wakeup)
    while True:
        assert poller.wait(timeout_s) == [endpoint], "nothing arrived"
        received = endpoint.receive()  # none where what is read is left of an earlier message
        if received is not None:
            return received


def send_until_heard(sender: Endpoint, receiver: Endpoint, wakeup: Wakeup) -> Received:
    """Sends are dropped until the connection stands: wait for that on the descriptor."""
    assert sender.socket.poll(1000 * DEADLINE_S, zmq.POLLOUT)
    assert sender.send(MESSAGE)
    return hear(receiver, wakeup)


@pytest.fixture
def pair(wakeup):
    pair = Pair(wakeup)
    yield pair
    pair.close()


def test_message_and_payload_arrive_both_ways(pair):
    assert pair.dealer.send(FRAME, SYMBOLS)
    up = pair.hear(pair.router)
    assert (up.message, up.error) == (FRAME, None)
    assert np.array_equal(up.payload, SYMBOLS)
    assert up.sender == pair.peer

    assert pair.router.send(FRAME, SYMBOLS, to=up.sender)
    down = pair.hear(pair.dealer)
    assert down.message == FRAME
    assert np.array_equal(down.payload, SYMBOLS)
    assert down.sender == b""


def test_messages_of_one_connection_arrive_in_order(pair):
    sent = [MESSAGE.model_copy(update={"instance": f"{index:016x}"}) for index in range(50)]
    for message in sent:
        assert pair.dealer.send(message)
    assert [pair.hear(pair.router).message for _ in sent] == sent


def test_nothing_to_receive_is_none_at_once(pair):
    assert pair.router.receive() is None
    assert pair.dealer.receive() is None


def test_each_peer_has_a_name_of_its_own_and_gets_its_own_answer(pair, wakeup):
    other = Endpoint.connect(pair.address, name="uplink")
    try:
        second = send_until_heard(other, pair.router, wakeup).sender
        assert second != pair.peer
        assert pair.router.send(FRAME, SYMBOLS, to=second)
        assert hear(other, wakeup).message == FRAME
        assert pair.dealer.receive() is None
    finally:
        other.close()


def test_send_to_nobody_is_said(pair):
    assert not pair.router.send(MESSAGE, to=b"nobody")
    assert not pair.router.send(MESSAGE, to=b"")


def test_send_to_a_peer_that_went_is_said(pair, wakeup):
    pair.dealer.close()
    eventually(lambda: not pair.router.send(MESSAGE, to=pair.peer), "the peer is gone")


def test_send_before_anybody_listens_is_dropped_and_said(wakeup):
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    dealer = Endpoint.connect(address, name="uplink")
    try:
        assert not dealer.send(MESSAGE)
        router = Endpoint.bind(address, name="uplink")
        try:
            later = MESSAGE.model_copy(update={"instance": "f" * 16})
            assert dealer.socket.poll(1000 * DEADLINE_S, zmq.POLLOUT)
            assert dealer.send(later)
            assert hear(router, wakeup).message == later
        finally:
            router.close()
    finally:
        dealer.close()


def test_port_in_use_is_an_error_of_its_own(pair):
    with pytest.raises(PortInUseError, match=f"uplink address {pair.address} is in use") as caught:
        Endpoint.bind(pair.address, name="uplink")
    assert caught.value.exit_code == 3


def test_port_of_another_program_is_in_use_too():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match="stop that process or set another port"):
            Endpoint.bind(f"tcp://127.0.0.1:{port}", name="control")


def test_shutdown_ends_a_context_whose_endpoints_are_closed(pair, context):
    pair.close()
    sockets.shutdown()
    assert context.closed


@pytest.mark.parametrize(
    "address", ["tcp://203.0.113.7:5555", "nonsense", "tcp://127.0.0.1", "tcp://nohost.invalid:1"]
)
def test_address_that_cannot_be_bound_is_a_configuration_error(address):
    with pytest.raises(ConfigurationError, match="cannot bind uplink to"):
        Endpoint.bind(address, name="uplink")


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1", "tcp://"])
def test_address_that_cannot_be_dialled_is_a_configuration_error(address):
    with pytest.raises(ConfigurationError, match="cannot connect uplink to"):
        Endpoint.connect(address, name="uplink")


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([b""], "parts"),
        ([b"hello"], "parts"),
        ([b"x"] * 2000, "parts"),
        ([b"", b"", b""], "size"),
        ([b"HTTP/1.1 400 Bad\r\n\r\n", b"", b""], "magic"),
        ([wire.encode(MESSAGE)[0], b"\x81", b""], "size"),
        ([*wire.encode(MESSAGE)[:2], b"12345678"], "size"),
    ],
)
def test_garbage_of_a_raw_socket_arrives_as_an_error(pair, wakeup, context, parts, reason):
    raw = context.socket(zmq.DEALER)
    try:
        raw.linger = 0
        raw.connect(pair.address)
        raw.send_multipart(parts)
        received = hear(pair.router, wakeup)
    finally:
        raw.close()
    assert received.message is None
    assert received.payload.size == 0
    assert received.error is not None
    assert received.error.reason == reason
    assert received.sender not in (b"", pair.peer)
    assert pair.dealer.send(MESSAGE)
    assert hear(pair.router, wakeup).message == MESSAGE


def test_garbage_from_the_bound_end_arrives_as_an_error(wakeup, context):
    raw = context.socket(zmq.ROUTER)
    try:
        raw.linger = 0
        port = raw.bind_to_random_port("tcp://127.0.0.1")
        dealer = Endpoint.connect(f"tcp://127.0.0.1:{port}", name="uplink")
        try:
            assert dealer.socket.poll(1000 * DEADLINE_S, zmq.POLLOUT)
            assert dealer.send(MESSAGE)
            assert raw.poll(1000 * DEADLINE_S)
            raw.send_multipart([raw.recv_multipart()[0], b"junk"])
            received = hear(dealer, wakeup)
        finally:
            dealer.close()
    finally:
        raw.close()
    assert received.error is not None
    assert received.error.reason == "parts"


def test_plain_http_on_the_port_is_at_most_an_error(pair):
    host, port = pair.address.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)
        assert pair.dealer.send(FRAME, SYMBOLS)
        heard = [pair.hear(pair.router)]
        while heard[-1].sender != pair.peer:
            heard.append(pair.hear(pair.router))
    assert heard.pop().message == FRAME
    assert all(received.error is not None for received in heard)


def test_poller_names_the_endpoints_that_have_something(pair, wakeup):
    other = Endpoint.bind(f"tcp://127.0.0.1:{free_ports(1)[0]}", name="downlink")
    try:
        poller = Poller([pair.router, other], wakeup)
        assert poller.wait(0) == []
        pair.dealer.send(MESSAGE)
        assert poller.wait(DEADLINE_S) == [pair.router]
        assert poller.wait(DEADLINE_S) == [pair.router], "still there until it is read"
    finally:
        other.close()


def test_wakeup_of_another_thread_ends_the_wait_once(pair, wakeup):
    poller = Poller([pair.router], wakeup)
    waker = threading.Thread(target=lambda: [wakeup.set() for _ in range(3)])
    waker.start()
    assert poller.wait(3600) == []
    waker.join()
    poller.wait(0)
    assert wakeup.fileno() not in dict(poller._poller.poll(0))


def test_wakeup_never_blocks_however_often_it_is_set(wakeup):
    for _ in range(100_000):
        wakeup.set()
    wakeup.clear()
    assert Poller([], wakeup).wait(0) == []


def test_wakeup_may_be_set_after_it_was_closed():
    closed = Wakeup()
    closed.close()
    closed.set()


def test_free_ports_are_distinct_and_can_be_bound():
    ports = free_ports(8)
    assert len(set(ports)) == 8
    for port in ports:
        Endpoint.bind(f"tcp://127.0.0.1:{port}", name="uplink").close()
