"""Authenticate CURVE peers: answers to libzmq's questions (ZAP)."""

from __future__ import annotations

import errno
import time
from typing import ClassVar

import zmq

from semcom import zap
from semcom.errors import AuthenticationError
from semcom.security import Security

SERVE_S = 0.02  # on requests, before messages are read
RETRY_S = 0.001
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


class Authenticator:
    """Tells libzmq which peers to accept, on the polling thread, so that it cannot die separately.

    libzmq has one authentication endpoint per process, so all bound sockets share an instance.
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
        """Return this process's instance; the caller must `release` it."""
        if cls._shared is None:
            cls._shared = cls(security)
        cls._shared._users += 1
        return cls._shared

    def release(self) -> None:
        """Release one use; the last one closes it."""
        self._users -= 1
        if self._users == 0:
            type(self)._shared = None
            self.socket.close(linger=0)

    def serve(self) -> None:
        """Answer all waiting requests, or as many as time allows; read the folder once.

        A waiting request takes memory even after its connection is closed, and delays those behind
        it: requests must be answered faster than connections can be opened.

        Raises:
            AuthenticationError: it cannot, so no further peer would be accepted.
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
            if error.errno in NO_DESCRIPTOR:  # for now: the requests wait, and no peer is accepted
                time.sleep(RETRY_S)
                return
            raise self.dead(str(error)) from error

    def dead(self, why: str) -> AuthenticationError:
        """Count the failure; return the error with which the process must end."""
        self.security.refused("dead_authenticator", why)
        return AuthenticationError(f"the authenticator has died, so no peer is accepted: {why}")
