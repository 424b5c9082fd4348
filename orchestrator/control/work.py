"""The work of the orchestrator's processes, as the control socket needs it: a sweep, a stream."""

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
    """An instruction: say this to a peer, or to all peers of a role."""

    role: Role
    peer: str | None
    message: Message


class Work(Protocol):
    """The work of one run. It never sends: each call returns what is to be said.

    A call that returns an exception ends the run with it.
    """

    @property
    def run(self) -> str:
        """Name of the run that messages are about."""
        ...

    @property
    def links(self) -> Collection[str]:
        """Links whose transmitters take part."""
        ...

    @property
    def arithmetic(self) -> Mapping[Role, Arithmetic]:
        """Return how processes have to compute."""
        ...

    @property
    def forget_after_s(self) -> float:
        """Return how long a receiver may be silent before its name is forgotten."""
        ...

    @property
    def interrupted(self) -> bool:
        """Return whether peers are given nothing more to do."""
        ...

    @property
    def complete(self) -> bool:
        """Return whether nothing is left to do."""
        ...

    @property
    def stuck(self) -> Exception | None:
        """Return why the work cannot be completed; None where it can."""
        ...

    def drain(self, *, launched: bool) -> Sequence[Order]:
        """Begin nothing new; `launched` transmitters are ended by their launcher."""
        ...

    def lacks(self, hello: Hello) -> Sequence[Message]:
        """Return what the peer that says hello lacks.

        Raises:
            ConfigurationError: a transmitter of a link that is not of this run.
        """
        ...

    def moves(self, hello: Hello) -> Sequence[Order]:
        """Return what others are told because this peer said hello."""
        ...

    def other_arithmetic(self, hello: Hello, text: str) -> Exception | None:
        """Note that a process would give other answers than were planned; it gets no work."""
        ...

    def codec_report(self, peer: str, report: CodecReport) -> None:
        """Note that a receiver loaded a codec, or refused it."""
        ...

    def host_report(self, report: HostReport) -> None:
        """Note which host a process of this run is on, and how that rounds."""
        ...

    def receiver_gone(self, peer: str) -> None:
        """Note that a receiver has been silent for too long."""
        ...

    def transmitter_gone(self, peer: str) -> None:
        """Note that a transmitter has been silent for too long."""
        ...

    def failed(self, message: Failure, text: str) -> Exception | None:
        """Note that a process of this run cannot do its part."""
        ...

    def commit(self, batch: Sequence[Results]) -> list[int]:
        """Record results durably; return how many frames of each message were new.

        Raises:
            AccountingError: they contradict what was planned or recorded.
            StorageError: the disk refuses.
        """
        ...

    def follow_up(self, message: Results) -> Sequence[Message]:
        """Return more work for a transmitter whose results were recorded."""
        ...

    def recorded(self) -> None:
        """Note that a batch was recorded and acknowledged."""
        ...

    def tick(self, now_s: float) -> Sequence[Order]:
        """Do what time asks for."""
        ...

    def wait_s(self, now_s: float) -> float:
        """Return how long the next tick can wait."""
        ...

    def housekeep(self, absent: Sequence[str]) -> Exception | None:
        """Twice a second: look after what is stored; `absent` roles and links are waited for."""
        ...
