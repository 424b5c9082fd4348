"""Check senders: with keys, a peer can only send messages in its own name."""

from __future__ import annotations

from dataclasses import dataclass

from semcom.frame_messages import FrameKey, SymbolFrame, TaskResult
from semcom.messages import CodecReport, Failure, Hello, HostReport, Message, Refusal, Results, Role


@dataclass(frozen=True)
class Speaker:
    """Whose key a connection was made with."""

    role: Role
    name: str

    def __str__(self) -> str:
        return f"{self.role} {self.name}"


def claimed(message: Message) -> Speaker | None:
    """Whom a message claims to be from, where only one peer may say it; else None."""
    if isinstance(message, Hello | Failure | HostReport):
        return Speaker(message.role, message.peer)
    if isinstance(message, SymbolFrame):
        return Speaker("transmitter", message.key.link)
    if isinstance(message, Results):
        return Speaker("transmitter", message.link)
    return None


def objection(speaker: Speaker, message: Message) -> str | None:
    """Return what is wrong with a speaker saying this; None where he may.

    A receiver answers frames of every link, a Refusal may come from any peer.
    """
    claim = claimed(message)
    if claim is not None and claim != speaker:
        return f"{type(message).__name__} of {claim} with the key of {speaker}"
    if isinstance(message, TaskResult | CodecReport) and speaker.role != "receiver":
        return f"{type(message).__name__} with the key of {speaker}"
    return None


def is_refused_hello(own: Speaker, refusal: Refusal) -> bool:
    """Return whether a server refuses this process's hello, and so will refuse all of them."""
    return refusal.reason == "unexpected" and refusal.detail.startswith(
        f"{Hello.__name__} of {own} with the key of "
    )


def frame_of(message: Message) -> FrameKey | None:
    """The frame that a message is about, so that its sender can be told."""
    return message.key if isinstance(message, SymbolFrame | TaskResult) else None
