"""Which refusals of the orchestrator end a transmitter's part of a run."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from semcom.messages import Failure, Hello, Message, Refusal
from semcom.sockets import Endpoint, Wakeup, free_ports
from semcom.telemetry import Telemetry
from transmitters.service import TransmitterService
from transmitters.settings import TransmitterSettings


class Orchestrator:
    """The other end of a transmitter's control line, on the same thread."""

    def __init__(self, service: TransmitterService, control: Endpoint) -> None:
        self.service, self.control = service, control
        self.got: list[Message] = []
        self.sender = b""

    def exchange(self, wanted: type[Message], count: int) -> None:
        """Serve both ends until so many messages of a type have come."""
        end_s = time.monotonic() + 60
        while sum(isinstance(message, wanted) for message in self.got) < count:
            assert time.monotonic() < end_s, self.got
            self.service.tick(time.monotonic())
            while (back := self.service.endpoints[0].receive()) is not None:
                self.service.handle(self.service.endpoints[0], back)
            received = self.control.receive()
            if received is not None and received.message is not None:
                self.sender = received.sender
                self.got.append(received.message)


@pytest.fixture
def orchestrator(tmp_path: Path) -> Iterator[Orchestrator]:
    control_port, uplink_port = free_ports(2)
    address = f"tcp://127.0.0.1:{control_port}"
    control = Endpoint.bind(address, name="control")
    settings = TransmitterSettings(
        control=address, uplink=f"tcp://127.0.0.1:{uplink_port}", data_dir=tmp_path
    )
    wakeup = Wakeup()
    service = TransmitterService(settings, "link", Telemetry("transmitter", "link"), wakeup)
    yield Orchestrator(service, control)
    service.close()
    control.close()
    wakeup.close()


@pytest.mark.parametrize("reason", ["header", "shape", "not_finite", "type", "checksum", "size"])
def test_refusal_that_damage_can_cause_does_not_end_the_run(
    orchestrator: Orchestrator, reason: str
) -> None:
    orchestrator.exchange(Hello, 1)
    refusal = Refusal.model_validate({"reason": reason, "detail": "damaged"})
    orchestrator.control.send(refusal, to=orchestrator.sender)
    orchestrator.exchange(Hello, 3)
    assert not any(isinstance(message, Failure) for message in orchestrator.got)


def test_refusal_of_the_link_itself_ends_its_part(orchestrator: Orchestrator) -> None:
    orchestrator.exchange(Hello, 1)
    orchestrator.control.send(
        Refusal(reason="unexpected", detail="not a link"), to=orchestrator.sender
    )
    orchestrator.exchange(Failure, 1)
    (failure,) = [message for message in orchestrator.got if isinstance(message, Failure)][:1]
    assert failure.exit_code == 5


def test_a_link_that_has_failed_waits_for_other_work(orchestrator: Orchestrator) -> None:
    orchestrator.exchange(Hello, 1)
    sender = orchestrator.service._sender
    sender.next_deadline_s = lambda now_s, idle_s: 0.0  # type: ignore[method-assign]
    assert orchestrator.service.tick(time.monotonic()) == 0.0, "a frame is overdue"
    orchestrator.control.send(
        Refusal(reason="unexpected", detail="not a link"), to=orchestrator.sender
    )
    orchestrator.exchange(Failure, 1)
    now_s = time.monotonic()
    assert max(orchestrator.service.tick(now_s) for _ in range(2)) > 0.01
    orchestrator.service.drain()
    orchestrator.service.tick(now_s)
    assert orchestrator.service.done, "nothing comes back for what is in flight"


@pytest.mark.parametrize("kind", [2, 13], ids=["Welcome", "Refusal"])
def test_an_orchestrator_of_version_2_ends_its_part_in_one_line(
    orchestrator: Orchestrator, kind: int
) -> None:
    """Whatever it says: nothing of it can be read."""
    orchestrator.exchange(Hello, 1)
    header = b"\x81\xa8instance\xb0" + b"01234567" * 2
    start = b"SEMC" + struct.pack("<HHII", 2, kind, len(header), 0)
    parts = [start + struct.pack("<I", zlib.crc32(start + header)), header, b""]
    orchestrator.control.send_parts(parts, to=orchestrator.sender)
    orchestrator.exchange(Failure, 1)
    failure = next(each for each in orchestrator.got if isinstance(each, Failure))
    assert failure.exit_code == 5
    assert failure.detail == "version: protocol version 2, here 3"
