"""What may be asked of a live system from outside, and how the asking thread hands it over."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.scenarios import Scenario
from semcom.errors import ConfigurationError
from semcom.messages import Name
from semcom.points import ChannelModel, SnrDb
from semcom.settings import Settings
from semcom.wakeup import Wakeup

Answer = dict[str, Any]


class StatusRequest(Settings):
    """How it goes."""


class ChannelRequest(Settings):
    """Hold an SNR, take another model, or follow the course again."""

    link: Name
    snr_db: SnrDb | None = None
    model: ChannelModel | None = None
    course: Literal["resume"] | None = None


class CodecRequest(Settings):
    """Change a link's codec."""

    link: Name
    codec: Name


class SweepRequest(Settings):
    """Run a sweep with the processes of the system; it lies in RUNS/`name`."""

    scenario: Scenario
    name: Name | None = None
    resume: bool = False
    report: bool = True
    path: Annotated[str, Field(max_length=4096)] | None = None  # of the scenario, for its manifest


class StopRequest(Settings):
    """End the system."""


Wanted = StatusRequest | ChannelRequest | CodecRequest | SweepRequest | StopRequest


class BusyError(ConfigurationError):
    """The system did not answer in time."""


@dataclass(frozen=True)
class Asked:
    """A request that waits for its answer."""

    wanted: Wanted
    answer: Future[Answer] = field(default_factory=Future)


class Desk:
    """Requests from other threads for the thread that serves."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._wakeup = wakeup
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()

    def ask(self, wanted: Wanted, *, deadline_s: float) -> Answer:
        """Hand over a request and wait for the answer.

        Raises:
            BusyError: there is none in time; it may still be carried out.
            SemcomError: what is wrong with the request.
        """
        asked = Asked(wanted)
        self._asked.put(asked)
        self._wakeup.set()
        try:
            return asked.answer.result(timeout=deadline_s)
        except TimeoutError as error:
            raise BusyError(f"no answer within {deadline_s:g} s; look at semcom status") from error

    def take(self) -> list[Asked]:
        """Everything that was asked since the last call."""
        found: list[Asked] = []
        while True:
            try:
                found.append(self._asked.get_nowait())
            except queue.Empty:
                return found
