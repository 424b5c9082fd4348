"""Strangers at the HTTP port: whoever trickles, floods or asks for nonsense gets a small answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from orchestrator.live.api import Api
from orchestrator.live.requests import Desk
from semcom import http_server
from semcom.health import HealthServer
from semcom.http_hosts import AllowedHosts
from semcom.http_server import MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_HEAD_BYTES, Request, Response
from semcom.telemetry import Telemetry
from semcom.wakeup import Wakeup
from tests.properties import examples

HOST = "Host: 127.0.0.1\r\n"
fuzz = examples(150, suppress=HealthCheck.function_scoped_fixture)


class Server:
    """A server with a page that tells what it was asked."""

    def __init__(self, host: str = "127.0.0.1", hosts: tuple[str, ...] = ()) -> None:
        self.asked: list[Request] = []
        self.wakeup = Wakeup()
        self.api = Api(Desk(self.wakeup), host=host, token="t")
        self.server = HealthServer(
            host,
            0,
            telemetry=Telemetry("channel", "channel"),
            ready=lambda: True,
            pages=self.page,
            hosts=hosts,
        )
        self.port = self.server.port

    def page(self, request: Request) -> Response | None:
        if request.path.startswith("/api/"):
            return self.api(request)
        self.asked.append(request)
        return Response(200, b"page") if request.path == "/page" else None

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, content: bytes) -> tuple[int, str]:
        """Send bytes as they are: status and body of the answer; 0 where there is none."""
        with self.connect() as connection:
            connection.sendall(content)
            return told(connection)

    def close(self) -> None:
        self.server.close()
        self.wakeup.close()


def told(connection: socket.socket) -> tuple[int, str]:
    content = b""
    try:
        while chunk := connection.recv(1 << 16):
            content += chunk
    except ConnectionResetError:
        pass
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"Traceback" not in content
    return (int(head.split()[1]) if content else 0), body.decode()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def threads() -> int:
    return sum(each.name.startswith("Thread-") for each in threading.enumerate())


def get(path: str, head: str = HOST) -> bytes:
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1")


def post(body: bytes, head: str, path: str = "/api/stop") -> bytes:
    return f"POST {path} HTTP/1.1\r\n{HOST}{head}\r\n".encode() + body


JSON = "Content-Type: application/json\r\n"
WRONG: dict[str, tuple[bytes, int, str]] = {
    "HTTP/0.9": (b"GET /metrics\r\n", 505, "HTTP/1.0 or HTTP/1.1"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP"),
    "no version": (b"GET /metrics FTP/1.0\r\n\r\n", 400, "Bad request"),
    "one word": (b"hello\r\n\r\n", 400, "Bad request"),
    "bytes": (bytes(range(256)) + b"\r\n\r\n", 400, "request"),
    "long address": (get("/" + "x" * MAX_HEAD_BYTES), 414, "an address has fewer than"),
    "large head": (get("/page", HOST + f"A: {'x' * 5000}\r\n" * 4), 431, "head has at most"),
    "many fields": (get("/page", HOST + "a: b\r\n" * 200), 431, "Too many headers"),
    "no host": (get("/metrics", ""), 403, "names no host"),
    "two hosts": (get("/metrics", HOST + HOST), 400, "several hosts"),
    "another host": (get("/metrics", "Host: evil.example\r\n"), 403, "'evil.example'"),
    "another method": (b"BREW /page HTTP/1.1\r\n" + HOST.encode() + b"\r\n", 501, "BREW"),
    "unknown page": (get("/none"), 404, "try /metrics"),
    "no length": (post(b"{}", JSON), 411, "no Content-Length"),
    "two lengths": (
        post(b"{}", JSON + "Content-Length: 2\r\nContent-Length: "
        "2\r\n"), 400, "Content-Length must be given once",
    ),
    "other lengths": (
        post(b"{}", JSON + "Content-Length: 2\r\nContent-Length: "
        "9\r\n"), 400, "Content-Length must be given once",
    ),
    "negative length": (post(b"{}", JSON + "Content-Length: -2\r\n"), 400, "a whole number"),
    "length in words": (post(b"{}", JSON + "Content-Length: two\r\n"), 400, "a whole number"),
    "plus": (post(b"{}", JSON + "Content-Length: +2\r\n"), 400, "a whole number"),
    "huge": (post(b"", f"{JSON}Content-Length: {MAX_BODY_BYTES + 1}\r\n"), 413, "at most"),
    "very huge": (post(b"", f"{JSON}Content-Length: {'9' * 999}\r\n"), 400, "a whole number"),
    "chunked": (
        post(b"2\r\n{}\r\n0\r\n\r\n", JSON + "Transfer-Encoding: chunked\r\n"), 411, "not accepted",
    ),
    "empty": (post(b"", JSON + "Content-Length: 0\r\n"), 400, "the body is empty"),
    "bad JSON": (post(b"{", JSON + "Content-Length: 1\r\n"), 400, "not JSON"),
    "deep JSON": (post(b"[" * 99_999, JSON + "Content-Length: 99999\r\n"), 400, "levels"),
    "another type": (
        post(b"{}", "Content-Type: text/plain\r\nContent-Length: 2\r\n"), 415, "application/json",
    ),
    "no type": (post(b"{}", "Content-Length: 2\r\n"), 415, "application/json"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_request_gets_one_clear_line(server, case, caplog, capfd):
    content, status, said = WRONG[case]
    found, body = server.ask(content)
    assert found == status
    text = body
    if b"/api/" in content:
        answer = json.loads(body) if body.startswith("{") else {"error": body, "exit_code": 2}
        assert answer["exit_code"] == 2
        text = answer["error"]
    assert said in text
    assert len(text.strip().splitlines()) == 1
    assert len(body) < 400
    assert server.ask(get("/page")) == (200, "page")
    assert not caplog.records
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("line", [
    b"GET /\x1b[31mred HTTP/1.1", b"G\x1bET /page HTTP/1.1", b"GET /a\x00b HTTP/1.1",
    b"GET /\x9b31m HTTP/1.1", b"GET /page\x7f HTTP/1.1", b"GET /page HTTP/1.1\x1b",
    b"GET\x0c/page HTTP/1.1", b"GET /a\rb HTTP/1.1",
])  # fmt: skip
def test_control_characters_of_a_request_line_reach_no_page_log_or_answer(server, line, caplog):
    status, body = server.ask(line + b"\r\n" + HOST.encode() + b"\r\n")
    assert (status, "control characters" in body) == (400, True)
    assert body.strip().isprintable()
    assert server.asked == []
    assert not caplog.records


def test_who_waits_to_be_told_to_send_its_body_is_told(server):
    with server.connect() as connection:
        head = f"{JSON}Content-Length: 1\r\nExpect: 100-Continue\r\n"
        connection.sendall(post(b"", head))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{")
        status, body = told(connection)
    assert (status, "not JSON" in body) == (400, True)


@pytest.mark.parametrize(
    ("head", "status", "said"),
    [
        ("Content-Length: 1\r\nExpect: a-miracle\r\n", 417, "100-continue"),
        ("Content-Length: 99999999\r\nExpect: 100-continue\r\n", 413, "at most"),
        ("Expect: 100-continue\r\n", 411, "no Content-Length"),
    ],
)
def test_a_body_that_is_not_wanted_is_refused_before_it_is_sent(server, head, status, said):
    found, body = server.ask(post(b"", JSON + head))
    assert (found, said in body) == (status, True)


def test_body_that_ends_early_is_said_with_its_lengths(server):
    with server.connect() as connection:
        connection.sendall(post(b"{}", JSON + "Content-Length: 10\r\n"))
        connection.shutdown(socket.SHUT_WR)
        status, body = told(connection)
    assert (status, json.loads(body)["error"]) == (400, "the body ended after 2 of 10 bytes")


def test_large_body_that_is_sent_all_the_same_does_not_hide_the_answer(server):
    head = f"{JSON}Content-Length: {4 * MAX_BODY_BYTES}\r\n"
    status, body = server.ask(post(bytes(4 * MAX_BODY_BYTES), head))
    assert status == 413
    assert "at most" in body


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/page", "/api/status"])
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", "a@b"]
)
def test_no_page_answers_under_a_foreign_name(server, path, host):
    status, body = server.ask(get(path, f"Host: {host}\r\n"))
    assert status == 403
    assert server.asked == []
    if path.startswith("/api/"):
        assert json.loads(body)["exit_code"] == 4


@pytest.mark.parametrize(
    ("bound", "further", "host", "allowed"),
    [
        ("127.0.0.1", (), "127.0.0.1:9100", True),
        ("127.0.0.1", (), "localhost", True),
        ("127.0.0.1", (), "LocalHost.:80", True),
        ("127.0.0.1", (), "[::1]:80", True),
        ("127.0.0.1", (), "127.9.9.9", True),
        ("127.0.0.1", (), "10.0.0.1", False),
        ("127.0.0.1", (), "", False),
        ("127.0.0.1", (), ":80", False),
        ("127.0.0.1", (), "2130706433", False),
        ("127.0.0.1", ("edge-1",), "edge-1:9100", True),
        ("127.0.0.1", ("edge-1",), "edge-1.evil", False),
        ("127.0.0.1", ("*",), "any.thing", True),
        ("0.0.0.0", (), "10.0.0.1:9100", True),
        ("0.0.0.0", (), "[fe80::1]:9100", True),
        ("0.0.0.0", (), "localhost", True),
        ("0.0.0.0", (), socket.gethostname().upper(), True),
        ("0.0.0.0", (), "channel:9100", False),
        ("0.0.0.0", ("channel",), "channel:9100", True),
        ("edge-1", (), "edge-1:1", True),
        ("10.0.0.1", (), "10.0.0.1", True),
        ("10.0.0.1", (), "rebound.evil.example", False),
    ],
)
def test_hosts_that_are_answered(bound, further, host, allowed):
    objection = AllowedHosts(bound, further).objection(host)
    assert (objection is None) is allowed, objection
    assert allowed or "metrics_hosts" in objection or "names no host" in objection


def test_peers_that_send_a_byte_now_and_then_are_cut_off(server, monkeypatch):
    monkeypatch.setattr(http_server, "READ_DEADLINE_S", 0.5)
    begun_s = time.monotonic()
    with server.connect() as connection:
        head = get("/page")
        for byte in head:
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break
            if server.asked or time.monotonic() - begun_s > 5:
                break
            time.sleep(0.1)
        status, body = told(connection)
    assert status in (0, 408)
    assert status == 0 or "not complete after 0.5 s" in body
    assert time.monotonic() - begun_s < 5
    assert server.asked == []


def test_body_that_trickles_in_is_cut_off_too(server, monkeypatch):
    monkeypatch.setattr(http_server, "READ_DEADLINE_S", 0.4)
    with server.connect() as connection:
        connection.sendall(post(b"{", JSON + "Content-Length: 100\r\n"))
        status, body = told(connection)
    assert status == 408
    assert json.loads(body)["exit_code"] == 2


def test_connections_and_threads_are_bounded_and_room_comes_back(server, monkeypatch):
    monkeypatch.setattr(http_server, "READ_DEADLINE_S", 2.0)
    before = threads()
    with ExitStack() as stack:
        held = [stack.enter_context(server.connect()) for _ in range(MAX_CONNECTIONS)]
        for connection in held:
            connection.sendall(b"GET /pa")
        time.sleep(0.2)
        refused = [server.ask(get("/page")) for _ in range(3 * MAX_CONNECTIONS)]
        assert {status for status, _ in refused} <= {0, 503}
        assert any("too many connections" in body for _, body in refused)
        assert threads() - before <= MAX_CONNECTIONS
        for connection in held:
            assert told(connection)[0] == 408
    end_s = time.monotonic() + 10
    while server.ask(get("/page")) != (200, "page"):
        assert time.monotonic() < end_s
    while threads() > before:
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_peer_that_does_not_read_is_cut_off(monkeypatch):
    monkeypatch.setattr(http_server, "WRITE_DEADLINE_S", 0.3)
    server = Server()
    monkeypatch.setattr(server, "page", lambda _: None)
    big = Response(200, bytes(64 << 20))
    server.server._server.answer = lambda _: big
    before = threads()
    try:
        with server.connect() as connection:
            connection.sendall(get("/page"))
            end_s = time.monotonic() + 10
            time.sleep(0.1)
            while threads() > before:
                assert time.monotonic() < end_s
                time.sleep(0.02)
    finally:
        server.close()


def test_peers_that_go_away_print_nothing(server, capfd, caplog):
    for content in (b"", b"GET", get("/page"), post(b"", JSON + "Content-Length: 9\r\n")):
        with server.connect() as connection:
            connection.sendall(content)
            linger = b"\1\0\0\0\0\0\0\0"  # close with a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert server.ask(get("/page")) == (200, "page")
    assert capfd.readouterr().err == ""
    assert not caplog.records


def test_secret_of_a_request_is_in_no_repr():
    assert "s3cret" not in repr(Request("GET", "/", {"authorization": "Bearer s3cret"}))


@fuzz
@given(
    content=st.binary(max_size=300)
    | st.builds(
        lambda method, path, version, head, body: (
            f"{method} {path} {version}\r\n".encode("latin-1", "replace")
            + "\r\n".join(head).encode("latin-1", "replace")
            + b"\r\n\r\n"
            + body
        ),
        st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS", "get", ""]),
        st.sampled_from(["/", "/metrics", "/page", "/api/stop", "/api/status", "*", "//", "%00"])
        | st.text(max_size=10),
        st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/9.9", "HTTP/1.1 x", "HTTP/1.x"]),
        st.lists(
            st.sampled_from(
                [HOST.strip(), "Host: x", "Content-Length: 2", "Content-Length: x", JSON.strip(),
                 "Transfer-Encoding: chunked", "Expect: 100-continue", " folded", "no colon", ":"]
            )
            | st.text(max_size=20),
            max_size=5,
        ),
        st.binary(max_size=30),
    )
)  # fmt: skip
def test_any_bytes_get_an_answer_of_http_or_none(server, content):
    with server.connect() as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        status, body = told(connection)
    assert status == 0 or 200 <= status < 600
    assert status != 500
    assert len(body) < 10_000 or status == 200
