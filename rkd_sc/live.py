"""A live system as a context manager."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from orchestrator.live.background import end, start
from orchestrator.live.client import change, read_status
from orchestrator.live.live_folder import Found, Home
from orchestrator.live.live_scenario import LiveScenario, read_live_scenario
from orchestrator.plan.folders import DATA, RUNS
from semcom.errors import SemcomError

AnyLiveScenario = LiveScenario | Mapping[str, Any] | Path | str


class LiveSystem:
    """A running live system; its page is at `url`."""

    def __init__(self, found: Found) -> None:
        self._found = found

    @property
    def url(self) -> str:
        """Address of the live page and of the API."""
        return self._found.url

    def status(self) -> dict[str, Any]:
        """Return what the page shows: links, rolling statistics, processes; see docs/live.md."""
        return read_status(self._found)

    def set_channel(
        self,
        link: str,
        *,
        snr_db: float | None = None,
        model: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Change a link's channel while it streams.

        Raises:
            ProcessFailedError: it was refused, with the reason.
        """
        wanted = {"link": link, "snr_db": snr_db, "model": model, "settings": dict(settings or {})}
        change(self._found, "/api/channel", wanted)

    def follow_course(self, link: str) -> None:
        """Resume the SNR course of a link's scenario."""
        change(self._found, "/api/channel", {"link": link, "course": "resume"})

    def set_codec(self, link: str, codec: str) -> dict[str, Any]:
        """Change a link's codec while it streams; if it is refused, the old one remains in use.

        Raises:
            ProcessFailedError: it was refused, with the reason.
        """
        return change(self._found, "/api/codec", {"link": link, "codec": codec})


@contextmanager
def live(
    scenario: AnyLiveScenario,
    *,
    name: str | None = None,
    data: Path | str = DATA,
    codecs: Path | str | None = None,
    runs: Path | str = RUNS,
) -> Iterator[LiveSystem]:
    """Start a live system; the block starts when every link streams, and ends the system.

    Args:
        scenario: a `LiveScenario`, its content as a map, or a file in YAML.
        name: of the system; default the scenario's.
        data: folder of data sets.
        codecs: folder of your codecs (`codecs`); the shipped ones are available as well.
        runs: folder of runs.

    Raises:
        SemcomError: it cannot start, or a link does not stream; the logs give the reason.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = _as_file(scenario, Path(folder))
        home = Home(Path(runs), read_live_scenario(path).name if name is None else name)
        words = [str(path), "--name", home.name, "--data", str(data), "--runs", str(runs)]
        words += [] if codecs is None else ["--codecs", str(codecs)]
        found = start(home, words)
        try:
            yield LiveSystem(found)
        finally:
            with suppress(SemcomError):  # it may have ended by itself
                end(found)


def _as_file(scenario: AnyLiveScenario, folder: Path) -> Path:
    if isinstance(scenario, Path | str):
        return Path(scenario)
    content = scenario.model_dump(mode="json") if isinstance(scenario, LiveScenario) else scenario
    path = folder / "live.yaml"
    path.write_text(yaml.safe_dump(dict(content)))
    return path
