"""Authenticate CURVE peers: answers to libzmq's questions (ZAP)."""

from __future__ import annotations

import errno
import time
from typing import ClassVar

import zmq

from semcom import zap
from semcom.errors import AuthenticationError
from semcom.security import Security

SERVE_S = 0.02  # on questions, before messages are looked at
RETRY_S = 0.001
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


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
        """Answer all questions that wait, or those of some time; the folder is read once for them.

        A question that waits takes memory even when its connection is gone, and keeps those
        behind it waiting: they must be answered faster than connections can be made.

        Raises:
            AuthenticationError: it cannot; no peer would be accepted any more.
        """
        end_s = time.monotonic() + SERVE_S
        try:
            keys = self.security.keys.read()
            while time.monotonic() < end_s:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
                reply, verdict = zap.answer(parts, keys)
                self.socket.send_multipart(reply, zmq.NOBLOCK)
                if verdict.speaker is None:
                    self.security.refused(verdict.reason, verdict.detail)
        except zmq.Again:
            return
        except (zmq.ZMQError, OSError) as error:
            if error.errno in NO_DESCRIPTOR:  # for now: the questions wait, nobody is let in
                time.sleep(RETRY_S)
                return
            raise self.dead(str(error)) from error

    def dead(self, why: str) -> AuthenticationError:
        """Count its death; the error to end the process with."""
        self.security.refused("dead_authenticator", why)
        return AuthenticationError(f"the authenticator is dead, nobody is let in: {why}")
