"""Metrics of running jobs for Prometheus.

Labels are data set, stage and term of the loss, each from a closed set; other values become
`other`. Jobs are not distinguished: of two jobs on one data set, the series show the one that
reported last. When a job ends, its gauges return to 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.datasets.prepare import DATASETS
from orchestrator.jobs.progress_lines import ProgressLine
from orchestrator.jobs.store import STATES, Job, State
from semcom.telemetry import Telemetry

OTHER = "other"
TERMS: dict[str, tuple[str, ...]] = {
    "teacher": ("task",),
    "search": ("kd", "task"),
    "stage1": ("kd",),
    "head": ("task",),
    "stage2": ("kd", "re", "task"),
    "jscc": ("task",),
    OTHER: (),
}
STAGE_GAUGES = ("learning_rate", "images_per_second", "step_seconds", "progress_ratio")
AGE = "semcom_training_checkpoint_age_seconds"


class TrainingMetrics:
    """Feeds a process's telemetry from lines of progress."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._last: dict[int, ProgressLine] = {}
        for state in STATES:
            telemetry.set("semcom_jobs", 0, state)
        for dataset in (*DATASETS, OTHER):
            telemetry.count("semcom_training_samples_total", 0, dataset)
            telemetry.count("semcom_training_restarts_total", 0, dataset)
            self._zero(dataset)

    def states(self, counts: Mapping[State, int]) -> None:
        """Return how many jobs there are in every state."""
        for state, count in counts.items():
            self._telemetry.set("semcom_jobs", count, state)

    def restarted(self, job: Job) -> None:
        """Count a job that died and is restarted."""
        self._telemetry.count("semcom_training_restarts_total", 1, dataset_label(job))
        self._last.pop(job.id, None)  # the time until it resumes is not a step

    def progress(self, job: Job, lines: Sequence[ProgressLine]) -> None:
        """Export what a job has reported since the last time."""
        for line in lines:
            self._step(job, line)
            self._last[job.id] = line

    def taken_over(self, job: Job, lines: Sequence[ProgressLine]) -> None:
        """Export the last line of a job's earlier progress without counting it."""
        self.progress(job, lines[-1:])

    def ages(self, jobs: Sequence[Job], now_unix_s: float) -> None:
        """Export the age of the running jobs' last checkpoints."""
        for job in jobs:
            last = self._last.get(job.id)
            if last is not None and last.checkpoint_s is not None:
                age_s = max(0.0, now_unix_s - last.checkpoint_s)
                self._telemetry.set(AGE, age_s, dataset_label(job))

    def ended(self, job: Job) -> None:
        """Reset the gauges of a job that has ended."""
        self._last.pop(job.id, None)
        self._zero(dataset_label(job))

    def _step(self, job: Job, line: ProgressLine) -> None:
        dataset, stage = dataset_label(job), stage_label(line.stage)
        values = {"learning_rate": line.lr, "progress_ratio": line.ratio}
        if line.images_per_s > 0:  # two lines at one step: the second has no speed to tell
            values["images_per_second"] = line.images_per_s
        last = self._last.get(job.id)
        if last is not None and last.stage != line.stage:
            self._zero(dataset)
        elif last is not None:
            seconds, steps = line.time - last.time, line.steps_done - last.steps_done
            if seconds > 0 and steps > 0:
                values["step_seconds"] = seconds / steps
                samples = max(0.0, line.images_per_s) * seconds
                self._telemetry.count("semcom_training_samples_total", samples, dataset)
        for name, value in values.items():
            self._telemetry.set(f"semcom_training_{name}", value, dataset, stage)
        for term, loss in line.losses.items():
            known = term if term in TERMS[stage] else OTHER
            self._telemetry.set("semcom_training_loss", loss, dataset, stage, known)

    def _zero(self, dataset: str) -> None:
        for stage, terms in TERMS.items():
            for name in STAGE_GAUGES:
                self._telemetry.set(f"semcom_training_{name}", 0, dataset, stage)
            for term in (*terms, OTHER):
                self._telemetry.set("semcom_training_loss", 0, dataset, stage, term)
        self._telemetry.set(AGE, 0, dataset)


def dataset_label(job: Job) -> str:
    """Return a job's data set, or `other` if it is unknown."""
    return job.dataset if job.dataset in DATASETS else OTHER


def stage_label(stage: str) -> str:
    """Return the stage, or `other` if it is unknown."""
    return stage if stage in TERMS else OTHER
