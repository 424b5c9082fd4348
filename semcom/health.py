"""`/metrics`, `/livez` and `/readyz` of a process over HTTP, and pages of its own if it has any."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from semcom.errors import ConfigurationError, PortInUseError
from semcom.telemetry import Telemetry

logger = logging.getLogger("semcom.health")

MAX_BODY_BYTES = 1 << 20


@dataclass(frozen=True)
class Request:
    """What a browser or a program asks; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: str = ""


@dataclass(frozen=True)
class Response:
    """What it is answered."""

    status: int
    body: bytes
    content_type: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


# Called on a thread of the server; None where there is no such page.
Pages = Callable[[Request], Response | None]


class HealthServer:
    """Serves in a daemon thread until closed."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        telemetry: Telemetry,
        ready: Callable[[], bool],
        pages: Pages | None = None,
    ) -> None:
        telemetry.follow("semcom_ready", lambda: float(ready()))

        def health(request: Request) -> Response | None:
            if request.method != "GET":
                return None
            if request.path == "/metrics":
                return Response(200, generate_latest(telemetry.registry), CONTENT_TYPE_LATEST)
            if request.path == "/livez":
                return Response(200, b"ok\n")
            if request.path == "/readyz":
                return Response(200, b"ok\n") if ready() else Response(503, b"not ready\n")
            return None

        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # of a silent connection, seconds

            def do_GET(self) -> None:
                self._serve(b"")

            def do_POST(self) -> None:
                if pages is None:
                    self.send_error(501, "Unsupported method ('POST')")
                    return
                length = self.headers.get("Content-Length", "")
                if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                    self.close_connection = True
                    self._answer(Response(413, f"at most {MAX_BODY_BYTES} bytes\n".encode()))
                    return
                self._serve(self.rfile.read(int(length)))

            def log_message(self, *_: object) -> None:
                """Scrapes are no events."""

            def _serve(self, body: bytes) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                path, _, query = self.path.partition("?")
                request = Request(self.command, path, headers, body, query)
                try:
                    answer = health(request) or (pages(request) if pages is not None else None)
                except Exception:
                    logger.exception("internal error; please report it with this log")
                    answer = Response(500, b"internal error, see the log\n")
                self._answer(answer or Response(404, b"try /metrics, /livez or /readyz\n"))

            def _answer(self, response: Response) -> None:
                self.send_response(response.status)
                self.send_header("Content-Type", response.content_type)
                self.send_header("Content-Length", str(len(response.body)))
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(response.body)

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(
                    f"metrics address {host}:{port} is in use; set another metrics_port"
                ) from error
            raise ConfigurationError(f"cannot bind metrics to {host}:{port}: {error}") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)
