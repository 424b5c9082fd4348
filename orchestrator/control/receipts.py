"""Received results: recorded durably, then acknowledged to their senders."""

from __future__ import annotations

from orchestrator.control.work import Work
from semcom.errors import ProtocolError
from semcom.messages import Message, Recorded, Results
from semcom.telemetry import Telemetry


class Receipts:
    """Results of one run that are waiting to be recorded together."""

    def __init__(self, work: Work, telemetry: Telemetry) -> None:
        self._work = work
        self._telemetry = telemetry
        self._unrecorded: list[tuple[bytes, Results]] = []

    @property
    def waiting(self) -> bool:
        """Return whether there are unrecorded results."""
        return bool(self._unrecorded)

    def take(self, sender: bytes, message: Results) -> None:
        """Keep results until they are recorded.

        Raises:
            ProtocolError: they belong to a link that is not part of the run.
        """
        if message.run != self._work.run:
            # Left over from an earlier run. Its sender discards it once it gets work of this run; a
            # refusal could arrive after that and end its part of this run.
            self._telemetry.count("semcom_messages_refused_total", 1, "unexpected")
            return
        if message.link not in self._work.links:
            raise ProtocolError("unexpected", f"results of link {message.link}")
        self._unrecorded.append((sender, message))

    def record(self) -> list[tuple[bytes, Message]]:
        """Commit all results since the last call; return the receipts for their senders.

        Raises:
            AccountingError: they contradict the plan or the ledger.
            StorageError: the disk cannot be written.
        """
        batch, self._unrecorded = self._unrecorded, []
        if not batch:
            return []
        told: list[tuple[bytes, Message]] = []
        new = self._work.commit([message for _, message in batch])
        for (sender, message), recorded in zip(batch, new, strict=True):
            frames = [(result.point, result.frame) for result in message.results]
            told.append((sender, Recorded(run=message.run, frames=frames)))
            told += [(sender, more) for more in self._work.follow_up(message)]
            again = len(frames) - recorded
            self._telemetry.count("semcom_frames_recorded_total", recorded, message.link)
            self._telemetry.count("semcom_frames_duplicate_total", again, message.link)
        self._work.recorded()
        return told
