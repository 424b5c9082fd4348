"""The exception tree, and the exit code with which each branch ends a command.

SemcomError (70)
├── ConfigurationError (2)      a scenario, setting or argument is wrong or missing
├── PortInUseError (3)          an address cannot be bound
├── AuthenticationError (4)     a peer or key was refused
├── ProtocolError (5)           bytes that are not a message, or a message in the wrong place
├── CheckpointError (6)         a codec that cannot be trusted or does not fit
├── StorageError (7)            the disk is full or cannot be written to
├── AccountingError (8)         items are missing or duplicated, or have two different answers
├── ReportError (9)             a report cannot be drawn; the results are unchanged
└── ProcessFailedError          another process failed or refused: with its exit code
"""

from __future__ import annotations

EXIT_OK = 0
INTERRUPTED = 130  # after Ctrl-C, as a shell reports a process that SIGINT ended
TERMINATED = 143  # by SIGTERM


class SemcomError(Exception):
    """Base of every error that a user may see; its text is one line that says what to do."""

    exit_code = 70


class ConfigurationError(SemcomError):
    """A scenario, setting, argument or data set is wrong or missing."""

    exit_code = 2


class PortInUseError(SemcomError):
    """An address is in use by another process."""

    exit_code = 3


class AuthenticationError(SemcomError):
    """A peer or a key was refused."""

    exit_code = 4


class ProtocolError(SemcomError):
    """A message violates the protocol.

    `reason` comes from the closed set of `semcom.messages.RefusalReason`.
    """

    exit_code = 5

    def __init__(self, reason: str, detail: str, *, key: object | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.key = key  # the frame it refers to, if that could be read


class CheckpointError(SemcomError):
    """A codec is damaged, untrusted or of the wrong shape."""

    exit_code = 6


class StorageError(SemcomError):
    """The disk is full or cannot be written to."""

    exit_code = 7


class AccountingError(SemcomError):
    """Items are missing or duplicated, or have two different answers."""

    exit_code = 8


class ReportError(SemcomError):
    """A report cannot be drawn; the results are unchanged."""

    exit_code = 9


class ProcessFailedError(SemcomError):
    """Another process failed or refused a request; keeps its exit code."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        # A process that was ended by a signal has no exit code.
        self.exit_code = exit_code if exit_code > 0 else SemcomError.exit_code


def one_line(text: str, most: int = 200) -> str:
    """Return text from elsewhere as one printable line of at most `most` characters."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text[:most])
    return line + "..." * (len(text) > most)
