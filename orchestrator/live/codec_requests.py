"""Requests for another codec of a link: started at once, answered when the change has ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future

from orchestrator.control.work import Order
from orchestrator.live.codec_changes import CodecChange
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import Answer, CodecRequest
from orchestrator.live.stream import Stream
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import plan_link
from semcom.errors import CheckpointError, ConfigurationError
from semcom.telemetry import event

logger = logging.getLogger("orchestrator.live")


class CodecRequests:
    """Pending codec changes, whose requests wait for an answer."""

    def __init__(self, stream: Stream, scenario: LiveScenario, folders: Folders) -> None:
        self._stream = stream
        self._scenario = scenario
        self._folders = folders
        self._changes: list[tuple[CodecChange, Future[Answer]]] = []

    def begin(self, wanted: CodecRequest, answer: Future[Answer]) -> Sequence[Order]:
        """Begin a change; return the messages to processes.

        Raises:
            ConfigurationError: there is no such link or codec, or a sweep or another change is in
                progress.
            CheckpointError: the codec cannot be used.
        """
        link = self._scenario.links.get(wanted.link)
        if link is None:
            known = ", ".join(self._scenario.links)
            raise ConfigurationError(f"no link '{wanted.link}'; links: {known}")
        group = self._stream.link(wanted.link).group
        if group is not None:
            raise ConfigurationError(
                f"link {wanted.link} is in group {group.name}, whose links have one codec while "
                "they stream; to change it, start the system again with another one"
            )
        if self._stream.paused:
            raise ConfigurationError("a sweep is running; change the codec when it has ended")
        catalog = Catalog(self._folders.codecs)
        planned = plan_link(
            wanted.link,
            dataset=link.dataset,
            codecs=[wanted.codec],
            images=None,
            frame_images=link.frame_images,
            data_dir=self._folders.data,
            catalog=catalog,
        )
        task = catalog.open(wanted.codec).manifest.task
        change, orders = self._stream.change_codec(wanted.link, planned.codecs[0], task)
        self._changes.append((change, answer))
        return orders

    def answer_ended(self) -> None:
        """Answer the requests of changes that have ended."""
        waiting = []
        for change, answer in self._changes:
            if change.outcome is None:
                waiting.append((change, answer))
            elif change.outcome:
                error = CheckpointError(
                    f"codec {change.codec.name} was refused, {change.before.name} continues "
                    f"to serve: {change.outcome}"
                )
                answer.set_exception(error)
            else:
                event(logger, "codec changed", codec=change.codec.name)
                answer.set_result({"codec": change.codec.name, "digest": change.codec.digest})
        self._changes = waiting

    def take_waiting(self) -> list[Future[Answer]]:
        """Return the pending requests, which the caller must answer."""
        waiting, self._changes = [answer for _, answer in self._changes], []
        return waiting
