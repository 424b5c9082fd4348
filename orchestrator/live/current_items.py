"""An item of a frame that a live link has just sent, recomputed with its symbols for the page.

Nothing of it was stored: as for a run, it follows from the plan of its point. The networks run in
one process that starts when an item is first requested.
"""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from orchestrator.evaluation.job_process import JobProcess
from orchestrator.inspection.choice import Wanted, choose_curve
from orchestrator.inspection.constellation import thinned
from orchestrator.inspection.items import Item
from orchestrator.inspection.recompute import Computing, recompute
from orchestrator.inspection.run_items import items_of, planned_shard
from orchestrator.live.links import AnsweredFrame
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import BusyError
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan, PlannedPoint
from orchestrator.results.frame_rows import FrameRow
from semcom.errors import ConfigurationError, SemcomError
from semcom.evaluation_messages import EvaluationJob, EvaluationLine
from semcom.extras import require
from semcom.messages import FrameResult
from semcom.turns import turn_of

DIGITS = 4  # of symbols
PATIENCE_S = 20.0


class CurrentItems:
    """Returns the first item of frames; called by the page's threads, one at a time."""

    def __init__(self, scenario: LiveScenario, folders: Folders) -> None:
        self._scenario = scenario
        self._folders = folders
        self._lock = threading.Lock()
        self._process: JobProcess | None = None
        self._closed = False

    def show(self, frame: AnsweredFrame) -> dict[str, Any]:
        """Return an item with its answer and symbols.

        Raises:
            ConfigurationError: the packages for computing it are not installed here.
            SemcomError: codec or data set are not those of the frame, or the process failed.
        """
        require("the item of a live link", "training")
        if not self._lock.acquire(timeout=PATIENCE_S):
            raise BusyError("items of other links are being computed; ask again")
        try:
            if self._closed:
                raise ConfigurationError("the system has ended")
            return self._shown(frame)
        except SemcomError:
            self._end()  # it may have ended with an unfinished request
            raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process."""
        self._closed = True
        with self._lock:
            self._end()

    def _shown(self, frame: AnsweredFrame) -> dict[str, Any]:
        link, planned, groups, frame_images, spec, result = frame
        plan = Plan(
            run=self._scenario.name,
            frame_images=frame_images,
            decoding="exact",
            threads=self._scenario.threads,
            engine=self._scenario.engine,
            receiver_engine=self._scenario.receiver_engine,
            links=planned,
            points=[PlannedPoint(variant=0, spec=spec)],
            groups=groups,
        )
        turn, number = turn_of(result.frame, frames=plan.frames(link), images=planned[link].images)
        curve = choose_curve(plan, Wanted(link=link))
        found = recompute(
            plan,
            curve,
            [number * frame_images],
            folders=self._folders,
            recorded={(link, 0, number): _row(plan, link, number, result)},
            computing=Computing(process=self._lines, turn=turn),
        )
        own = planned[link]
        shard = planned_shard(self._folders.data / own.dataset, own.dataset_digest)
        task = Catalog(self._folders.codecs).open(curve.codec.name).manifest.task
        (item,) = items_of(found, plan, curve, task, shard)
        return {
            "link": link,
            "frame": result.frame,
            "codec": curve.codec.name,
            "channel": curve.channel,
            "agrees": not found.differing,
            **_content(item),
        }

    @contextmanager
    def _lines(self, job: EvaluationJob) -> Iterator[Iterator[EvaluationLine]]:
        if self._process is None:
            self._process = JobProcess()
        yield self._process.lines(job)

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


def _row(plan: Plan, link: str, frame: int, result: FrameResult) -> FrameRow:
    """Return the result as a row of a ledger."""
    given = {field.name for field in fields(FrameRow)} & set(FrameResult.model_fields)
    values = {name: getattr(result, name) for name in given}
    codec = plan.codec_at(link, 0).digest
    return FrameRow(**{**values, "point": 0, "link": link, "frame": frame, "codec": codec})


def _content(item: Item) -> Mapping[str, Any]:
    (answer,) = item.answers
    arrived = answer.received if answer.equalized is None else answer.equalized
    return {
        "index": item.index,
        "sent": item.text,
        "picture": _png(item.content),
        "snr_db": answer.snr_db,
        "answer": answer.text,
        "answer_picture": _png(answer.answer),
        "right": answer.right,
        "confidence": answer.confidence,
        "values": dict(answer.values),
        "feature_distance": answer.feature_distance,
        "symbol_distance": answer.symbol_distance,
        "symbols_sent": _pairs(thinned(answer.sent)),
        "symbols_arrived": _pairs(thinned(arrived)),
    }


def _pairs(symbols_K: npt.NDArray[np.complex64]) -> list[list[float]]:
    pairs = np.stack([symbols_K.real, symbols_K.imag], axis=1).astype(np.float64)
    found: list[list[float]] = np.nan_to_num(pairs).round(DIGITS).tolist()
    return found


def _png(image: npt.NDArray[Any]) -> str | None:
    """Return an image as text; None for anything else."""
    if image.ndim != 3:
        return None
    content = io.BytesIO()
    Image.fromarray(image).save(content, format="PNG")
    return base64.b64encode(content.getvalue()).decode()
