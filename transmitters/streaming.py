"""A stream of frames at a rate, without a clock: due times, and accepted frames."""

from __future__ import annotations

import random

from semcom.messages import Arrivals, StreamAssignment, StreamState
from transmitters.sender import Sender
from transmitters.slot_clock import SlotClock

# Frames that may wait for room in the window; further ones are shed.
BACKLOG_FRAMES = 16
# After a longer pause of the whole process, frames that were due meanwhile are dropped.
MAX_BEHIND_S = 60.0


class ArrivalProcess:
    """The times at which frames are due: every 1/rate seconds, or Poisson with that mean rate."""

    def __init__(self, arrivals: Arrivals, *, rate_hz: float, seed: str, start_s: float) -> None:
        self.next_s = start_s
        self._dice = random.Random(seed)
        self.pace(arrivals, rate_hz=rate_hz)

    def pace(self, arrivals: Arrivals, *, rate_hz: float) -> None:
        """Continue at another rate."""
        self._poisson = arrivals == "poisson"
        self._rate_hz = rate_hz

    def due(self, now_s: float) -> int:
        """Return the number of frames that have become due since the last call."""
        if now_s - self.next_s > MAX_BEHIND_S:
            self.next_s = now_s
        count = 0
        while self.next_s <= now_s:
            count += 1
            self.next_s += self._gap_s()
        return count

    def restart(self, now_s: float) -> None:
        """Continue after a pause, in which nothing was due."""
        self.next_s = now_s

    def _gap_s(self) -> float:
        return self._dice.expovariate(self._rate_hz) if self._poisson else 1.0 / self._rate_hz


class Streamer:
    """Feeds the sender of a link; every offered frame is accepted or counted as shed."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._works: list[StreamAssignment] = []  # the current one, and those of later frames
        self._process: ArrivalProcess | None = None
        self._slots: SlotClock | None = None
        self._next_frame = 0
        self._offered = 0
        self._shed = 0

    def follow(self, work: StreamAssignment, now_s: float) -> bool:
        """Stream at another point, or for the first time; return whether an epoch begins.

        A message that was overtaken by a later one has no effect.
        """
        before = self._works[-1] if self._works else None
        new_epoch = before is None or (before.run, before.epoch) != (work.run, work.epoch)
        if before is not None and before.run == work.run and work.epoch < before.epoch:
            return False
        if new_epoch or self._process is None:
            self._sender.keep_only(work.run, first_point=work.epoch)
            seed = f"{work.spec.seed}/{self._sender.link}"
            self._process = ArrivalProcess(
                work.arrivals, rate_hz=work.rate_hz, seed=seed, start_s=now_s
            )
            self._slots = None if work.due_in_s is None else SlotClock(work.rate_hz)
            self._works = []
            self._next_frame = work.first_frame
            self._offered = self._shed = 0
        elif before is not None and work.point < before.point:
            return False
        elif before is not None and before.paused and not work.paused:
            self._process.restart(now_s)
        self._process.pace(work.arrivals, rate_hz=work.rate_hz)
        if self._slots is not None and work.due_in_s is not None:
            self._slots.agree(work.first_frame, due_s=now_s + work.due_in_s)
        if self._works and self._works[-1].point == work.point:
            self._works.pop()
        self._works.append(work)
        return new_epoch

    def end(self) -> None:
        """End the stream, because other work was assigned."""
        self._works, self._process, self._slots = [], None, None

    def offer(self, now_s: float) -> tuple[int, int]:
        """Accept the frames that are due; return their number, and how many were shed.

        In a group, frames are numbered by time so that those of all links meet: shed frames have
        numbers, too, and the oldest ones are shed.
        """
        process = self._process
        if not self._works or process is None or self._works[-1].paused:
            return 0, 0
        room = max(0, BACKLOG_FRAMES - self._sender.points.backlog)
        if self._slots is not None:
            self._next_frame, due = self._slots.due(self._next_frame, now_s)
            taken = min(due, room)
            self._next_frame += due - taken
        else:
            due = process.due(now_s)
            taken = min(due, room)
        for frame in range(self._next_frame, self._next_frame + taken):
            self._sender.take_up(self._work_at(frame), [frame])
        self._next_frame += taken
        self._offered += due
        self._shed += due - taken
        return due, due - taken

    def wait_s(self, now_s: float, idle_s: float) -> float:
        """Return the seconds until the next frame is due, at most `idle_s`."""
        if not self._works or self._process is None or self._works[-1].paused:
            return idle_s
        next_s = self._process.next_s
        if self._slots is not None:
            next_s = self._slots.due_s(self._next_frame)
        return min(idle_s, max(0.0, next_s - now_s))

    def state(self, *, refusals: int) -> StreamState | None:
        """Return the state for the orchestrator; None if nothing is streamed."""
        if not self._works:
            return None
        work, points = self._works[-1], self._sender.points
        return StreamState(
            run=work.run,
            epoch=work.epoch,
            point=work.point,
            oldest=min([self._work_at(self._next_frame).point, *points.indices[:1]]),
            paused=work.paused,
            offered=self._offered,
            shed=self._shed,
            unrecorded=points.open_frames,
            in_flight=self._sender.in_flight,
            refusals=refusals,
            lowest=points.lowest_frame(self._next_frame),
        )

    def _work_at(self, frame: int) -> StreamAssignment:
        """Return the work of a frame; frames are requested in ascending order."""
        while len(self._works) > 1 and self._works[1].first_frame <= frame:
            self._works.pop(0)
        return self._works[0]
