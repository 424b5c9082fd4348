"""Fixtures of the tests with sockets on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq


@pytest.fixture
def zmq_context(monkeypatch: pytest.MonkeyPatch) -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """A ZeroMQ context for this test alone; every socket of it must be closed at the end."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    opened: list[zmq.Socket[bytes]] = []
    create = context.socket

    def recorded(kind: int) -> zmq.Socket[bytes]:
        opened.append(create(kind))
        return opened[-1]

    monkeypatch.setattr(context, "socket", recorded)
    monkeypatch.setattr(zmq.Context, "instance", lambda: context)
    yield context
    leaked = [each for each in opened if not each.closed]
    context.destroy(linger=0)
    assert not leaked, "a ZeroMQ socket was left open"
