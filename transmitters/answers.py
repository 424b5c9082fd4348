"""Recent answers: a second one to the same frame must equal the first. Pure."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from semcom.errors import AccountingError
from transmitters.reports import Key

Met = tuple[tuple[str, ...], bytes]  # absent links, digest of the answer
ANSWERS_REMEMBERED = 8192  # far more than can be in flight twice


class Answers:
    """Digests of the latest answers of a link."""

    def __init__(self, link: str) -> None:
        self._link = link
        self._digests: OrderedDict[Key, Met] = OrderedDict()

    def check(self, key: Key, answer: bytes, *, absent: Sequence[str] = ()) -> Met:
        """Compare an answer with an earlier one to the same frame; returns its digest.

        Answers to a frame that met other links, according to `absent`, are not compared.

        Raises:
            AccountingError: they differ.
        """
        digest = tuple(absent), hashlib.blake2b(answer, digest_size=16).digest()
        before = self._digests.get(key, digest)
        if before[0] == digest[0] and before != digest:
            raise AccountingError(
                f"two different answers to frame {key[2]} of point {key[1]} on link "
                f"{self._link}: the run is not deterministic"
            )
        return digest

    def remember(self, key: Key, digest: Met) -> None:
        """Remember the first answer to a frame; if necessary, forget the oldest one."""
        self._digests[key] = digest
        if len(self._digests) > ANSWERS_REMEMBERED:
            self._digests.popitem(last=False)

    def keep_only(self, kept: Callable[[tuple[str, int]], bool]) -> None:
        """Forget answers of all other runs and points."""
        for key in [key for key in self._digests if not kept(key[:2])]:
            del self._digests[key]
