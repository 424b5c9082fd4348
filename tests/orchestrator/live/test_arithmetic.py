"""Processes that would round differently: in a live system they get no work, and say why."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.control.service import ControlService
from orchestrator.live.stream_work import StreamWork
from semcom import wire
from semcom.messages import Arithmetic, Hello, LoadCodec, Message, StreamAssignment, Welcome
from semcom.sockets import Received
from semcom.telemetry import Telemetry
from tests.orchestrator.live.streaming import INSTANCE, LINK, RUN, stream_of

TORCH = Arithmetic(threads=1, engine="torch")
OTHER = Arithmetic(threads=1, engine="onnxruntime")
EXACT = Arithmetic(threads=1, decoding="exact")
WHY = "transmitter shapes10 computes with onnxruntime on 1 thread, this run with torch on 1 thread"


class Wire:
    """The control socket: what was sent, and to whom."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Message]] = []

    def send(self, message: Message, _payload: Any = wire.EMPTY, *, to: bytes = b"") -> bool:
        self.sent.append((to, message))
        return True


class System:
    """A live system's end of the control socket, and who speaks to it."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.stream = stream_of()
        telemetry = Telemetry("orchestrator", "orchestrator")
        self.service = ControlService(
            self.wire,  # type: ignore[arg-type]
            StreamWork(self.stream, telemetry),
            launcher=None,
            telemetry=telemetry,
        )

    def hears(self, role: Any, peer: str, **fields: Any) -> list[type[Message]]:
        """What everybody is told after a process said hello, and a second went by."""
        self.wire.sent.clear()
        hello = Hello(role=role, peer=peer, instance=INSTANCE, **fields)
        self.service.handle(self.wire, Received(peer.encode(), hello, wire.EMPTY))  # type: ignore[arg-type]
        self.service.send(self.stream.tick(100.0))
        return [type(message) for to, message in self.wire.sent if to == peer.encode()]

    def hears_the_channel(self) -> None:
        total = self.stream._points.total
        self.hears("channel", "channel", run=RUN if total else None, points=total)


@pytest.fixture
def system() -> System:
    system = System()
    codecs = [link.codec.digest for link in system.stream.links.values()]
    system.hears("receiver", "receiver-1", codecs=codecs, arithmetic=EXACT)
    system.hears("transmitter", LINK, arithmetic=TORCH)
    system.hears_the_channel()
    assert StreamAssignment in system.hears("transmitter", LINK, arithmetic=TORCH)
    return system


def test_a_transmitter_with_another_engine_gets_no_work_and_its_link_says_why(system):
    assert system.hears("transmitter", LINK, arithmetic=OTHER) == [Welcome]
    system.wire.sent.clear()
    system.hears_the_channel()
    system.service.send(system.stream.tick(111.0))  # its course moves on
    system.service.send(system.stream.pause())
    assert [message for to, message in system.wire.sent if to == LINK.encode()] == []
    assert system.stream.links[LINK].failure == WHY
    assert system.service.objections(0.0) == [WHY]


def test_once_it_computes_as_planned_it_works_again(system):
    system.hears("transmitter", LINK, arithmetic=OTHER)
    assert StreamAssignment in system.hears("transmitter", LINK, arithmetic=TORCH)
    assert system.service.objections(0.0) == []


def test_a_receiver_in_another_mode_serves_nobody(system):
    merged = Arithmetic(threads=1, decoding="throughput")
    assert system.hears("receiver", "receiver-1", codecs=[], arithmetic=merged) == [Welcome]
    assert system.stream._holders.peers == []
    assert LoadCodec in system.hears("receiver", "receiver-2", codecs=[], arithmetic=EXACT)


def test_a_receiver_with_another_engine_serves_nobody_and_one_that_tells_none_has_torch(system):
    for engine, expected in (("onnxruntime", [Welcome]), ("torch", None), (None, None)):
        told = Arithmetic(threads=1, engine=engine, decoding="exact")
        answered = system.hears("receiver", "receiver-1", codecs=[], arithmetic=told)
        assert answered == expected if expected else LoadCodec in answered
        why = "receiver receiver-1 computes with onnxruntime exact on 1 thread, "
        why += "this run with torch exact on 1 thread"
        assert system.service.objections(0.0) == ([why] if expected else [])


@pytest.mark.parametrize(
    "hello",
    [
        {"role": "transmitter", "peer": "stranger", "arithmetic": OTHER},
        {"role": "channel", "peer": "channel", "arithmetic": OTHER},
        {"role": "transmitter", "peer": LINK},
    ],
    ids=["a-stranger", "a-channel", "who-does-not-tell"],
)
def test_nobody_else_is_objected_to(system, hello):
    system.hears(**hello)
    assert system.service.objections(0.0) == []


def test_an_objection_is_about_who_was_heard_of_lately(system):
    system.hears("transmitter", LINK, arithmetic=OTHER)
    heard_s = system.service._peers._objected["transmitter", LINK][1]
    assert system.service.objections(heard_s + 2.0) == [WHY]
    assert system.service.objections(heard_s + 4.0) == []
