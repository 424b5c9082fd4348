"""What is awaited is said: when, how often, and what stands in the way."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom import waits
from semcom.errors import ConfigurationError
from semcom.sockets import Endpoint, free_ports
from semcom.waits import FIRST_S, LONGEST_S, ConnectionWatch, Reminder, look_at

pytestmark = pytest.mark.usefixtures("zmq_context")
DAY_S = 86_400.0


def lines_of(reminder: Reminder, until_s: float, step_s: float = 0.5) -> list[float]:
    """When it is due, if something is awaited all the time."""
    steps = range(int(until_s / step_s) + 1)
    return [step * step_s for step in steps if reminder.due(True, step * step_s)]


def test_it_is_said_within_seconds_and_then_seldom() -> None:
    assert lines_of(Reminder(), 100) == [3, 6, 12, 24, 48, 96]
    assert len(lines_of(Reminder(), DAY_S, step_s=10)) < 300, "a day's log stays small"


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_what_comes_and_goes_is_said_no_oftener(spells_s: list[int]) -> None:
    awaited = [spell % 2 == 0 for spell, length in enumerate(spells_s) for _ in range(length)]
    reminder, constant = Reminder(), Reminder()
    said = sum(reminder.due(each, float(at_s)) for at_s, each in enumerate(awaited))
    assert said <= sum(constant.due(True, float(at_s)) for at_s in range(len(awaited)))


def test_after_a_long_calm_it_is_said_at_once_again() -> None:
    reminder = Reminder()
    lines_of(reminder, 1000)
    assert not reminder.due(False, 1001.0)
    later_s = 1001 + 2 * LONGEST_S
    assert not reminder.due(True, later_s)
    assert reminder.due(True, later_s + FIRST_S)
    assert reminder.due(True, later_s + 2 * FIRST_S)


@dataclass
class Server:
    """An endpoint to a server that says nothing."""

    address: str
    name: str = "control"
    heard_s: float = 0.0
    connection: str = ""
    dials: bool = True
    said: list[str] = field(default_factory=list)


def said_of(server: Server, caplog: pytest.LogCaptureFixture, *, at_s: float) -> list[str]:
    """Lines after so many seconds of silence."""
    watch = ConnectionWatch([server])
    deadline = time.monotonic() + 60
    while not caplog.messages and time.monotonic() < deadline:
        watch.tick(at_s)
        if at_s <= FIRST_S or not server.dials:
            break
        time.sleep(0.01)
    return caplog.messages


def test_a_server_that_answers_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    assert said_of(Server("tcp://127.0.0.1:1"), caplog, at_s=FIRST_S) == []
    assert said_of(Server("tcp://127.0.0.1:1", dials=False), caplog, at_s=DAY_S) == []


def test_one_line_names_the_server_its_address_and_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (port,) = free_ports(1)
    (line,) = said_of(Server(f"tcp://127.0.0.1:{port}", "uplink"), caplog, at_s=4.0)
    assert line == (
        f"waiting for the channel, uplink tcp://127.0.0.1:{port}: "
        "nobody listens there (connection refused)"
    )


def test_a_connection_that_stands_is_not_probed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "Probe", None)
    (line,) = said_of(Server("tcp://hub:1", connection="connected"), caplog, at_s=4.0)
    assert line.endswith("tcp://hub:1: connected, but no word of welcome")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "eth9", "-", "x" * 70])
def test_a_name_that_does_not_resolve_is_said_so(host: str) -> None:
    assert look_at(f"tcp://{host}:5550").startswith(f"the name {host} does not resolve (")


def test_a_stranger_at_the_port_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = look_at(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    assert found == "something listens there, but does not answer as it should"


def test_an_endpoint_knows_when_its_server_was_heard_of(caplog: pytest.LogCaptureFixture) -> None:
    (port,) = free_ports(1)
    caplog.set_level(logging.WARNING)
    endpoint = Endpoint.connect(f"tcp://127.0.0.1:{port}", name="control")
    server = Endpoint.bind(f"tcp://127.0.0.1:{port}", name="control")
    try:
        assert (endpoint.dials, server.dials) == (True, False)
        assert endpoint.connection == ""
        assert server.address == f"tcp://127.0.0.1:{port}"
    finally:
        endpoint.close()
        server.close()


@pytest.mark.parametrize("address", ["tcp://*:5550", "tcp://127.0.0.1:0", "tcp://hub:00000"])
def test_an_address_that_cannot_be_dialled_ends_with_a_line(address: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot connect control to"):
        Endpoint.connect(address, name="control")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "eth9", "192.0.2.1", "256.1.1.1"])
def test_an_address_that_is_not_here_cannot_be_bound(host: str) -> None:
    with pytest.raises(ConfigurationError, match="no interface and no address of this host"):
        Endpoint.bind(f"tcp://{host}:5550", name="control")
