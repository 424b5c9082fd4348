"""Bounds of the queues of a socket.

ZeroMQ bounds a queue in messages, of any number of parts, and counts only complete ones. So each
socket has bounds in messages, which the library enforces, and in bytes, which
`semcom/connections.py` enforces. The bounds in bytes exceed a queue full of the largest messages,
so a peer that follows the protocol never reaches them.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass, replace

from semcom import wire

MIB = 1 << 20
DESCRIPTORS = 8192  # twice what two sockets need for their connections


def max_connections() -> int:
    """Return how many connections a bound socket may have; first request enough descriptors.

    Two sockets leave half of the descriptors for connections that are still to be closed and for
    everything else.
    """
    descriptors, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= descriptors < DESCRIPTORS:
        descriptors = DESCRIPTORS if most < 0 else max(descriptors, min(DESCRIPTORS, most))
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, most))
    return 1024 if descriptors < 0 else max(64, min(1024, descriptors // 4))


MAX_CONNECTIONS = max_connections()


@dataclass(frozen=True)
class Bounds:
    """Bounds of one socket; bytes are counted on the wire."""

    part_bytes: int  # of what arrives
    received_messages: int  # that wait here, of one connection
    sent_messages: int
    received_bytes: int  # the same in bytes
    sent_bytes: int
    all_received_bytes: int  # of all connections
    all_sent_bytes: int

    def sending(self, sent_bytes: int | None, messages: int = 0) -> Bounds:
        """Return a copy with another bound, if given, of the bytes to be sent per connection."""
        if sent_bytes is None:
            return self
        return replace(
            self,
            sent_messages=max(messages, self.sent_messages),
            sent_bytes=sent_bytes,
            all_sent_bytes=max(sent_bytes, self.all_sent_bytes),
        )


HEADER, PAYLOAD = wire.MAX_HEADER_BYTES, wire.MAX_PAYLOAD_BYTES

# Answers are as large as frames may be: uplink and downlink carry both, one each way.
# fmt: off
BOUND: Mapping[str, Bounds] = {
    "uplink": Bounds(PAYLOAD, 8, 1024, 160 * MIB, 64 * MIB, 512 * MIB, 256 * MIB),
    "downlink": Bounds(PAYLOAD, 8, 1024, 160 * MIB, 96 * MIB, 512 * MIB, 512 * MIB),
    # a complete table of points is sent at once
    "control": Bounds(HEADER, 64, 4096, 64 * MIB, 32 * MIB, 256 * MIB, 256 * MIB),
}
DIALLED: Mapping[str, Bounds] = {
    "uplink": Bounds(PAYLOAD, 8, 2048, 160 * MIB, 96 * MIB, 160 * MIB, 96 * MIB),
    "downlink": Bounds(PAYLOAD, 8, 1024, 160 * MIB, 64 * MIB, 160 * MIB, 64 * MIB),
    "control": Bounds(HEADER, 64, 256, 64 * MIB, 16 * MIB, 64 * MIB, 16 * MIB),
}
# fmt: on
