"""Convert units of a plan to requests for an evaluating process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.units import Unit
from semcom.checkpoints import find_codec
from semcom.evaluation_messages import EvaluationJob, EvaluationPoint, EvaluationTask


def task_of_unit(plan: Plan, unit: Unit, folders: Folders) -> EvaluationTask:
    """Return a unit with data set and codec by digest and everything else in full."""
    first = unit.links[0]
    link = plan.links[first]
    codec = link.codecs[unit.variant]
    groups = {group.links[0]: (name, group) for name, group in plan.groups.items()}
    group = None
    if first in groups:
        name, planned = groups[first]
        group = planned.as_told(name, window=1)
    return EvaluationTask(
        link=first,
        group=group,
        dataset_dir=folders.data / link.dataset,
        dataset_digest=link.dataset_digest,
        codec_dir=find_codec(folders.codecs, codec.name),
        codec_digest=codec.digest,
        images=link.images,
        first=unit.first,
        stop=unit.stop,
        points=[
            EvaluationPoint(point=each, spec=plan.spec_at(first, each)) for each in unit.points
        ],
    )


def job_of(
    plan: Plan, units: Sequence[Unit], folders: Folders, *, answers_dir: Path | None = None
) -> EvaluationJob:
    """Return the request for one process: at least one unit, and how to compute it."""
    return EvaluationJob(
        frame_images=plan.frame_images,
        encoder_threads=plan.threads.transmitter,
        decoder_threads=plan.threads.receiver,
        engine=plan.engine,
        receiver_engine=plan.receiver_engine,
        answers_dir=answers_dir,
        tasks=[task_of_unit(plan, unit, folders) for unit in units],
    )
