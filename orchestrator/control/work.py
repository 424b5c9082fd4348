"""The interface between the control socket and the orchestrator's work: a sweep, a stream."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

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


@dataclass(frozen=True)
class Order:
    """An instruction to send a message to a peer, or to all peers of a role."""

    role: Role
    peer: str | None
    message: Message


class Work(Protocol):
    """The work of one run. It never sends: each call returns the messages to send.

    A call that returns an exception ends the run with it.
    """

    @property
    def run(self) -> str:
        """Name of the run in messages."""
        ...

    @property
    def links(self) -> Collection[str]:
        """Links of the run."""
        ...

    @property
    def arithmetic(self) -> Mapping[Role, Arithmetic]:
        """Return the arithmetic that processes must use."""
        ...

    @property
    def forget_after_s(self) -> float:
        """Return how long a receiver may be silent before its name is forgotten."""
        ...

    @property
    def interrupted(self) -> bool:
        """Return whether peers get no more work."""
        ...

    @property
    def complete(self) -> bool:
        """Return whether nothing is left to do."""
        ...

    @property
    def stuck(self) -> Exception | None:
        """Return why the work cannot be completed; None if it can."""
        ...

    def drain(self, *, launched: bool) -> Sequence[Order]:
        """Start nothing new; `launched` transmitters are ended by their launcher."""
        ...

    def lacks(self, hello: Hello) -> Sequence[Message]:
        """Return what the peer that sent Hello lacks.

        Raises:
            ConfigurationError: the transmitter's link is not part of this run.
        """
        ...

    def moves(self, hello: Hello) -> Sequence[Order]:
        """Return messages to other peers that this peer's Hello requires."""
        ...

    def other_arithmetic(self, hello: Hello, text: str) -> Exception | None:
        """Note that a process would give answers that differ from the plan; it gets no work."""
        ...

    def codec_report(self, peer: str, report: CodecReport) -> None:
        """Note that a receiver loaded a codec, or refused it."""
        ...

    def host_report(self, report: HostReport) -> None:
        """Note the host of a process of this run, and its rounding."""
        ...

    def receiver_gone(self, peer: str) -> None:
        """Note that a receiver has been silent for too long."""
        ...

    def transmitter_gone(self, peer: str) -> None:
        """Note that a transmitter has been silent for too long."""
        ...

    def failed(self, message: Failure, text: str) -> Exception | None:
        """Note that a process of this run has failed."""
        ...

    def commit(self, batch: Sequence[Results]) -> list[int]:
        """Record results durably; return how many frames of each message were new.

        Raises:
            AccountingError: they contradict the plan or the ledger.
            StorageError: the disk cannot be written.
        """
        ...

    def follow_up(self, message: Results) -> Sequence[Message]:
        """Return more work for a transmitter whose results were recorded."""
        ...

    def recorded(self) -> None:
        """Note that a batch was recorded and acknowledged."""
        ...

    def tick(self, now_s: float) -> Sequence[Order]:
        """Do time-dependent work."""
        ...

    def wait_s(self, now_s: float) -> float:
        """Return the time until the next tick."""
        ...

    def housekeep(self, absent: Sequence[str]) -> Exception | None:
        """Maintain stored data twice per second; `absent` roles and links are awaited."""
        ...
