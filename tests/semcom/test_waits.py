"""What is awaited is said: when, how often, and what stands in the way."""

from __future__ import annotations

import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom import waits
from semcom.errors import AuthenticationError, ConfigurationError, ProtocolError
from semcom.messages import Hello, Refusal, Welcome
from semcom.sockets import Endpoint, free_ports
from semcom.speakers import Speaker, objection
from semcom.waits import FIRST_S, LONGEST_S, ConnectionWatch, Contact, Reminder, look_at
from tests.semcom.keyring import LINK, OTHER_LINK, RECEIVER

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


def said_of(contact: Contact, caplog: pytest.LogCaptureFixture, *, silent_s: float) -> list[str]:
    """Lines after so many seconds of silence."""
    watch = ConnectionWatch([contact, None])
    deadline = time.monotonic() + 60
    while not caplog.messages and time.monotonic() < deadline:
        watch.tick(contact.heard_s + silent_s)
        if silent_s <= FIRST_S:
            break
        time.sleep(0.01)
    return caplog.messages


def test_a_server_that_answers_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    assert said_of(Contact("control", "tcp://127.0.0.1:1", None), caplog, silent_s=FIRST_S) == []


def test_one_line_names_the_server_its_address_and_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    (line,) = said_of(Contact("uplink", address, None), caplog, silent_s=4.0)
    assert line == (
        f"waiting for the channel, uplink {address}: no process listens there (connection refused)"
    )


def test_a_connection_that_stands_is_not_probed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "Probe", None)
    contact = Contact("control", "tcp://hub:1", None)
    contact.take("succeeded")
    (line,) = said_of(contact, caplog, silent_s=4.0)
    assert line.endswith("tcp://hub:1: connected, but sends no Welcome")


def test_a_server_that_speaks_another_version_is_named() -> None:
    contact = Contact("downlink", "tcp://hub:1", None)
    contact.take("succeeded")
    contact.misread(ProtocolError("version", "protocol version 2, here 3"))
    assert contact.answer == (
        "connected, but sends what cannot be read: protocol version 2, here 3; "
        "use one version of this package at both ends"
    )
    contact.misread(ProtocolError("checksum", "CRC-32 does not match"))
    assert contact.answer.endswith("cannot be read: CRC-32 does not match")
    contact.hear(Welcome(instance="0123456789abcdef"))
    assert contact.answer == "connected, but sends no Welcome"


def test_the_state_of_a_connection_follows_its_events() -> None:
    contact = Contact("downlink", "tcp://hub:1", None)
    assert contact.answer == ""
    contact.take("succeeded")
    contact.hear(Refusal(reason="unexpected", detail="a receiver on the uplink"))
    assert contact.answer == "connected, but refuses: a receiver on the uplink"
    contact.hear(Welcome(instance="0123456789abcdef"))
    assert contact.answer == "connected, but sends no Welcome"
    contact.take("disconnected")
    assert contact.answer == ""
    contact.take("no_detail")
    contact.take("disconnected")
    assert contact.answer.startswith("it closes connections during the handshake")


@pytest.mark.parametrize("own", [RECEIVER, LINK])
def test_only_a_refusal_of_the_own_hello_ends_a_process(own: Speaker) -> None:
    contact = Contact("control", "tcp://hub:1", own)
    hello = Hello(role="receiver", peer="receiver-1", instance="0123456789abcdef")
    text = objection(OTHER_LINK, hello)
    assert text is not None
    refusal = Refusal(reason="unexpected", detail=text)
    if own == RECEIVER:
        with pytest.raises(
            AuthenticationError, match="has the key of this process registered for another"
        ):
            contact.hear(refusal)
    else:
        contact.hear(refusal)
    contact.hear(Refusal(reason="header", detail=text))
    Contact("control", "tcp://hub:1", None).hear(refusal)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "eth9", "-", "x" * 70])
def test_a_name_that_does_not_resolve_is_said_so(host: str) -> None:
    assert look_at(f"tcp://{host}:5550").startswith(f"the name {host} does not resolve (")


def test_a_stranger_at_the_port_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = look_at(f"tcp://127.0.0.1:{server.getsockname()[1]}")
    assert found == "something listens there, but does not answer as it should"


def test_only_an_end_that_dials_watches_its_server() -> None:
    address = f"tcp://127.0.0.1:{free_ports(1)[0]}"
    dialling = Endpoint.connect(address, name="control")
    listening = Endpoint.bind(address, name="control")
    assert (dialling.address, listening.address) == (address, address)
    assert listening.contact is None
    assert dialling.contact is not None
    dialling.close()
    listening.close()


@pytest.mark.parametrize("address", ["tcp://*:5550", "tcp://127.0.0.1:0", "tcp://hub:00000"])
def test_an_address_that_cannot_be_dialled_ends_with_a_line(address: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot connect control to"):
        Endpoint.connect(address, name="control")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "eth9", "192.0.2.1", "256.1.1.1"])
def test_an_address_that_is_not_here_cannot_be_bound(host: str) -> None:
    with pytest.raises(
        ConfigurationError, match="neither an interface nor an address of this host"
    ):
        Endpoint.bind(f"tcp://{host}:5550", name="control")
