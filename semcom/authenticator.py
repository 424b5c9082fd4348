"""Authenticate CURVE peers: answers to libzmq's questions (ZAP)."""

from __future__ import annotations

from typing import ClassVar

import zmq

from semcom import zap
from semcom.errors import AuthenticationError
from semcom.security import Security


class Authenticator:
    """Answers libzmq's questions whom to let in, on the thread that polls: it cannot die alone.

    libzmq asks at one place per process, so all bound endpoints share one.
    """

    _shared: ClassVar[Authenticator | None] = None

    def __init__(self, security: Security) -> None:
        self.security = security
        self._users = 0
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(zap.ENDPOINT)

    @classmethod
    def shared(cls, security: Security) -> Authenticator:
        """The one of this process; give it back with `release`."""
        if cls._shared is None:
            cls._shared = cls(security)
        cls._shared._users += 1
        return cls._shared

    def release(self) -> None:
        """One user less; the last one closes it."""
        self._users -= 1
        if self._users == 0:
            type(self)._shared = None
            self.socket.close(linger=0)

    def serve(self) -> None:
        """Answer a question.

        Raises:
            AuthenticationError: it cannot; no peer would be accepted any more.
        """
        try:
            parts = self.socket.recv_multipart(zmq.NOBLOCK)
            reply, verdict = zap.answer(parts, self.security.keys)
            self.socket.send_multipart(reply, zmq.NOBLOCK)
        except (zmq.ZMQError, OSError) as error:
            raise self.dead(str(error)) from error
        if verdict.speaker is None:
            self.security.refused(verdict.reason, verdict.detail)

    def dead(self, why: str) -> AuthenticationError:
        """Count its death; the error to end the process with."""
        self.security.refused("dead_authenticator", why)
        return AuthenticationError(f"the authenticator is dead, nobody is let in: {why}")
