"""A live stream as the work of the control socket: the messages to its processes."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence

from orchestrator.control.hosts import Hosts
from orchestrator.control.work import Order
from orchestrator.live.stream import Stream
from semcom.errors import ProtocolError
from semcom.log_limit import KindLimit
from semcom.messages import (
    Arithmetic,
    CodecReport,
    Failure,
    Hello,
    HostReport,
    Message,
    Results,
    Role,
)
from semcom.telemetry import Telemetry, event

logger = logging.getLogger("orchestrator.live")

FORGOTTEN_AFTER_S = 60.0
LOGGED_EVERY_S = 1.0  # limits the log lines of one peer


class StreamWork:
    """The work of a live system until it is interrupted; `Work`."""

    forget_after_s = FORGOTTEN_AFTER_S  # receivers come and go, also with new names
    interrupted = False
    stuck = None  # a link may stop; the others continue

    def __init__(self, stream: Stream, telemetry: Telemetry) -> None:
        self._stream = stream
        self._telemetry = telemetry
        self._ending = False
        self._log_limit = KindLimit(every_s=LOGGED_EVERY_S)
        self._hosts = Hosts()
        self._lost: dict[str, int] = {}  # as counted so far

    @property
    def run(self) -> str:
        """Name of the stream."""
        return self._stream.run

    @property
    def links(self) -> Collection[str]:
        """Links of the system."""
        return self._stream.links

    @property
    def arithmetic(self) -> Mapping[Role, Arithmetic]:
        """Return how the scenario's processes compute."""
        return self._stream.arithmetic

    @property
    def complete(self) -> bool:
        """Return whether transmitters of other machines have paused, as requested at the end."""
        return self._ending and self._stream.drained

    def drain(self, *, launched: bool) -> Sequence[Order]:
        """Finish frames in flight; transmitters of other machines stay, and pause."""
        if launched:
            self.interrupted = True
            return []
        self._ending = True
        return self._stream.pause()

    def lacks(self, hello: Hello) -> Sequence[Message]:
        """Return points, codecs or the assignment that a peer lacks."""
        return self._stream.hello(hello)

    def moves(self, hello: Hello) -> Sequence[Order]:
        """Move links to a point that the channel has just reported."""
        return self._stream.moves() if hello.role == "channel" else []

    def other_arithmetic(self, hello: Hello, text: str) -> None:
        """Stop the transmitter's link with a reason; for a receiver, write a log line."""
        if self._log_limit.due(f"arithmetic of {hello.peer}", time.monotonic()):
            event(logger, "other arithmetic", peer=hello.peer, detail=text)
        if hello.role == "transmitter":
            self._stream.failed(hello.peer, text)
            self._stream.transmitter_gone(hello.peer)
        else:
            self._stream.receiver_gone(hello.peer)

    def codec_report(self, peer: str, report: CodecReport) -> None:
        """Note that a receiver loaded or refused a codec."""
        self._stream.codec_report(peer, report)

    def host_report(self, report: HostReport) -> None:
        """Log it if two hosts round differently."""
        origin = self._hosts.take(report)
        if origin is not None and (told := self._hosts.told_apart(origin)):
            event(logger, "hosts differ", detail=told)

    def receiver_gone(self, peer: str) -> None:
        """Forget the receiver's codecs."""
        self._stream.receiver_gone(peer)

    def transmitter_gone(self, peer: str) -> None:
        """Note that the transmitter's link needs no new points."""
        self._stream.transmitter_gone(peer)

    def failed(self, message: Failure, text: str) -> None:
        """Stop its link with the reason; other links continue."""
        if self._log_limit.due(f"failure of {message.peer}", time.monotonic()):
            event(logger, "failed", peer=message.peer, detail=message.detail)
        if message.role == "transmitter":
            self._stream.failed(message.peer, text)

    def commit(self, batch: Sequence[Results]) -> list[int]:
        """Add results to the windows; count impossible ones and show them at their link."""
        now_s, new = time.monotonic(), []
        for message in batch:
            try:
                new.append(
                    self._stream.results(message.link, message.codec, message.results, now_s=now_s)
                )
            except ProtocolError as error:
                self._telemetry.count("semcom_messages_refused_total", 1, error.reason)
                self._stream.failed(message.link, str(error))
                new.append(0)
        return new

    def follow_up(self, message: Results) -> Sequence[Message]:
        """Return nothing: a stream needs no further work."""
        del message
        return []

    def recorded(self) -> None:
        """Do nothing: only windows are kept."""

    def tick(self, now_s: float) -> Sequence[Order]:
        """Count frames given up; advance links along their courses."""
        for name, link in self._stream.links.items():
            given_up = link.account.lost - self._lost.get(name, 0)
            if given_up:
                self._lost[name] = link.account.lost
                self._telemetry.count("semcom_frames_lost_total", given_up, name)
        return [] if self.interrupted else self._stream.tick(now_s)

    def wait_s(self, now_s: float) -> float:
        """Return the time until courses or histories are due."""
        return max(0.0, self._stream.next_s - now_s)

    def housekeep(self, absent: Sequence[str]) -> None:
        """Do nothing: nothing is stored."""
