"""Answers that came lately: a second one to the same frame must be equal to the first. Pure."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from semcom.errors import AccountingError
from transmitters.reports import Key

ANSWERS_REMEMBERED = 8192  # far more than can be on their way twice


class Answers:
    """Digests of the latest answers of a link."""

    def __init__(self, link: str) -> None:
        self._link = link
        self._digests: OrderedDict[Key, bytes] = OrderedDict()

    def check(self, key: Key, answer: bytes) -> bytes:
        """Compare an answer with an earlier one to the same frame; returns its digest.

        Raises:
            AccountingError: they differ.
        """
        digest = hashlib.blake2b(answer, digest_size=16).digest()
        if self._digests.get(key, digest) != digest:
            raise AccountingError(
                f"two different answers to frame {key[2]} of point {key[1]} on link "
                f"{self._link}: the run is not deterministic"
            )
        return digest

    def remember(self, key: Key, digest: bytes) -> None:
        """Remember the first answer to a frame; the oldest one is forgotten for it."""
        self._digests[key] = digest
        if len(self._digests) > ANSWERS_REMEMBERED:
            self._digests.popitem(last=False)

    def keep_only(self, kept: Callable[[tuple[str, int]], bool]) -> None:
        """Forget answers of all other runs and points."""
        for key in [key for key in self._digests if not kept(key[:2])]:
            del self._digests[key]
