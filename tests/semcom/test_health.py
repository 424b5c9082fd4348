"""What a process answers over HTTP."""

from __future__ import annotations

import http.client

import pytest

from semcom.errors import ConfigurationError, PortInUseError
from semcom.health import HealthServer, Pages
from semcom.sockets import free_ports
from semcom.telemetry import Telemetry


class Process:
    """A health server, and the state that it tells of."""

    def __init__(self, port: int = 0, pages: Pages | None = None) -> None:
        self.is_ready = False
        self.telemetry = Telemetry("channel", "channel")
        self.server = HealthServer(
            "127.0.0.1",
            port,
            telemetry=self.telemetry,
            ready=lambda: self.is_ready,
            pages=pages,
        )

    def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type", ""), response.read().decode()
        finally:
            connection.close()


@pytest.fixture
def process():
    process = Process()
    yield process
    process.server.close()


def test_is_ready_only_once_it_says_so(process):
    assert process.get("/readyz")[0] == 503
    process.is_ready = True
    assert process.get("/readyz")[0] == 200
    process.is_ready = False
    assert process.get("/readyz")[0] == 503


def test_lives_before_it_is_ready(process):
    assert process.get("/livez") == (200, "text/plain", "ok\n")


def test_metrics_are_those_of_its_registry_at_the_time(process):
    process.telemetry.count("semcom_frames_unroutable_total", 3, "a")
    status, kind, text = process.get("/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert 'semcom_frames_unroutable_total{link="a"} 3.0' in text
    process.telemetry.count("semcom_frames_unroutable_total", 1, "a")
    assert 'semcom_frames_unroutable_total{link="a"} 4.0' in process.get("/metrics")[2]


def test_unknown_path_names_the_known_ones(process):
    status, _, text = process.get("/")
    assert status == 404
    for path in ("/metrics", "/livez", "/readyz"):
        assert path in text


def test_takes_no_orders(process):
    assert process.get("/livez", method="POST")[0] == 501


def test_page_that_fails_is_answered_and_logged(caplog):
    def broken(request):
        raise ZeroDivisionError(request.path)

    process = Process(pages=broken)
    status, _, text = process.get("/page")
    process.server.close()
    assert (status, text) == (500, "internal error, see the log\n")
    assert "ZeroDivisionError: /page" in caplog.text


def test_logs_no_scrapes(process, capfd):
    process.get("/metrics")
    assert capfd.readouterr() == ("", "")


def test_port_in_use_is_said_with_the_setting(process):
    with pytest.raises(PortInUseError, match="set another metrics_port") as caught:
        HealthServer(
            "127.0.0.1", process.server.port, telemetry=process.telemetry, ready=lambda: True
        )
    assert caught.value.exit_code == 3


def test_an_address_that_is_none_is_no_port_in_use(process):
    with pytest.raises(ConfigurationError, match=r"cannot bind metrics to no\.such\.host"):
        HealthServer("no.such.host.invalid", 0, telemetry=process.telemetry, ready=lambda: True)


def test_closed_server_frees_its_port():
    (port,) = free_ports(1)  # no port that dialling it could itself be given
    process = Process(port)
    process.server.close()
    again = HealthServer("127.0.0.1", port, telemetry=process.telemetry, ready=lambda: True)
    again.close()
    with pytest.raises(ConnectionRefusedError):
        process.get("/livez")
