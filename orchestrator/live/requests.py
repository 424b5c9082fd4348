"""Requests to a live system, and their way to the serving thread."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestrator.plan.interference_points import Number
from orchestrator.plan.scenario import Scenario
from semcom.channel_models import model_class
from semcom.errors import ConfigurationError
from semcom.interference import Occurrence, SirDb
from semcom.names import Name
from semcom.points import OWN_MODELS, SnrDb
from semcom.settings import Settings
from semcom.wakeup import Wakeup

Answer = dict[str, Any]


class StatusRequest(Settings):
    """Request the status."""


class ItemRequest(Settings):
    """Request the latest answered frame of a link."""

    link: Name


class ChannelRequest(Settings):
    """Hold an SNR, set another model or other settings, or follow the course again."""

    link: Name
    snr_db: SnrDb | None = None
    model: str | None = None
    settings: dict[str, Any] = Field(default={}, max_length=64)
    sir_db: SirDb | None = None
    interferers: Number | None = None
    occurrence: Occurrence | None = None
    course: Literal["resume"] | None = None

    @field_validator("model")
    @classmethod
    def _is_installed(cls, model: str | None) -> str | None:
        if model is not None and model not in OWN_MODELS:
            try:
                model_class(model)
            except ConfigurationError as error:
                raise ValueError(str(error)) from error
        return model

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        stays = self.snr_db is None and self.model is None and self.course is None
        if stays and not self.settings and not self.met:
            raise ValueError("nothing to change: give snr_db, model, settings, course or sir_db")
        if self.snr_db is not None and self.course is not None:
            raise ValueError("give snr_db or course, not both")
        return self

    @property
    def met(self) -> dict[str, Any]:
        """Return the changes of the interference in a link's group."""
        fields = {"sir_db", "interferers", "occurrence"}
        return self.model_dump(include=fields, exclude_none=True)


class CodecRequest(Settings):
    """Change a link's codec."""

    link: Name
    codec: Name


class SweepRequest(Settings):
    """Run a sweep with the processes of the system, in the folder RUNS/`name`."""

    scenario: Scenario
    name: Name | None = None
    resume: bool = False
    report: bool = True
    path: Annotated[str, Field(max_length=4096)] | None = None  # of the scenario, for its manifest


class StopSystem(Settings):
    """End the system."""


Wanted = StatusRequest | ItemRequest | ChannelRequest | CodecRequest | SweepRequest | StopSystem


class BusyError(ConfigurationError):
    """The system did not answer in time."""


@dataclass(frozen=True)
class Asked:
    """A request that waits for its answer."""

    wanted: Wanted
    answer: Future[Answer] = field(default_factory=Future)


class Desk:
    """Passes requests from other threads to the serving thread."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._wakeup = wakeup
        self._asked: queue.SimpleQueue[Asked] = queue.SimpleQueue()

    def ask(self, wanted: Wanted, *, deadline_s: float) -> Answer:
        """Pass on a request and wait for the answer.

        Raises:
            BusyError: there was no answer in time; the request may still be carried out.
            SemcomError: the request was refused.
        """
        asked = Asked(wanted)
        self._asked.put(asked)
        self._wakeup.set()
        try:
            return asked.answer.result(timeout=deadline_s)
        except TimeoutError as error:
            raise BusyError(f"no answer within {deadline_s:g} s; look at semcom status") from error

    def take(self) -> list[Asked]:
        """Return all requests since the last call."""
        found: list[Asked] = []
        while True:
            try:
                found.append(self._asked.get_nowait())
            except queue.Empty:
                return found
