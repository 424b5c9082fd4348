"""`/metrics`, `/livez` and `/readyz` of a process over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from semcom.errors import PortInUseError


class HealthServer:
    """Serves in a daemon thread until closed."""

    def __init__(
        self, host: str, port: int, *, registry: CollectorRegistry, ready: Callable[[], bool]
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = 5  # of a silent connection, seconds

            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif self.path == "/livez":
                    self._answer(200, b"ok\n")
                elif self.path == "/readyz":
                    is_ready = ready()
                    self._answer(200 if is_ready else 503, b"ok\n" if is_ready else b"not ready\n")
                else:
                    self._answer(404, b"try /metrics, /livez or /readyz\n")

            def log_message(self, *_: object) -> None:
                """Scrapes are no events."""

            def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise PortInUseError(
                f"metrics address {host}:{port} is in use; set another metrics_port"
            ) from error
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
