"""A stream of frames at a rate, without a clock: when frames are due, and which are accepted."""

from __future__ import annotations

import random

from semcom.messages import Arrivals, StreamAssignment, StreamState
from transmitters.sender import Sender

# What may wait for room in the window; what is due beyond it is shed.
BACKLOG_FRAMES = 16
# After a longer pause of the whole process nobody wants what was due meanwhile.
MAX_BEHIND_S = 60.0


class ArrivalProcess:
    """When frames are due: every 1/rate seconds, or Poisson with that mean rate."""

    def __init__(self, arrivals: Arrivals, *, rate_hz: float, seed: str, start_s: float) -> None:
        self.next_s = start_s
        self._dice = random.Random(seed)
        self.pace(arrivals, rate_hz=rate_hz)

    def pace(self, arrivals: Arrivals, *, rate_hz: float) -> None:
        """Go on at another rate."""
        self._poisson = arrivals == "poisson"
        self._rate_hz = rate_hz

    def due(self, now_s: float) -> int:
        """Frames that have become due since the last call."""
        if now_s - self.next_s > MAX_BEHIND_S:
            self.next_s = now_s
        count = 0
        while self.next_s <= now_s:
            count += 1
            self.next_s += self._gap_s()
        return count

    def restart(self, now_s: float) -> None:
        """After a pause: nothing was due meanwhile."""
        self.next_s = now_s

    def _gap_s(self) -> float:
        return self._dice.expovariate(self._rate_hz) if self._poisson else 1.0 / self._rate_hz


class Streamer:
    """Feeds the sender of a link; every offered frame is accepted or counted as shed."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._work: StreamAssignment | None = None
        self._process: ArrivalProcess | None = None
        self._next_frame = 0
        self._offered = 0
        self._shed = 0

    def follow(self, work: StreamAssignment, now_s: float) -> bool:
        """Stream at another point, or for the first time; whether an epoch begins.

        A message that was overtaken by a later one changes nothing.
        """
        before = self._work
        new_epoch = before is None or (before.run, before.epoch) != (work.run, work.epoch)
        if before is not None and before.run == work.run and work.epoch < before.epoch:
            return False
        if new_epoch or self._process is None:
            self._sender.keep_only(work.run, first_point=work.epoch)
            seed = f"{work.spec.seed}/{self._sender.link}"
            self._process = ArrivalProcess(
                work.arrivals, rate_hz=work.rate_hz, seed=seed, start_s=now_s
            )
            self._next_frame = self._offered = self._shed = 0
        elif before is not None and work.point < before.point:
            return False
        elif before is not None and before.paused and not work.paused:
            self._process.restart(now_s)
        self._process.pace(work.arrivals, rate_hz=work.rate_hz)
        self._work = work
        return new_epoch

    def end(self) -> None:
        """Other work has come: this stream is over."""
        self._work = self._process = None

    def offer(self, now_s: float) -> tuple[int, int]:
        """Take up the frames that are due; how many there were, and how many of them were shed."""
        work, process = self._work, self._process
        if work is None or process is None or work.paused:
            return 0, 0
        due = process.due(now_s)
        taken = min(due, max(0, BACKLOG_FRAMES - self._sender.points.backlog))
        if taken:
            self._sender.take_up(work, range(self._next_frame, self._next_frame + taken))
        self._next_frame += taken
        self._offered += due
        self._shed += due - taken
        return due, due - taken

    def wait_s(self, now_s: float, idle_s: float) -> float:
        """Seconds until the next frame is due, at most `idle_s`."""
        if self._work is None or self._process is None or self._work.paused:
            return idle_s
        return min(idle_s, max(0.0, self._process.next_s - now_s))

    def state(self, *, refusals: int) -> StreamState | None:
        """What the orchestrator is told; None where nothing is streamed."""
        work = self._work
        if work is None:
            return None
        return StreamState(
            run=work.run,
            epoch=work.epoch,
            point=work.point,
            oldest=min([work.point, *self._sender.points.indices[:1]]),
            paused=work.paused,
            offered=self._offered,
            shed=self._shed,
            unrecorded=self._sender.points.open_frames,
            in_flight=self._sender.in_flight,
            refusals=refusals,
        )
