"""ZeroMQ endpoints that speak messages. Of the system, no other module imports zmq.

Channel and orchestrator bind ROUTER sockets; everyone else dials out with a DEALER and may start
in any order. Routing ids are chosen by ROUTER, never fixed. One thread owns an endpoint.
"""

from __future__ import annotations

import errno
import random
import socket
import struct
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import ClassVar, NamedTuple, get_args

import zmq

from semcom import handshakes, wire, zap
from semcom.errors import AuthenticationError, ConfigurationError, PortInUseError, ProtocolError
from semcom.messages import Message, Role
from semcom.security import Security
from semcom.speakers import Speaker, frame_of, objection
from semcom.waits import Contact
from semcom.wakeup import Wakeup

HIGH_WATER_MARK = 4096
MAX_PART_BYTES = wire.MAX_PAYLOAD_BYTES
FREE_PORTS = range(15_000, 32_000)
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

    `answerable` is false for a Refusal, even one that cannot be read; `parts` is what was read.
    """

    sender: bytes
    message: Message | None
    payload: wire.Symbols
    error: ProtocolError | None = None
    answerable: bool = True
    parts: Sequence[bytes] = ()


class Authenticator:
    """Answers libzmq's questions whom to let in, on the thread that polls: it cannot die alone.

    libzmq asks at one place per process, so all bound endpoints share one.
    """

    _shared: ClassVar[Authenticator | None] = None

    def __init__(self, security: Security) -> None:
        self._security = security
        self._users = 0
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(zap.ENDPOINT)

    @classmethod
    def shared(cls, security: Security) -> Authenticator:
        """The one of this process; give it back with `release`."""
        if cls._shared is None:
            cls._shared = cls(security)
        cls._shared._users += 1
        return cls._shared

    def release(self) -> None:
        """One user less; the last one closes it."""
        self._users -= 1
        if self._users == 0:
            type(self)._shared = None
            self.socket.close(linger=0)

    def serve(self) -> None:
        """Answer a question.

        Raises:
            AuthenticationError: it cannot; nobody would be let in any more.
        """
        try:
            parts = self.socket.recv_multipart(zmq.NOBLOCK)
            reply, verdict = zap.answer(parts, self._security.keys)
            self.socket.send_multipart(reply, zmq.NOBLOCK)
        except (zmq.ZMQError, OSError) as error:
            raise self.dead(str(error)) from error
        if verdict.speaker is None:
            self._security.refused(verdict.reason, verdict.detail)

    def dead(self, why: str) -> AuthenticationError:
        """Count its death; the error to end the process with."""
        self._security.refused("dead_authenticator", why)
        return AuthenticationError(f"the authenticator is dead, nobody is let in: {why}")


class Endpoint:
    """One socket. Sends never block: what cannot go out now is dropped, and the caller told."""

    def __init__(self, kind: int, name: str) -> None:
        self.name = name
        self.readable_s = time.monotonic()  # when the poller last found it readable
        self.address = ""
        self.contact: Contact | None = None  # with the server, where this end dials
        self.authenticator: Authenticator | None = None
        self.monitor: zmq.Socket[bytes] | None = None
        self._security: Security | None = None
        self._watch: handshakes.HandshakeWatch | None = None
        self._router = kind == zmq.ROUTER
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_PART_BYTES)
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)

    @classmethod
    def bind(cls, address: str, *, name: str, security: Security | None = None) -> Endpoint:
        """A ROUTER at `address`; with `security` it lets in authorised keys alone.

        Raises:
            PortInUseError: another process listens there.
            ConfigurationError: not an address of this host.
        """
        endpoint = cls(zmq.ROUTER, name)
        endpoint.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if security is not None:
            endpoint._let_in(security)
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
    def connect(cls, address: str, *, name: str, security: Security | None = None) -> Endpoint:
        """A DEALER to `address`; while nobody is there, sends are dropped.

        Raises:
            ConfigurationError: no address, or the server's key is not known.
        """
        contact = Contact(name, address, None if security is None else security.own.speaker)
        server_key = None if security is None else security.server_key(name)
        endpoint = cls(zmq.DEALER, name)
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
        endpoint._observe(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        try:
            endpoint.socket.connect(address)
        except zmq.ZMQError as error:
            endpoint.close()
            raise ConfigurationError(f"cannot connect {name} to {address}: {error}") from error
        return endpoint

    def send(
        self, message: Message, payload: wire.Symbols = wire.EMPTY, *, to: bytes = b""
    ) -> bool:
        """Send without blocking; False where nobody is there to take it."""
        return self.send_parts(wire.encode(message, payload), to=to)

    def send_parts(self, parts: Sequence[bytes], *, to: bytes = b"") -> bool:
        """The same for a message that was encoded before, such as one that is passed on."""
        try:
            self.socket.send_multipart([to, *parts] if self._router else parts, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        return True

    def receive(self) -> Received | None:
        """The next message if one is there. Bytes that are no message come as `error`.

        Raises:
            AuthenticationError: the server knows this process's key as another peer's.
        """
        try:
            parts, speaker = self._receive_parts()
        except zmq.Again:
            return None
        sender = parts.pop(0) if self._router else b""
        answerable = not wire.is_refusal(parts)
        try:
            message, payload = wire.decode(parts)
            if self._security is not None and self._router:
                self._check_speaker(self._security, speaker, message)
        except ProtocolError as error:
            return Received(sender, None, wire.EMPTY, error, answerable)
        if self.contact is not None:
            self.contact.hear(message)
        return Received(sender, message, payload, None, answerable, parts)

    def take_events(self) -> None:
        """Look at what became of handshakes.

        Raises:
            AuthenticationError: this process is not let in, or can let in nobody.
        """
        assert self.monitor is not None
        for _ in range(HIGH_WATER_MARK):
            try:
                record = self.monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            number, value = MONITOR_EVENT.unpack(record[0])
            event = EVENTS.get(number)
            if event is None:
                continue
            if self._watch is not None and self.contact is not None:
                self.contact.take(event)
                self._watch.take(event, value)
            else:
                self._on_refused_handshake(event, value)

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

    def _receive_parts(self) -> tuple[list[bytes], Speaker | None]:
        if self._security is None:
            return self.socket.recv_multipart(zmq.NOBLOCK), None
        frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        return [frame.bytes for frame in frames], _speaker(frames[-1])

    def _let_in(self, security: Security) -> None:
        """Be a server that asks the authenticator; without an answer nobody comes in."""
        self.authenticator = Authenticator.shared(security)
        self._use_key(security)
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.ZAP_DOMAIN, zap.DOMAIN)
        self.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self._observe(0)

    def _use_key(self, security: Security) -> None:
        self._security = security
        self.socket.setsockopt(zmq.CURVE_PUBLICKEY, security.own.public_key.encode())
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, security.own.secret_key.encode())

    def _observe(self, more: int) -> None:
        failed = (
            zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        )
        self.monitor = self.socket.get_monitor_socket(failed | more)

    def _on_refused_handshake(self, event: handshakes.Event, value: int) -> None:
        assert self._security is not None
        found = handshakes.refusal_reason(event, value)
        if found is None:
            return
        reason, detail = found
        if reason == "dead_authenticator" and self.authenticator is not None:
            raise self.authenticator.dead(detail)
        self._security.refused(reason, f"{self.name}: {detail}")

    def _check_speaker(self, security: Security, speaker: Speaker | None, message: Message) -> None:
        wrong = "no key" if speaker is None else objection(speaker, message)
        if wrong is not None:
            security.refused("wrong_peer", f"{self.name}: {wrong}")
            raise ProtocolError("unexpected", wrong, key=frame_of(message))


def _why_not_bound(error: zmq.ZMQError) -> str:
    if error.errno in (errno.ENODEV, errno.EADDRNOTAVAIL):
        return "that is no interface and no address of this host"
    return str(error.strerror)


def _speaker(frame: zmq.Frame) -> Speaker | None:
    """Whose key a message came with: the user id that the authenticator gave."""
    try:
        user = str(frame.get("User-Id"))
    except zmq.ZMQError:
        return None
    role, _, name = user.partition("/")
    return Speaker(ROLES[role], name) if role in ROLES and name else None


class Poller:
    """Waits for endpoints to be readable or for the wakeup; answers for keys meanwhile."""

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
        """Endpoints with something to read, within `timeout_s`.

        Raises:
            AuthenticationError: this process is not let in, or can let in nobody.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            readable = self._poll(end_s - time.monotonic())
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
        """What is readable; questions for keys are answered, handshakes looked at."""
        for key, authenticator in self._authenticators.items():
            if key.closed:
                raise authenticator.dead("its socket is closed")
        readable: dict[object, int] = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        for key, authenticator in self._authenticators.items():
            if key in readable:
                authenticator.serve()
        for key, endpoint in self._monitored.items():
            if key in readable:
                endpoint.take_events()
        return readable


def curve_keypair() -> tuple[str, str]:
    """A new pair of keys: public, secret; Z85."""
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Distinct TCP ports of `host` that nobody listens on right now.

    They are taken from below the range from which systems number outgoing connections, so that
    no connection made before they are bound can sit on one of them.

    Raises:
        PortInUseError: hardly any port is free.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(FREE_PORTS, k=1000):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise PortInUseError(f"no {count} free ports on {host}; stop some processes")


def shutdown() -> None:
    """Destroy the process's ZeroMQ context; endpoints must be closed."""
    zmq.Context.instance().term()
