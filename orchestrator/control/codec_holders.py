"""The codecs that receivers have loaded or refused, for sweeps and streams."""

from __future__ import annotations

from collections.abc import Mapping

from semcom.messages import CodecReport, Hello, LoadCodec


class CodecHolders:
    """Reports of receivers about codecs; a codec that one refuses may be loaded by another."""

    def __init__(self) -> None:
        self._instances: dict[str, str] = {}  # receiver -> its instance
        self._held: dict[str, set[str]] = {}  # receiver -> digests that it has loaded
        self._refusals: dict[str, dict[str, str]] = {}  # digest -> receiver -> why
        self._asked: set[str] = set()  # digests that receivers were asked to load

    def hello(self, hello: Hello) -> None:
        """Note a receiver's loaded codecs.

        A new instance may accept codecs that the last one refused.
        """
        if self._instances.get(hello.peer) != hello.instance:
            self._drop(hello.peer)
            self._instances[hello.peer] = hello.instance
        self._held[hello.peer] = set(hello.codecs)

    def report(self, peer: str, report: CodecReport) -> None:
        """Note a refused codec; loaded ones are listed in the next Hello."""
        if not report.loaded and peer in self._held and report.digest in self._asked:
            self._refusals.setdefault(report.digest, {})[peer] = report.detail

    def gone(self, peer: str) -> None:
        """Forget a receiver that was silent for too long, and its codecs."""
        self._drop(peer)

    def forget_refusals(self, digest: str) -> None:
        """Forget refusals, so that the codec is requested again."""
        self._asked.add(digest)
        self._refusals.pop(digest, None)

    def offers(self, hello: Hello, wanted: Mapping[str, str]) -> list[LoadCodec]:
        """Return the wanted codecs (digest -> name) that a receiver neither has nor refused."""
        self._asked.update(wanted)
        return [
            LoadCodec(codec=name, digest=digest)
            for digest, name in wanted.items()
            if digest not in hello.codecs and hello.peer not in self._refusals.get(digest, {})
        ]

    @property
    def peers(self) -> list[str]:
        """The connected receivers."""
        return [*self._held]

    def loaded(self, digest: str) -> bool:
        """Return whether a receiver has loaded the codec."""
        return any(digest in held for held in self._held.values())

    def decided(self, digest: str) -> bool:
        """Return whether every connected receiver has either loaded or refused the codec."""
        refused = self._refusals.get(digest, {})
        return all(digest in held or peer in refused for peer, held in self._held.items())

    def why_refused(self, digest: str) -> str:
        """Return the reasons of the receivers that refused the codec; empty if there are none."""
        return "; ".join(sorted(set(self._refusals.get(digest, {}).values())))

    @property
    def refused(self) -> dict[str, str]:
        """Digests that a receiver refused, with the reason."""
        return {digest: self.why_refused(digest) for digest in self._refusals}

    def _drop(self, peer: str) -> None:
        self._instances.pop(peer, None)
        self._held.pop(peer, None)
        for digest, by in list(self._refusals.items()):
            by.pop(peer, None)
            if not by:
                del self._refusals[digest]
