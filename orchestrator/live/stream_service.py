"""The control socket of a live system: the stream while it streams."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from orchestrator.control.launcher import Launcher
from orchestrator.control.service import ControlService
from orchestrator.live.stream import Order, Stream
from semcom.errors import ProtocolError
from semcom.heartbeats import DEAD_AFTER_S
from semcom.messages import CodecReport, Failure, Hello, Message, Results
from semcom.sockets import Endpoint
from semcom.telemetry import Telemetry, event

logger = logging.getLogger("orchestrator.live")

FORGOTTEN_AFTER_S = 60.0


class StreamService(ControlService):
    """Answers the processes of a live system until it is interrupted."""

    def __init__(
        self,
        control: Endpoint,
        *,
        stream: Stream,
        launcher: Launcher | None,
        telemetry: Telemetry,
    ) -> None:
        super().__init__(
            control,
            run=stream.run,
            links=stream.links,
            arithmetic=stream.arithmetic,
            launcher=launcher,
            telemetry=telemetry,
        )
        self._stream = stream
        self._ending = False
        self._lost: dict[str, int] = {}  # as counted so far

    @property
    def done(self) -> bool:
        """Whether the stream has come to its end."""
        if self.failure is not None:
            return True
        return self._ending and self._stream.drained if self._launcher is None else self.drained

    def tick(self, now_s: float) -> float:
        """Record, watch, move links along their courses."""
        wait_s = super().tick(now_s)
        for name, link in self._stream.links.items():
            given_up = link.account.lost - self._lost.get(name, 0)
            if given_up:
                self._lost[name] = link.account.lost
                self._telemetry.count("semcom_frames_lost_total", given_up, name)
        if not self.interrupted:
            self.send(self._stream.tick(now_s))
        return min(wait_s, max(0.0, self._stream.next_s - now_s))

    def drain(self) -> None:
        """Interrupted: what is on its way is finished; nothing new is offered."""
        if self._launcher is not None:
            super().drain()
        else:  # transmitters of other machines stay; they are told to pause
            self._ending = True
            self.send(self._stream.pause())

    def send(self, orders: Sequence[Order]) -> None:
        """Carry out what the stream says."""
        for order in orders:
            for (role, peer), (identity, _) in self._peers.items():
                if role == order.role and order.peer in (None, peer):
                    self._control.send(order.message, to=identity)

    def _lacks(self, hello: Hello) -> list[Message]:
        answers = self._stream.hello(hello)
        if hello.role == "channel":
            self.send(self._stream.moves())
        return answers

    def _take_other_arithmetic(self, hello: Hello, text: str) -> None:
        """Its link stands still and says why; of a receiver the log tells."""
        event(logger, "other arithmetic", peer=hello.peer, detail=text)
        if hello.role == "transmitter":
            self._stream.failed(hello.peer, text)
            self._stream.transmitter_gone(hello.peer)
        else:
            self._stream.receiver_gone(hello.peer)

    def _take_report(self, peer: str, report: CodecReport) -> None:
        self._stream.codec_report(peer, report)

    def _receiver_gone(self, peer: str) -> None:
        self._stream.receiver_gone(peer)

    def _take_failure(self, message: Failure, text: str) -> None:
        """Its link stands still and says why; the others go on."""
        event(logger, "failed", peer=message.peer, detail=message.detail)
        if message.role == "transmitter":
            self._stream.failed(message.peer, text)

    def _commit(self, batch: Sequence[Results]) -> list[int]:
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

    def _housekeep(self, now_s: float) -> None:
        for (role, peer), (_, heard_s) in list(self._peers.items()) if self._listened else ():
            silent_s = now_s - heard_s
            if role == "transmitter" and silent_s > DEAD_AFTER_S:
                self._stream.transmitter_gone(peer)
            elif role == "receiver" and silent_s > FORGOTTEN_AFTER_S:
                del self._peers[role, peer]  # receivers come and go, under new names too

    def _recorded(self) -> None:
        """Nothing is kept but the windows."""
