"""ZeroMQ endpoints that speak messages. The only module that imports zmq.

Channel and orchestrator bind ROUTER sockets; everyone else dials out with a DEALER and may start
in any order. Routing ids are chosen by ROUTER, never fixed. One thread owns an endpoint.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import zmq

from semcom import wire
from semcom.errors import ConfigurationError, PortInUseError, ProtocolError
from semcom.messages import Message

HIGH_WATER_MARK = 4096
MAX_PART_BYTES = wire.MAX_PAYLOAD_BYTES
FREE_PORTS = range(15_000, 32_000)


@dataclass(frozen=True)
class Received:
    """One message that arrived: either `message` with its payload, or `error`.

    `answerable` is false for a Refusal, even one that cannot be read.
    """

    sender: bytes
    message: Message | None
    payload: wire.Symbols
    error: ProtocolError | None = None
    answerable: bool = True


class Endpoint:
    """One socket. Sends never block: what cannot go out now is dropped, and the caller told."""

    def __init__(self, kind: int, name: str) -> None:
        self.name = name
        self._router = kind == zmq.ROUTER
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_PART_BYTES)
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)

    @classmethod
    def bind(cls, address: str, *, name: str) -> Endpoint:
        """A ROUTER at `address`.

        Raises:
            PortInUseError: another process listens there.
            ConfigurationError: not an address of this host.
        """
        endpoint = cls(zmq.ROUTER, name)
        endpoint.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        try:
            endpoint.socket.bind(address)
        except zmq.ZMQError as error:
            endpoint.close()
            if error.errno == zmq.EADDRINUSE:
                raise PortInUseError(
                    f"{name} address {address} is in use; stop that process or set another port"
                ) from error
            raise ConfigurationError(f"cannot bind {name} to {address}: {error}") from error
        return endpoint

    @classmethod
    def connect(cls, address: str, *, name: str) -> Endpoint:
        """A DEALER to `address`; while nobody is there, sends are dropped."""
        endpoint = cls(zmq.DEALER, name)
        endpoint.socket.setsockopt(zmq.IMMEDIATE, 1)
        endpoint.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        endpoint.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
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
        parts = wire.encode(message, payload)
        if self._router:
            parts.insert(0, to)
        try:
            self.socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                return False
            raise
        return True

    def receive(self) -> Received | None:
        """The next message if one is there. Bytes that are no message come as `error`."""
        try:
            parts = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None
        sender = parts.pop(0) if self._router else b""
        answerable = not wire.is_refusal(parts)
        try:
            message, payload = wire.decode(parts)
        except ProtocolError as error:
            return Received(sender, None, wire.EMPTY, error, answerable)
        return Received(sender, message, payload, None, answerable)

    def close(self) -> None:
        """Close at once."""
        self.socket.close(linger=0)


class Wakeup:
    """Lets another thread wake the thread that polls."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._reader.fileno()

    def set(self) -> None:
        """Wake the poller; any thread may call this."""
        try:
            self._writer.send(b"\0")
        except (BlockingIOError, OSError):
            return  # full: the poller is woken already; closed: nobody polls any more

    def clear(self) -> None:
        """Forget the calls so far."""
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self._writer.close()


class Poller:
    """Waits for endpoints to be readable or for the wakeup."""

    def __init__(self, endpoints: Iterable[Endpoint], wakeup: Wakeup) -> None:
        self._poller = zmq.Poller()
        self._wakeup = wakeup
        self._endpoints = {endpoint.socket: endpoint for endpoint in endpoints}
        for endpoint_socket in self._endpoints:
            self._poller.register(endpoint_socket, zmq.POLLIN)
        self._poller.register(wakeup.fileno(), zmq.POLLIN)

    def wait(self, timeout_s: float) -> list[Endpoint]:
        """Endpoints with something to read, within `timeout_s`."""
        readable = dict(self._poller.poll(max(0, round(timeout_s * 1000))))
        if self._wakeup.fileno() in readable:
            self._wakeup.clear()
        return [endpoint for key, endpoint in self._endpoints.items() if key in readable]


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
