"""Check senders: with keys, a peer can only send messages in its own name."""

from __future__ import annotations

from dataclasses import dataclass

from semcom.frame_messages import FrameKey, SymbolFrame, TaskResult
from semcom.messages import CodecReport, Failure, Hello, HostReport, Message, Refusal, Results, Role


@dataclass(frozen=True)
class Speaker:
    """The peer whose key a connection uses."""

    role: Role
    name: str

    def __str__(self) -> str:
        return f"{self.role} {self.name}"


def claimed(message: Message) -> Speaker | None:
    """Return the peer that a message claims to be from, if only that one may send it."""
    if isinstance(message, Hello | Failure | HostReport):
        return Speaker(message.role, message.peer)
    if isinstance(message, SymbolFrame):
        return Speaker("transmitter", message.key.link)
    if isinstance(message, Results):
        return Speaker("transmitter", message.link)
    return None


def objection(speaker: Speaker, message: Message) -> str | None:
    """Return why a peer may not send this message; None if it may.

    A receiver answers frames of every link, and a Refusal may come from any peer.
    """
    claim = claimed(message)
    if claim is not None and claim != speaker:
        return f"{type(message).__name__} of {claim} with the key of {speaker}"
    if isinstance(message, TaskResult | CodecReport) and speaker.role != "receiver":
        return f"{type(message).__name__} with the key of {speaker}"
    return None


def is_refused_hello(own: Speaker, refusal: Refusal) -> bool:
    """Return whether a server refuses this process's Hello, and so all of them."""
    return refusal.reason == "unexpected" and refusal.detail.startswith(
        f"{Hello.__name__} of {own} with the key of "
    )


def frame_of(message: Message) -> FrameKey | None:
    """Return the frame to which a message refers, so that its sender can be informed."""
    return message.key if isinstance(message, SymbolFrame | TaskResult) else None
