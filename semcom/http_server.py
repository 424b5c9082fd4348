"""A small HTTP server that peers cannot exhaust: one request per connection, everything bounded.

At most `MAX_CONNECTIONS` are served at a time, each on its own thread; further ones get 503. A
request must be complete `READ_DEADLINE_S` after it began, even if it arrives byte by byte, and its
answer must be read within `WRITE_DEADLINE_S`. Anything but an HTTP/1.0 or 1.1 request with one
length gets a one-line error.
"""

from __future__ import annotations

import io
import logging
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

logger = logging.getLogger("semcom.http")

MAX_CONNECTIONS = 32
MAX_HEAD_BYTES = 16 << 10
MAX_BODY_BYTES = 1 << 20
READ_DEADLINE_S = 5.0
WRITE_DEADLINE_S = 10.0
LINGER_S = 1.0  # data from a refused peer is discarded meanwhile, so that it reads the reason
LENGTH = re.compile(r"[0-9]{1,12}")
CONTROL = re.compile(rb"[\x00-\x1f\x7f-\x9f]")
BUSY = b"too many connections, try again\n"


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a token
    body: bytes = b""
    query: str = ""


@dataclass(frozen=True)
class Response:
    """The response to an HTTP request."""

    status: int
    body: bytes
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A request that is answered with a status and one line."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


Answer = Callable[[Request], Response]
Refuse = Callable[[int, str, str], Response]  # status, text, path


class Limits:
    """Limits of time and size for the request of one connection."""

    def __init__(self) -> None:
        self.deadline_s = time.monotonic() + READ_DEADLINE_S
        self.bytes_left = MAX_HEAD_BYTES


class LimitedReader(io.RawIOBase):
    """Reads a socket up to a fixed deadline and a limited number of bytes."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read available bytes into a buffer; return 0 at the end.

        Raises:
            TimeoutError: the deadline has passed.
            RefusedError: more bytes than a head may have.
        """
        left_s = self._limits.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request takes too long")
        if self._limits.bytes_left <= 0:
            raise RefusedError(431, f"a request's head has at most {MAX_HEAD_BYTES} bytes")
        self._connection.settimeout(left_s)
        with memoryview(buffer) as view:
            count = self._connection.recv_into(view[: self._limits.bytes_left])
        self._limits.bytes_left -= count
        return count


class Handler(BaseHTTPRequestHandler):
    """Handles one connection: read a request, answer it, close."""

    server: HttpServer

    def setup(self) -> None:
        """Read with limits."""
        super().setup()
        self._limits = Limits()
        # Attributes that the base class expects before there is a request.
        self.path = self.requestline = self.command = ""
        self.request_version = "HTTP/1.0"
        self.rfile.close()
        self.rfile = io.BufferedReader(LimitedReader(self.connection, self._limits))

    def handle(self) -> None:
        """Serve one request; an aborted connection is not logged."""
        try:
            try:
                response = self._response()
            except RefusedError as error:
                response = self.server.refuse(error.status, str(error), self.path)
            except TimeoutError:
                text = f"the request was not complete after {READ_DEADLINE_S:g} s"
                response = self.server.refuse(408, text, self.path)
            if response is not None:
                self._answer(response)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Log nothing: scrapes are not events."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what the base class finds wrong with a request, like any other error.

        Raises:
            RefusedError: always.
        """
        del explain
        raise RefusedError(int(code), " ".join((message or "no request").split())[:200])

    def _response(self) -> Response | None:
        self.raw_requestline = self.rfile.readline(MAX_HEAD_BYTES)
        if not self.raw_requestline:
            return None  # the peer disconnected
        if not self.raw_requestline.endswith(b"\n"):
            raise RefusedError(414, f"an address has fewer than {MAX_HEAD_BYTES} bytes")
        if CONTROL.search(self.raw_requestline.rstrip(b"\r\n")):  # for no log or terminal
            raise RefusedError(400, "the request's first line holds control characters")
        if len(self.raw_requestline.split()) == 2:  # HTTP/0.9 has no headers
            raise RefusedError(505, "use HTTP/1.0 or HTTP/1.1")
        if not self.parse_request():
            return None
        if len(self.headers.get_all("Host", [])) > 1:
            raise RefusedError(400, "the request names several hosts")
        body = self._body() if self.command == "POST" else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        path, _, query = self.path.partition("?")
        return self.server.answer(Request(self.command, path, headers, body, query))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") is not None:
            raise RefusedError(411, "give a Content-Length; Transfer-Encoding is not accepted")
        lengths = self.headers.get_all("Content-Length", [])
        if not lengths:
            raise RefusedError(411, "the request has no Content-Length")
        if len(lengths) > 1 or not LENGTH.fullmatch(lengths[0].strip(" \t")):
            raise RefusedError(400, "Content-Length must be given once, as a whole number")
        length = int(lengths[0])
        if length > MAX_BODY_BYTES:
            raise RefusedError(413, f"a body has at most {MAX_BODY_BYTES} bytes, not {length}")
        self._continue()
        self._limits.bytes_left = length + 1
        body = self.rfile.read(length)
        if len(body) < length:
            raise RefusedError(400, f"the body ended after {len(body)} of {length} bytes")
        return body

    def _continue(self) -> None:
        """Answer 100 Continue to a client that waits for it."""
        expected = self.headers.get("Expect")
        if expected is None or self.request_version < "HTTP/1.1":
            return
        if expected.strip().lower() != "100-continue":
            raise RefusedError(417, "the only supported Expect is 100-continue")
        self.connection.settimeout(WRITE_DEADLINE_S)
        self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, response: Response) -> None:
        self.connection.settimeout(WRITE_DEADLINE_S)
        self.request_version = "HTTP/1.0"  # also for HTTP/0.9
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Connection", "close")
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)
        if response.status >= 400:
            _drop_the_rest(self.connection)


class HttpServer(ThreadingHTTPServer):
    """Serves each connection on a daemon thread."""

    daemon_threads = True
    request_queue_size = 2 * MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], *, answer: Answer, refuse: Refuse) -> None:
        """Bind; raise OSError if that is not possible.

        Args:
            address: host and port.
            answer: called on a thread of the server with each complete request.
            refuse: returns the response to an invalid request.
        """
        self.answer = answer
        self.refuse = refuse
        self._free = threading.Semaphore(MAX_CONNECTIONS)
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without looking up this host's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or refuse it if there are too many."""
        if self._free.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:  # no thread could be started
                self._free.release()
                raise
            return
        head = f"HTTP/1.0 503 Service Unavailable\r\nContent-Length: {len(BUSY)}\r\n\r\n"
        with suppress(OSError):
            request.setblocking(False)
            request.send(head.encode() + BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end, then free its slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an internal error; nothing is printed."""
        del request, client_address
        logger.exception("internal error; please report it with this log")


def _drop_the_rest(connection: socket.socket) -> None:
    """Discard what a peer still sends for a moment; closing at once could discard the answer."""
    end_s = time.monotonic() + LINGER_S
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left_s := end_s - time.monotonic()) > 0:
            connection.settimeout(left_s)
            if not connection.recv(1 << 16):
                return
