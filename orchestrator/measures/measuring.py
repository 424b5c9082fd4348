"""`semcom measure`: compute measures of a finished run from its kept answers and its data sets."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from orchestrator.evaluation.job_process import JobProcess
from orchestrator.measures.kinds import MEASURES, Measure, named
from orchestrator.measures.measured_run import format_measured_csv
from orchestrator.measures.run_answers import RunAnswers, parts_of
from orchestrator.measures.values import (
    FOLDER,
    TABLE,
    MeasuredValues,
    MeasureRecord,
    Values,
    check_values,
    items_of,
    places_of,
)
from orchestrator.measures.weights import are_ready, ready_weights, weights_folder
from orchestrator.plan.folders import RUNS
from orchestrator.results.answers import KeptAnswers, kept_nothing
from orchestrator.results.resumption import finish_hint
from orchestrator.results.run_folder import open_ledger, read_run
from orchestrator.results.run_lock import alone_in
from orchestrator.sweep.run import InterruptedRunError
from semcom.errors import ConfigurationError, ProcessFailedError, SemcomError, StorageError
from semcom.evaluation_messages import EvaluationError
from semcom.files import write_atomically
from semcom.measure_messages import MeasureJob
from semcom.stop_signals import Stopped, stopping_at_once

PROCESS = "orchestrator.training.measuring_process"
PACKAGES = {
    "lpips": ("torch",),
    "image_lpips": ("torch",),
    "fd_effnetlite0": ("torch", "timm"),
    "fid": ("torch", "torchvision"),
    "similarity": ("torch", "tokenizers"),
}
Progress = Callable[[str, int, int], None]  # measure, points with values, total


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome of measuring a run.

    Attributes:
        measures: measures with values.
        left_out: reasons why others have none, by name, unless they were requested by name.
        replaced: measures whose earlier values belonged to other answers, weights or versions.
        table: `results.csv` with the columns of all measures.
    """

    measures: list[Measure]
    left_out: dict[str, str]
    replaced: list[str]
    table: Path


def measure_run(
    folder: Path,
    names: Sequence[str] = (),
    *,
    data: Path,
    threads: int = 1,
    progress: Progress = lambda *_: None,
) -> Outcome:
    """Compute measures of a run; existing values of points are kept.

    Args:
        folder: folder of a finished run or evaluation with `keep_answers: true`.
        names: names of measures; if empty, all that apply.
        data: folder of data sets and of weights, which are downloaded if they are missing.
        threads: threads of the networks.
        progress: called with the number of points with values.

    Raises:
        ConfigurationError: the run is not finished or kept no answers, or a measure does not apply.
        AccountingError: an answer differs from the recorded one.
        StorageError: the disk cannot be written.
        InterruptedRunError: Ctrl-C or SIGTERM; the values of finished points are kept.
    """
    wanted = named(names)
    run = read_run(folder)
    if run.summary.incomplete:
        hint = finish_hint(folder, run.manifest)
        raise ConfigurationError(f"{folder} is not finished, and its answers may change; {hint}")
    with alone_in(folder, RUNS), open_ledger(folder) as ledger:
        kept = KeptAnswers(folder, ledger.tasks)
        answers = RunAnswers(run, kept, list(ledger.rows()), data)
        chosen, left_out = _chosen(answers, wanted)
        if not kept.there:
            raise kept_nothing(folder)
        replaced: list[str] = []
        with _process() as process:
            for measure in chosen:
                record = _record(answers, measure)
                values = MeasuredValues(folder, measure)
                if values.begin(record):
                    replaced.append(measure.name)
                _measure(process, values, record, answers, threads=threads, progress=progress)
        table = folder / FOLDER / TABLE
        try:
            write_atomically(table, format_measured_csv(run))
        except OSError as error:
            raise StorageError(f"cannot write {table}: {error.strerror}") from error
    return Outcome(measures=chosen, left_out=left_out, replaced=replaced, table=table)


def _chosen(answers: RunAnswers, wanted: Sequence[Measure]) -> tuple[list[Measure], dict[str, str]]:
    """Return the measures that fit, and why others do not.

    Raises:
        ConfigurationError: a requested one does not apply, or none does.
    """
    run = answers.run
    chosen: list[Measure] = []
    left_out: dict[str, str] = {}
    kinds = {task.kind for task in run.summary.tasks.values()}
    for measure in wanted or MEASURES.values():
        if not wanted and measure.weights and not are_ready(answers.data, measure.weights):
            continue
        places = list(places_of(run, measure.task))
        reasons = [
            measure.unfit(run.summary.task_of(link, point), items_of(run.summary.plan, link))
            for link, point in places
        ]
        if not reasons:
            reasons = [f"{measure.name} measures {measure.task}, this run has {_words(kinds)}"]
            if not wanted:
                continue
        if measure.per == "image" and places:
            tiled = any(answers.is_tiled(link) for link, _ in places)
            if not tiled and not wanted:
                continue
            reasons += [_unfit_whole(answers, measure, [link for link, _ in places])]
        if reason := next(filter(None, reasons), ""):
            if wanted:
                raise ConfigurationError(reason)
            left_out[measure.name] = reason
        else:
            chosen.append(measure)
    if not chosen and not left_out:
        raise ConfigurationError(f"no measure is of {_words(kinds)}, which is what this run has")
    return chosen, left_out


def _unfit_whole(answers: RunAnswers, measure: Measure, links: Sequence[str]) -> str:
    """Return why a measure of whole images does not fit; empty where it does."""
    images = [each for link in links for each in answers.whole(link).images]
    if images:
        return next(filter(None, (measure.unfit_size(e.height, e.width) for e in images)), "")
    if any(answers.is_tiled(link) for link in links):
        return f"{measure.name} takes whole images, but no link sends all tiles of one"
    return (
        f"{measure.name} takes images in tiles, which the run's data sets are not; see --tiles of "
        "semcom data prepare"
    )


def _words(kinds: set[str]) -> str:
    return " and ".join(sorted(kinds))


def _measure(
    process: Callable[[], JobProcess],
    values: MeasuredValues,
    record: MeasureRecord,
    answers: RunAnswers,
    *,
    threads: int,
    progress: Progress,
) -> None:
    """Compute the points of a measure that have no values."""
    run, measure = answers.run, values.measure
    plan, places = run.summary.plan, record.places(run)
    missing = [
        (link, point)
        for link, point in places
        if values.read(link=link, point=point, count=record.count(plan, link)) is None
    ]
    done = len(places) - len(missing)
    progress(measure.name, done, len(places))
    for link in dict.fromkeys(link for link, _ in missing):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            points = [point for each, point in missing if each == link]
            sent = answers.sent(link, run.summary.task_of(link, points[0]))
            parts = parts_of(measure, answers, link)
            files = [
                answers.write(folder / f"sent-{number}", part.of(sent), link)
                for number, part in enumerate(parts)
            ]
            for point in points:
                received = answers.received(link, point)
                found = np.empty(record.count(plan, link))
                for part, file in zip(parts, files, strict=True):
                    job = MeasureJob(
                        measure=measure.computes,
                        weights=_weights_of(measure, answers),
                        sent=file,
                        received=answers.write(folder / "received", part.of(received), link),
                        values=folder / "values.npy",
                        threads=threads,
                    )
                    found[part.numbers] = _asked(process(), job, len(found[part.numbers]))
                values.keep(found, link=link, point=point)
                done += 1
                progress(measure.name, done, len(places))


def _weights_of(measure: Measure, answers: RunAnswers) -> Path | None:
    if measure.weights is None:
        return None
    return weights_folder(answers.data, measure.weights).absolute()


def _asked(process: JobProcess, job: MeasureJob, count: int) -> Values:
    """Return the values from a process.

    Raises:
        ProcessFailedError: it failed.
    """
    for line in process.lines(job):
        if isinstance(line, EvaluationError):
            raise ProcessFailedError(line.detail, line.exit_code)
    found: Values = np.load(job.values, allow_pickle=False)
    try:
        check_values(found, count)
    except ValueError as error:
        raise SemcomError(f"{job.measure} gave no values: {error}") from error
    return found


@contextmanager
def _process() -> Iterator[Callable[[], JobProcess]]:
    """Yield a measuring process, started at its first use; it ends with the block.

    Raises:
        InterruptedRunError: Ctrl-C or SIGTERM inside the block.
    """
    started: list[JobProcess] = []

    def process() -> JobProcess:
        if not started:
            started.append(JobProcess(PROCESS))
        return started[0]

    try:
        with stopping_at_once():
            yield process
    except Stopped as stopped:
        raise InterruptedRunError(
            "interrupted; the values of finished points are kept, the same command resumes",
            stopped.exit_code,
        ) from stopped
    finally:
        for each in started:
            each.close()


def _record(answers: RunAnswers, measure: Measure) -> MeasureRecord:
    run = answers.run
    files: Mapping[str, str] = {}
    if measure.weights is not None:
        files = ready_weights(answers.data, measure.weights).files
    images: dict[str, list[int]] | None = None
    if measure.per == "image":
        links = dict.fromkeys(link for link, _ in places_of(run, measure.task))
        images = {link: ends for link in links if (ends := answers.whole(link).ends())}
    packages = ("numpy", *PACKAGES.get(measure.name, ()))
    return MeasureRecord(
        measure=measure.name,
        results_digest=run.results_digest,
        weights=dict(files),
        versions={
            "python": platform.python_version(),
            **{name: _version(name) for name in packages},
        },
        images=images,
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
