"""ZeroMQ endpoints for messages; only this module, its reader and the authenticator import zmq.

Channel and orchestrator bind ROUTER sockets; all others connect with a DEALER and may start in any
order. ROUTER chooses the routing ids. One thread owns an endpoint.
"""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple, get_args

import zmq

from semcom import handshakes, wire, zap
from semcom.authenticator import Authenticator
from semcom.bounds import BOUND, DIALLED, Bounds
from semcom.connections import CURVE_OVERHEAD, Connections
from semcom.errors import AuthenticationError, ConfigurationError, PortInUseError, ProtocolError
from semcom.messages import Message, Refusal, Role
from semcom.part_reader import PartReader
from semcom.ports import free_ports
from semcom.security import Security
from semcom.speakers import Speaker, frame_of, objection
from semcom.waits import Contact
from semcom.wakeup import Wakeup

__all__ = [
    "Authenticator", "Endpoint", "Poller", "Received", "Wakeup", "curve_keypair", "free_ports",
    "shutdown",
]  # fmt: skip
DO_NOT_WAIT = int(zmq.NOBLOCK)  # an enum would be converted at each call
MORE_TO_COME = int(zmq.NOBLOCK | zmq.SNDMORE)
MAX_EVENTS = 4096  # events of a monitor to process at a time
ROLES: dict[str, Role] = {role: role for role in get_args(Role)}
MONITOR_EVENT = struct.Struct("=Hi")  # event, value
EVENTS: dict[int, handshakes.Event] = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "succeeded",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "auth",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "protocol",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "no_detail",
    zmq.EVENT_DISCONNECTED: "disconnected",
}


class Received(NamedTuple):
    """One message that arrived: either `message` with its payload, or `error`.

    `answerable` is false for a Refusal, even an unreadable one; `parts` are the parts as read.
    """

    sender: bytes
    message: Message | None
    payload: wire.Payload
    error: ProtocolError | None = None
    answerable: bool = True
    parts: Sequence[bytes] = ()


class Endpoint:
    """One socket. Sends never block: a message that cannot be sent now is dropped."""

    def __init__(self, kind: int, name: str, bounds: Bounds, *, keyed: bool) -> None:
        self.name = name
        self.connections = Connections(name, bounds, keyed=keyed, bound=kind == zmq.ROUTER)
        self.readable_s = time.monotonic()  # when the poller last found it readable
        self.address = ""
        self.contact: Contact | None = None  # with the server, if this end connects
        self.authenticator: Authenticator | None = None
        self.monitor: zmq.Socket[bytes] | None = None
        self._security: Security | None = None
        self._watch: handshakes.HandshakeWatch | None = None
        self._router = kind == zmq.ROUTER
        self.socket = _open_socket(kind, bounds, keyed=keyed)
        self._reader = PartReader(self.socket, self.connections, router=self._router)

    @classmethod
    def bind(
        cls, address: str, *, name: str, security: Security | None = None,
        sent_bytes: int | None = None, sent_messages: int = 0,
    ) -> Endpoint:  # fmt: skip
        """Bind a ROUTER at `address`; with `security`, it accepts only authorised keys.

        Args:
            name: `uplink`, `downlink` or `control`, each with its own bounds.
            sent_bytes: bytes that may be queued for one peer, if not the default.
            sent_messages: the same in messages, if more than the default.

        Raises:
            PortInUseError: another process listens there.
            ConfigurationError: the address does not belong to this host.
            AuthenticationError: the process's own key is invalid.
        """
        _check_pair(security)
        bounds = BOUND[name].sending(sent_bytes, sent_messages)
        endpoint = cls(zmq.ROUTER, name, bounds, keyed=security is not None)
        endpoint.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if security is not None:
            endpoint._let_in(security)
        endpoint._observe(zmq.EVENT_ACCEPTED)
        try:
            endpoint.socket.bind(address)
        except zmq.ZMQError as error:
            endpoint.close()
            if error.errno == zmq.EADDRINUSE:
                raise PortInUseError(
                    f"{name} address {address} is in use; stop that process or set another port"
                ) from error
            raise ConfigurationError(
                f"cannot bind {name} to {address}: {_why_not_bound(error)}"
            ) from error
        endpoint.address = endpoint.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        return endpoint

    @classmethod
    def connect(
        cls, address: str, *, name: str, security: Security | None = None,
        sent_bytes: int | None = None,
    ) -> Endpoint:  # fmt: skip
        """Return a DEALER connected to `address`; sends are dropped while there is no peer.

        Raises:
            ConfigurationError: the address is invalid, or the server's key is unknown.
            AuthenticationError: the process's own key is invalid.
        """
        _check_pair(security)
        contact = Contact(name, address, None if security is None else security.own.speaker)
        server_key = None if security is None else security.server_key(name)
        bounds = DIALLED[name].sending(sent_bytes)
        endpoint = cls(zmq.DEALER, name, bounds, keyed=security is not None)
        endpoint.address, endpoint.contact = address, contact
        endpoint.socket.setsockopt(zmq.IMMEDIATE, 1)
        endpoint.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        endpoint.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        if security is not None and server_key is not None:
            endpoint._use_key(security)
            endpoint.socket.setsockopt(zmq.CURVE_SERVERKEY, server_key.encode())
        endpoint._watch = handshakes.HandshakeWatch(
            f"{name} {address}",
            keyed=security is not None,
            greets=partial(handshakes.greets_with_curve, address),
        )
        success = zmq.EVENT_HANDSHAKE_SUCCEEDED
        endpoint._observe(success | zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED)
        try:
            endpoint.socket.connect(address)
        except zmq.ZMQError as error:
            endpoint.close()
            raise ConfigurationError(f"cannot connect {name} to {address}: {error}") from error
        return endpoint

    def send(
        self, message: Message, payload: wire.Payload = wire.EMPTY, *, to: bytes = b""
    ) -> bool:
        """Send without blocking; return False if no peer can take it."""
        return self.send_parts(wire.encode(message, payload), to=to)

    def send_parts(self, parts: Sequence[bytes], *, to: bytes = b"") -> bool:
        """Send a message that is already encoded, such as a forwarded one."""
        size = self.connections.on_wire(parts)
        if not self.connections.room_for(to, size):
            return False
        try:
            _send_all(self.socket, [to, *parts] if self._router else parts)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        self.connections.put(to, size)
        return True

    def receive(self) -> Received | None:
        """Return the next message if there is one; bytes that are not a message give an `error`.

        Raises:
            AuthenticationError: at the server, this process's key belongs to another peer.
        """
        self.connections.check(time.monotonic())
        read = self._reader.read()
        if read is None:
            return None
        sender, parts, last = read
        speaker = None if self._security is None else _speaker(last)
        try:
            message, payload = wire.decode(parts)
            if self._security is not None and self._router:
                _check_speaker(self.name, self._security, speaker, message)
        except ProtocolError as error:
            if self.contact is not None:
                self.contact.misread(error)
            return Received(sender, None, wire.EMPTY, error, not wire.is_refusal(parts))
        if self.contact is not None:
            self.contact.hear(message)
        return Received(sender, message, payload, None, not isinstance(message, Refusal), parts)

    def take_events(self) -> None:
        """Process the results of handshakes.

        Raises:
            AuthenticationError: this process is not accepted, or cannot accept any peer.
        """
        assert self.monitor is not None
        for _ in range(MAX_EVENTS):
            try:
                record = self.monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            number, value = MONITOR_EVENT.unpack(record[0])
            if number in (zmq.EVENT_ACCEPTED, zmq.EVENT_CONNECTED):
                self.connections.opened(value, peer=None if self._router else b"")
            event = EVENTS.get(number)
            if event is None:
                continue
            if self._watch is not None and self.contact is not None:
                self.contact.take(event)
                self._watch.take(event, value)
            elif self._security is not None:
                self._on_refused_handshake(self._security, event, value)

    def close(self) -> None:
        """Close at once."""
        if self.monitor is not None:
            self.socket.disable_monitor()
            self.monitor.close(linger=0)
            self.monitor = None
        self.socket.close(linger=0)
        if self.authenticator is not None:
            self.authenticator.release()
            self.authenticator = None

    def _let_in(self, security: Security) -> None:
        """Make the socket a server that accepts no peer without the authenticator's answer."""
        self.authenticator = Authenticator.shared(security)
        self._use_key(security)
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.ZAP_DOMAIN, zap.DOMAIN)
        self.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def _use_key(self, security: Security) -> None:
        self._security = security
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, security.own.public_key.encode())
        secret = security.own.secret_key.get_secret_value()
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, secret.encode())

    def _observe(self, more: int) -> None:
        failed = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        failed |= zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        self.monitor = self.socket.get_monitor_socket(failed | more)

    def _on_refused_handshake(
        self, security: Security, event: handshakes.Event, value: int
    ) -> None:
        if (found := handshakes.refusal_reason(event, value)) is None:
            return
        reason, detail = found
        if reason == "dead_authenticator" and self.authenticator is not None:
            raise self.authenticator.dead(detail)
        security.refused(reason, f"{self.name}: {detail}")


def _open_socket(kind: int, bounds: Bounds, *, keyed: bool) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, bounds.sent_messages)
    socket.setsockopt(zmq.RCVHWM, bounds.received_messages)
    socket.setsockopt(zmq.MAXMSGSIZE, bounds.part_bytes + (CURVE_OVERHEAD if keyed else 0))
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    return socket


def _send_all(socket: zmq.Socket[bytes], parts: Sequence[bytes]) -> None:
    """Send the parts of a message, as the library would, at less cost."""
    for part in parts[:-1]:
        socket.send(part, MORE_TO_COME)
    socket.send(parts[-1], DO_NOT_WAIT)


def _check_pair(security: Security | None) -> None:
    """Check that the halves of a process's own key belong together; libzmq does not."""
    if security is None:
        return
    own = security.own
    if zmq.curve_public(own.secret_key.get_secret_value().encode()) != own.public_key.encode():
        raise AuthenticationError(
            f"the secret key of {own.speaker} does not belong to its public key; make a new one"
        )


def _why_not_bound(error: zmq.ZMQError) -> str:
    if error.errno in (errno.ENODEV, errno.EADDRNOTAVAIL):
        return "that is neither an interface nor an address of this host"
    return str(error.strerror)


def _speaker(frame: zmq.Frame) -> Speaker | None:
    """Return the peer whose key a message came with: the user id set by the authenticator."""
    try:
        user = str(frame.get("User-Id"))
    except zmq.ZMQError:
        return None
    role, _, name = user.partition("/")
    return Speaker(ROLES[role], name) if role in ROLES and name else None


def _check_speaker(name: str, security: Security, speaker: Speaker | None, said: Message) -> None:
    wrong = "no key" if speaker is None else objection(speaker, said)
    if wrong is not None:
        security.refused("wrong_peer", f"{name}: {wrong}")
        raise ProtocolError("unexpected", wrong, key=frame_of(said))


class Poller:
    """Waits for readable endpoints or the wakeup; answers key requests meanwhile."""

    def __init__(self, endpoints: Iterable[Endpoint], wakeup: Wakeup) -> None:
        self._poller = zmq.Poller()
        self._wakeup = wakeup
        self._endpoints = {endpoint.socket: endpoint for endpoint in endpoints}
        every = self._endpoints.values()
        self._monitored = {each.monitor: each for each in every if each.monitor is not None}
        self._authenticators = {
            each.authenticator.socket: each.authenticator
            for each in every
            if each.authenticator is not None
        }
        for registered in (*self._endpoints, *self._monitored, *self._authenticators):
            self._poller.register(registered, zmq.POLLIN)
        self._poller.register(wakeup.fileno(), zmq.POLLIN)

    def wait(self, timeout_s: float) -> list[Endpoint]:
        """Return readable endpoints within `timeout_s`; check the bounds of unread data.

        Raises:
            AuthenticationError: this process is not accepted, or cannot accept any peer.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            now_s = time.monotonic()
            checks = [each.connections.check(now_s) for each in self._endpoints.values()]
            readable = self._poll(min([end_s - now_s, *checks]))
            found = [endpoint for key, endpoint in self._endpoints.items() if key in readable]
            now_s = time.monotonic()
            for endpoint in found:
                endpoint.readable_s = now_s
            woken = self._wakeup.fileno() in readable
            if woken:
                self._wakeup.clear()
            if found or woken or now_s >= end_s:
                return found

    def _poll(self, timeout_s: float) -> dict[object, int]:
        """Return the readable sockets; answer key requests and process handshakes."""
        for key, authenticator in self._authenticators.items():
            if key.closed:
                raise authenticator.dead("its socket is closed")
            authenticator.security.log_held_back()
        readable: dict[object, int] = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        for key, authenticator in self._authenticators.items():
            if key in readable:
                authenticator.serve()
        for key, endpoint in self._monitored.items():
            if key in readable:
                endpoint.take_events()
        return readable


def curve_keypair() -> tuple[str, str]:
    """Return a new pair of keys (public, secret) in Z85."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def shutdown() -> None:
    """Destroy the process's ZeroMQ context; endpoints must be closed."""
    zmq.Context.instance().term()
