"""The check that container engines run: ready or not, as an exit code and one line."""

from __future__ import annotations

import pytest

from semcom.check import main
from semcom.health import HealthServer
from semcom.sockets import free_ports
from semcom.telemetry import Telemetry


@pytest.mark.parametrize("ready", [True, False])
def test_exit_code_says_whether_the_process_is_ready(ready, capsys):
    server = HealthServer(
        "127.0.0.1", 0, telemetry=Telemetry("channel", "channel"), ready=lambda: ready
    )
    try:
        assert main([f"http://127.0.0.1:{server.port}/readyz"]) == (0 if ready else 1)
    finally:
        server.close()
    assert ("503 not ready" in capsys.readouterr().err) is not ready


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/readyz", "file:///", "readyz"])
def test_nobody_there_or_no_address_is_one_line(address, capsys):
    (port,) = free_ports(1)
    assert main([address.format(port=port)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
