"""The sending end of a link without sockets, threads or clocks: events in, instructions out.

The transmitter is the only one that retries. A frame lives through

    pending -> encoding -> in flight -> (answered) unrecorded -> (recorded) forgotten

and its task result is its acknowledgement. The window bounds the frames that are being encoded or
in flight, and thereby the memory of all following processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from semcom.errors import (
    AccountingError,
    CheckpointError,
    ConfigurationError,
    ProtocolError,
    SemcomError,
)
from semcom.frame_messages import FrameKey, SymbolFrame, TaskResult
from semcom.messages import (
    RETRIABLE,
    Assignment,
    FrameResult,
    PointWork,
    Recorded,
    Refusal,
    StreamAssignment,
)
from semcom.tasks.score import Score
from transmitters.answers import Answers
from transmitters.frame_plan import Encoded, FramePlan
from transmitters.kept_work import KeptWork
from transmitters.open_points import OpenPoints
from transmitters.reports import Key, Reports
from transmitters.timeouts import RetransmissionTimeout
from transmitters.window import Window

REFUSED_BACKOFF_S, MAX_REFUSED_BACKOFF_S = 0.05, 1.0
MAX_OPEN_FRAMES = 1 << 21  # accepted and not recorded; one number is kept for each
RESULTS_BYTES = 16 << 20  # bytes of results that may wait for their receipts


class Judged(NamedTuple):
    """The judgement of a frame's answer: its score, and the part of it that is kept."""

    score: Score
    kept: bytes


@dataclass
class InFlight:
    """A frame in flight, with everything needed to send it again."""

    encoded: Encoded
    message: SymbolFrame
    began_s: float  # of all its rounds
    first_sent_s: float
    last_sent_s: float
    retry_at_s: float
    attempts: int = 1
    refusals: int = 0
    told: bool = False  # to be sent again after a refusal or a restart, which is not a timeout
    repeats: int = 0  # of earlier rounds

    @property
    def plan(self) -> FramePlan:
        """Plan of the frame."""
        return self.encoded.plan

    def come_again(self, now_s: float) -> None:
        """Mark the frame as lost: it is due now, without a timeout."""
        self.retry_at_s = now_s
        self.told = True

    def report(self, result: TaskResult, judged: Judged, *, round_trip_ms: float) -> FrameResult:
        """Return the result of an answered and judged frame for the ledger."""
        return FrameResult(
            point=self.plan.assignment.point,
            frame=self.plan.frame,
            images=self.plan.images,
            score=dict(judged.score),
            answer=judged.kept,
            attempts=self.attempts + self.repeats,
            encode_ms=self.encoded.encode_ms,
            channel_ms=result.channel_ms,
            batch_wait_ms=result.batch_wait_ms,
            decode_ms=result.decode_ms,
            round_trip_ms=round_trip_ms,
            snr_measured_db=result.snr_measured_db,
            absent=result.absent,
        )


class Sender:
    """All frames of one link."""

    def __init__(self, link: str, *, window_bytes: int, results_bytes: int = RESULTS_BYTES) -> None:
        self.link = link
        self.points = OpenPoints()
        self._encoding: set[Key] = set()
        self._in_flight: dict[Key, InFlight] = {}
        self.reports = Reports(link, max_bytes=results_bytes)
        self.kept = KeptWork()
        self._answers = Answers(link)
        self._timeout = RetransmissionTimeout()
        self._window = Window(window_bytes)

    @property
    def in_flight(self) -> int:
        """Frames sent and not yet answered."""
        return len(self._in_flight)

    @property
    def unrecorded(self) -> int:
        """Frames answered and not yet in the ledger."""
        return len(self.reports)

    def assign(self, assignment: Assignment) -> int:
        """Accept frames of a point that are not in progress yet; return how many.

        Raises:
            ConfigurationError: too many frames would be open at a time.
        """
        self.keep_only(assignment.run)
        self.kept.keep_only(lambda run_point: run_point[1] >= assignment.lowest)
        wanted = sum(stop - start for start, stop in assignment.frames)
        if wanted + self.points.open_frames > MAX_OPEN_FRAMES:
            raise ConfigurationError(
                f"{wanted} frames assigned, {self.points.open_frames} are open; "
                f"the limit is {MAX_OPEN_FRAMES}: set larger frame_images, or fewer images"
            )
        return sum(self.take_up(assignment, range(*span)) for span in assignment.frames)

    def keep_only(self, run: str, *, first_point: int = 0) -> None:
        """Forget frames of other runs and of points before `first_point`."""

        def kept(run_point: tuple[str, int]) -> bool:
            return run_point[0] == run and run_point[1] >= first_point

        self.points.keep_only(kept)
        for key in [key for key in self._in_flight if not kept(key[:2])]:
            del self._in_flight[key]
        self._encoding = {key for key in self._encoding if kept(key[:2])}
        self._answers.keep_only(kept)
        self.reports.keep_only(kept)
        self.kept.keep_only(kept)

    def take_up(self, work: PointWork, frames: Iterable[int]) -> int:
        """Accept frames of a point unless they are already in progress; return how many are new."""
        return self.points.add(work, frames)

    def is_encoding(self, plan: FramePlan) -> bool:
        """Return whether a frame is being encoded and has not been forgotten."""
        return plan.key in self._encoding

    def frames_to_encode(self) -> list[FramePlan]:
        """Return frames for which others wait, and frames that fit into the window, each once."""
        plans = self.kept.frames_to_encode()
        for plan in self.points.take(self._has_room):
            self._encoding.add(plan.key)
            plans.append(plan)
        return plans

    def encoded(self, frame: Encoded, *, now_s: float) -> InFlight:
        """Return the frame to send: it was encoded and is in flight from now on."""
        self._encoding.discard(frame.plan.key)
        self._window.encoded(frame.symbols_BK.nbytes)
        return self._sent(frame, began_s=now_s, now_s=now_s)

    def further(self, flight: InFlight, frame: Encoded, *, now_s: float) -> InFlight:
        """Return another round of an answered frame, to be sent."""
        again = self._sent(frame, began_s=flight.began_s, now_s=now_s)
        again.repeats = flight.repeats + flight.attempts - 1
        return again

    def _sent(self, frame: Encoded, *, began_s: float, now_s: float) -> InFlight:
        message, due_s = frame.message(self.link), now_s + self._timeout.seconds
        flight = InFlight(frame, message, began_s, now_s, now_s, due_s)
        self._in_flight[frame.plan.key] = flight
        return flight

    def answered(self, result: TaskResult, answer: bytes, *, now_s: float) -> InFlight | None:
        """Process a task result; return None if it is repeated or belongs to another run.

        Raises:
            AccountingError: it differs from an earlier answer to the same frame.
            CheckpointError: it was decoded with another codec.
        """
        if result.key.link != self.link:
            return None
        key = (result.key.run, result.key.point, result.key.frame)
        digest = self._answers.check(key, answer, absent=result.absent)
        flight = self._in_flight.get(key)
        if flight is None:
            return None
        if result.codec != flight.message.codec:
            raise CheckpointError("the answer comes from a codec other than the frame's")
        del self._in_flight[key]
        self._answers.remember(key, digest)
        if flight.attempts == 1:
            self._timeout.measure(now_s - flight.first_sent_s)
        return flight

    def finished(self, flight: InFlight, result: TaskResult, judged: Judged, now_s: float) -> None:
        """Report a judged frame until it is recorded."""
        report = flight.report(result, judged, round_trip_ms=1e3 * (now_s - flight.began_s))
        self.reports.add(flight.plan.recorded_key, report, codec=flight.message.codec)

    def refused(self, refusal: Refusal, *, now_s: float) -> None:
        """Process a refusal: retry soon, or give up if that cannot help.

        Raises:
            CheckpointError: the codec is the reason, so a retry cannot help.
            AccountingError: the frame that was sent before had different content.
            ProtocolError: another refusal for which a retry cannot help.
        """
        if refusal.key is None or refusal.key.link != self.link:
            return  # damaged on the wire and unreadable: its timeout repeats it
        key = (refusal.key.run, refusal.key.point, refusal.key.frame)
        flight = self._in_flight.get(key)
        if flight is None:
            return
        if refusal.reason not in RETRIABLE:
            raise final_error(refusal)
        backoff_s = REFUSED_BACKOFF_S * 2 ** min(flight.refusals, 10)
        flight.refusals += 1
        flight.told = True
        flight.retry_at_s = now_s + min(backoff_s, MAX_REFUSED_BACKOFF_S)

    def wanted(self, key: FrameKey, *, now_s: float) -> None:
        """Process Wanted: send the frame again, also if it was already answered."""
        if key.link != self.link:
            return
        name = (key.run, key.point, key.frame)
        flight = self._in_flight.get(name)
        if flight is not None:
            flight.come_again(now_s)
            return
        work = self.points.work(*name[:2]) or self.kept.work(*name[:2])
        if isinstance(work, StreamAssignment):
            return  # the slot is served without it: an answered frame has already met the others
        if work is not None and name not in self._encoding and not self.points.is_pending(*name):
            self.kept.want(key, work)

    def frames_to_resend(self, now_s: float) -> list[InFlight]:
        """Return frames whose answer is overdue; each counts as sent again now."""
        due = [flight for flight in self._in_flight.values() if flight.retry_at_s <= now_s]
        overdue = [flight.last_sent_s for flight in due if not flight.told]
        if overdue:
            self._timeout.expired(max(overdue), now_s)
        for flight in due:
            flight.attempts += 1
            flight.told = False
            flight.last_sent_s = now_s
            flight.retry_at_s = now_s + self._timeout.seconds
        return due

    def channel_restarted(self, now_s: float) -> None:
        """Mark everything in flight as due, because the channel lost its state."""
        for flight in self._in_flight.values():
            flight.come_again(now_s)

    def recorded(self, receipt: Recorded) -> None:
        """Forget frames that the ledger has recorded."""
        for point, frame in receipt.frames:
            self.reports.forget((receipt.run, point, frame))
        for work in self.points.recorded(receipt):
            self.kept.keep(work)

    def next_deadline_s(self, now_s: float, idle_s: float) -> float:
        """Return the seconds until a frame is due again, at most `idle_s`."""
        soonest = min((f.retry_at_s for f in self._in_flight.values()), default=now_s + idle_s)
        return min(idle_s, max(0.0, soonest - now_s))

    def _has_room(self, assignment: PointWork) -> bool:
        """Return whether another frame may be encoded.

        It may not while too many results wait for their receipts.
        """
        return not self.reports.full and self._window.has_room(
            assignment,
            encoding=len(self._encoding),
            in_flight=len(self._in_flight),
            held_bytes=sum(flight.encoded.symbols_BK.nbytes for flight in self._in_flight.values()),
        )


def final_error(refusal: Refusal) -> SemcomError:
    """Return the error for a final refusal."""
    if refusal.reason == "codec_mismatch":
        return CheckpointError(f"the receiver cannot use this codec: {refusal.detail}")
    if refusal.reason == "conflict":
        return AccountingError(f"the channel holds another frame of that name: {refusal.detail}")
    return ProtocolError(refusal.reason, f"refused in transit: {refusal.detail}")
