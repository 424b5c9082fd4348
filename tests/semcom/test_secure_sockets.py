"""Endpoints with keys: who gets in, who does not, and that both ends say so."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from orchestrator.control.key_sets import make_keys, revoke
from semcom import authenticator, zap
from semcom.errors import AuthenticationError
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.messages import Hello, Refusal
from semcom.sockets import Endpoint, Poller, Received, free_ports
from semcom.speakers import Speaker
from semcom.wakeup import Wakeup
from semcom.wire import refusal
from tests.semcom.keyring import CHANNEL, LINK, OTHER_LINK, RECEIVER, Keyed, key_folder
from tests.semcom.test_sockets import SYMBOLS

pytestmark = pytest.mark.usefixtures("zmq_context")
DEADLINE_S = 60.0


def hello(speaker: Speaker) -> Hello:
    return Hello(role=speaker.role, peer=speaker.name, instance="0123456789abcdef")


class Net:
    """A channel's uplink, and ends that dial it; all on one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = Keyed(folder, CHANNEL)
        self.address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
        self.uplink = Endpoint.bind(self.address, name="uplink", security=self.server.security)
        self.wakeup = Wakeup()
        self.dialled: list[Endpoint] = []
        self.heard: list[Received] = []

    def dial(self, speaker: Speaker | None, folder: Path | None = None) -> Endpoint:
        security = None if speaker is None else Keyed(folder or self.folder, speaker).security
        self.dialled.append(Endpoint.connect(self.address, name="uplink", security=security))
        return self.dialled[-1]

    def until(self, condition: Callable[[], bool]) -> None:
        """Serve all ends until a condition holds."""
        poller = Poller([self.uplink, *self.dialled], self.wakeup)
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, "not within the deadline"
            for endpoint in poller.wait(0.05):
                received = endpoint.receive()
                if received is not None:
                    self.heard.append(received)
                if received is not None and received.error is not None:
                    self.uplink.send(refusal(received.error), to=received.sender)

    def say(self, client: Endpoint, message: Hello | SymbolFrame) -> Received:
        """Send as soon as the connection stands; what is heard then."""
        before = len(self.heard)
        payload = (SYMBOLS,) if isinstance(message, SymbolFrame) else ()
        self.until(lambda: client.send(message, *payload))
        self.until(lambda: len(self.heard) > before)
        return self.heard[before]

    def turned_away(self, words: str) -> None:
        """Both ends learn of it: an error here, a count there; and nothing was heard."""
        with pytest.raises(AuthenticationError, match=words) as caught:
            self.until(lambda: False)
        assert caught.value.exit_code == 4
        self.dialled.pop().close()
        self.until(lambda: bool(self.server.refused()))
        assert self.heard == []

    def close(self) -> None:
        for endpoint in (self.uplink, *self.dialled):
            endpoint.close()
        self.wakeup.close()


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    net = Net(key_folder(tmp_path / "keys"))
    yield net
    net.close()


def test_authorised_peer_is_heard(net: Net) -> None:
    assert net.say(net.dial(LINK), hello(LINK)).message == hello(LINK)
    assert net.server.refused() == {}


def test_unknown_key_is_refused_at_both_ends(net: Net, tmp_path: Path) -> None:
    stranger = key_folder(tmp_path / "strange")
    channel = net.folder / "authorized" / "channel.yaml"
    (stranger / "authorized" / "channel.yaml").write_text(channel.read_text())
    net.dial(LINK, stranger)
    net.turned_away("refuses the key")
    assert net.server.refused() == {"unknown_key": 1}


def test_peer_without_a_key_is_refused_at_both_ends(net: Net) -> None:
    net.dial(None)
    net.turned_away("security.keys")
    # Whichever end sees first that the other one has no key breaks the connection off.
    assert net.server.refused() in ({"no_key": 1}, {"broken_off": 1})


def test_wrong_server_key_is_an_error_at_both_ends(net: Net, tmp_path: Path) -> None:
    net.dial(LINK, key_folder(tmp_path / "strange"))
    net.turned_away("interrupted")
    # The peer also looks who is there, which is a handshake that it breaks off.
    assert set(net.server.refused()) - {"broken_off"} == {"wrong_server_key"}


def test_revoked_key_is_refused_and_those_inside_stay(net: Net) -> None:
    inside = net.dial(OTHER_LINK)
    net.say(inside, hello(OTHER_LINK))
    net.heard.clear()
    revoke(net.folder, "shapes10")
    net.dial(LINK)
    net.turned_away("revoked")
    assert net.server.refused() == {"revoked_key": 1}
    assert net.say(inside, hello(OTHER_LINK)).message == hello(OTHER_LINK)


def test_peer_that_is_added_while_the_server_runs_gets_in(net: Net) -> None:
    new = Speaker("transmitter", "cifar10")
    make_keys(net.folder, [new])
    assert net.say(net.dial(new), hello(new)).message == hello(new)


def frame(link: str) -> SymbolFrame:
    key = FrameKey(run="r", point=0, link=link, frame=0)
    return SymbolFrame(key=key, first_image=0, images=2, symbols=2, codec="ab" * 32)


@pytest.mark.parametrize("said", [hello(OTHER_LINK), frame("shapes100"), hello(RECEIVER)])
def test_peer_that_speaks_for_another_is_refused_and_told(
    net: Net, said: Hello | SymbolFrame
) -> None:
    client = net.dial(LINK)
    heard = net.say(client, said)
    assert heard.message is None
    assert heard.error is not None
    assert heard.error.reason == "unexpected"
    assert net.server.refused() == {"wrong_peer": 1}
    net.until(lambda: len(net.heard) > 1)
    told = net.heard[1].message
    assert isinstance(told, Refusal)
    assert "with the key of transmitter shapes10" in told.detail
    assert told.key == (said.key if isinstance(said, SymbolFrame) else None)
    net.heard.clear()
    assert net.say(client, frame("shapes10")).message == frame("shapes10")


def test_dead_authenticator_lets_nobody_in_and_is_noticed(net: Net) -> None:
    authenticator = net.uplink.authenticator
    assert authenticator is not None
    authenticator.socket.unbind("inproc://zeromq.zap.01")
    net.dial(LINK)
    net.turned_away("the authenticator has died")
    assert net.server.refused()["dead_authenticator"] >= 1


def test_closed_authenticator_is_noticed_before_anybody_dials(net: Net) -> None:
    authenticator = net.uplink.authenticator
    assert authenticator is not None
    authenticator.socket.close()
    with pytest.raises(AuthenticationError, match="has died"):
        net.until(lambda: False)


def test_authenticator_that_cannot_read_its_keys_lets_nobody_in(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("disk gone")

    monkeypatch.setattr(net.server.security.keys, "read", fail)
    net.dial(LINK)
    with pytest.raises(AuthenticationError, match="disk gone"):
        net.until(lambda: False)
    assert net.heard == []


def test_server_without_keys_is_refused_by_a_peer_with_them(
    zmq_context: zmq.Context[zmq.Socket[bytes]], net: Net
) -> None:
    plain = Endpoint.bind(f"tcp://127.0.0.1:{free_ports(1)[0]}", name="uplink")
    net.address = str(plain.socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode())  # type: ignore[union-attr]
    net.dial(LINK)
    try:
        with pytest.raises(AuthenticationError, match="connects without keys"):
            net.until(lambda: False)
    finally:
        plain.close()


class Questions:
    """Connections' questions to the authenticator, as libzmq asks them."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], count: int) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.connect(zap.ENDPOINT)
        for number in range(count):
            key = number.to_bytes(32, "big")
            asked = [zap.VERSION, b"1", zap.DOMAIN, b"127.0.0.1", b"", b"CURVE", key]
            self.socket.send_multipart([b"", *asked])

    def answered(self, at_least: int = 0) -> int:
        """How many have an answer; those that must come may take a while on a busy machine."""
        count = 0
        while self.socket.poll(5000 if count < at_least else 50):
            assert self.socket.recv_multipart()[3] == b"400"
            count += 1
        return count


def test_questions_for_keys_do_not_pile_up(
    net: Net, zmq_context: zmq.Context[zmq.Socket[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes memory, even of a peer that is gone: all are answered, the folder is read once."""
    monkeypatch.setattr(authenticator, "SERVE_S", DEADLINE_S)
    shared = net.uplink.authenticator
    assert shared is not None
    keys, reads = net.server.security.keys, []
    read = keys.read
    monkeypatch.setattr(keys, "read", lambda: (reads.append(1), read())[1])
    questions = Questions(zmq_context, 300)
    try:
        assert shared.socket.poll(1000)
        shared.serve()
        assert questions.answered(300) == 300
    finally:
        questions.socket.close(linger=0)
    assert len(reads) == 1
    assert net.server.refused() == {"unknown_key": 300}


def test_questions_wait_while_the_process_has_no_descriptor_left(
    net: Net, zmq_context: zmq.Context[zmq.Socket[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers who open very many connections end no process, and nobody is let in unseen."""
    shared = net.uplink.authenticator
    assert shared is not None

    def fail() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    questions = Questions(zmq_context, 1)
    try:
        assert shared.socket.poll(1000)
        with monkeypatch.context() as patch:
            patch.setattr(net.server.security.keys, "read", fail)
            shared.serve()
            assert questions.answered() == 0
        shared.serve()
        assert questions.answered(1) == 1
    finally:
        questions.socket.close(linger=0)
    assert net.server.refused() == {"unknown_key": 1}
