"""Serve `/metrics`, `/livez` and `/readyz` of a process over HTTP, and its further pages."""

from __future__ import annotations

import errno
import json
import logging
import threading
from collections.abc import Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from semcom.errors import AuthenticationError, ConfigurationError, PortInUseError
from semcom.http_hosts import AllowedHosts
from semcom.http_server import HttpServer, Request, Response
from semcom.telemetry import Telemetry

logger = logging.getLogger("semcom.health")

API = "/api/"  # its refusals are JSON
METHODS = ("GET", "POST")
FORBIDDEN = (401, 403)

# Called on a thread of the server; None if there is no such page.
Pages = Callable[[Request], Response | None]


class HealthServer:
    """Serves requests for this process's host names in a daemon thread until closed."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        telemetry: Telemetry,
        ready: Callable[[], bool],
        pages: Pages | None = None,
        hosts: Sequence[str] = (),
    ) -> None:
        """Bind and begin to serve.

        Args:
            host: the address to listen on.
            port: 0 for any free one.
            telemetry: source of `/metrics`.
            ready: source of `/readyz`.
            pages: further pages.
            hosts: further host names that requests may use.

        Raises:
            PortInUseError: the port is taken.
            ConfigurationError: the address does not belong to this machine.
        """
        telemetry.follow("semcom_ready", lambda: float(ready()))
        allowed = AllowedHosts(host, hosts)

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

        def answer(request: Request) -> Response:
            objection = allowed.objection(request.headers.get("host", ""))
            if objection is not None:
                return refusal(403, objection, request.path)
            if request.method not in METHODS or (pages is None and request.method != "GET"):
                return refusal(501, f"{request.method[:20]} is not supported here", request.path)
            try:
                found = health(request) or (pages(request) if pages is not None else None)
            except Exception:
                logger.exception("internal error; please report it with this log")
                return Response(500, b"internal error, see the log\n")
            return found or refusal(404, "try /metrics, /livez or /readyz", request.path)

        try:
            self._server = HttpServer((host, port), answer=answer, refuse=refusal)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(
                    f"metrics address {host}:{port} is in use; set another metrics_port"
                ) from error
            raise ConfigurationError(f"cannot bind metrics to {host}:{port}: {error}") from error
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


def refusal(status: int, text: str, path: str) -> Response:
    """Return the response to a refused request: text, or JSON with an exit code for the API."""
    if not path.startswith(API):
        return Response(status, f"{text}\n".encode(errors="replace"))
    content = {"error": text, "exit_code": exit_code_of_status(status)}
    return Response(status, json.dumps(content).encode(), "application/json")


def exit_code_of_status(status: int) -> int:
    """Return the exit code of a command whose request was refused with an HTTP status."""
    error = AuthenticationError if status in FORBIDDEN else ConfigurationError
    return error.exit_code
