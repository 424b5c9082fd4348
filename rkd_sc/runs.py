"""Sweeps and evaluations, and their results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from orchestrator.datasets.prepare import draw_missing
from orchestrator.evaluation.one_process import run_evaluation
from orchestrator.inspection.choice import Wanted
from orchestrator.inspection.items import Item
from orchestrator.inspection.ranking import Which
from orchestrator.inspection.run_items import WORST, Look, inspect_run
from orchestrator.measures.measured_run import with_measures
from orchestrator.measures.measuring import measure_run
from orchestrator.plan.folders import DATA, RUNS, Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario, read_scenario
from orchestrator.reports.curves import metric_curves, metrics_of
from orchestrator.results.answers import read_answers
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.run_folder import StoredRun, open_ledger, read_run
from orchestrator.results.summary import PointSummary
from orchestrator.results.verify import Verification, verify_run
from orchestrator.sweep.run import RunOptions, run_sweep
from rkd_sc.progress import ProgressOption, RunProgress, reporting
from semcom.checkpoints import default_root
from semcom.errors import AccountingError, ConfigurationError
from semcom.settings import validate
from semcom.tasks import Metric, Score

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.figure import Figure

AnyScenario = Scenario | Mapping[str, Any] | Path | str


@dataclass(frozen=True, kw_only=True)
class Result:
    """One complete point of one link.

    Attributes:
        link, dataset, system, codec, channel: names of what was sent, and over which channel.
        snr_db: Es/N0 per complex symbol.
        seed: of the channel.
        images: number of items sent.
        task: `classification`, `reconstruction`, `text` or another installed task.
        score: the task's sums over all items.
        values: each metric of the task, such as `accuracy` (0..1) or `psnr` (dB).
        intervals: the 95 % interval of each.
        round_trip_p50_ms, round_trip_p99_ms: per frame; None for an evaluation in one process.
    """

    link: str
    dataset: str
    system: str
    codec: str
    channel: str
    snr_db: float
    seed: int
    images: int
    task: str
    score: Score
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    round_trip_p50_ms: float | None
    round_trip_p99_ms: float | None


class Run:
    """A sweep or an evaluation on disk."""

    def __init__(self, stored: StoredRun) -> None:
        self._stored = stored

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self._stored.name

    @property
    def folder(self) -> Path:
        """Return the folder with ledger, results.csv, manifest, report and logs."""
        return self._stored.folder

    @property
    def complete(self) -> bool:
        """Return whether every planned frame is recorded."""
        return not self._stored.summary.incomplete

    @property
    def plan(self) -> Plan:
        """Return the plan: every point, link and digest."""
        return self._stored.summary.plan

    @property
    def results_digest(self) -> str:
        """SHA-256 over every answer; two runs of the same plan have the same one."""
        return self._stored.results_digest

    @property
    def results(self) -> list[Result]:
        """A row per link and complete point, in the order of the plan."""
        return [_result(point) for point in self._stored.summary.points]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of the run's tasks, the main one of each first."""
        return metrics_of([self._stored])

    def to_pandas(self) -> Any:
        """Return `results` as a data frame, with columns for each metric and its interval.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ConfigurationError("to_pandas needs pandas: pip install pandas") from error
        return pd.DataFrame([_flat(result) for result in self.results])

    def figure(self, metric: str | None = None) -> Figure:
        """Return a figure of a metric (default: the main one) against SNR, as in reports.

        Raises:
            ConfigurationError: the run has no such metric, or no complete point.
        """
        from orchestrator.reports.metric_plot import metric_figure

        found = {each.name: each for each in self.metrics}
        if not found:
            raise ConfigurationError(f"{self.folder} has no complete point to draw")
        wanted = next(iter(found)) if metric is None else metric
        if wanted not in found:
            raise ConfigurationError(f"no metric '{wanted}' here; available: {', '.join(found)}")
        return metric_figure(metric_curves([self._stored], found[wanted]))

    def frames(self) -> list[FrameRow]:
        """Return the ledger's frames in the order (point, link, frame), checked against the plan.

        Raises:
            AccountingError: a frame was altered, is duplicated, or was never planned.
        """
        with open_ledger(self.folder) as ledger:
            return list(ledger.rows())

    def answers(self, link: str, point: int) -> npt.NDArray[Any]:
        """Return the answers to all items of a point of a run with `keep_answers`.

        Args:
            link: its name.
            point: index into `plan.points`.

        Returns:
            The answers (N, ...) in the order in which the link sent its items: classes uint16 (N,),
            images uint8 (N, H, W, C).

        Raises:
            ConfigurationError: the run kept no answers, or the point is not complete.
            AccountingError: an answer in a file differs from the recorded one.
        """
        return read_answers(self.folder, link=link, point=point)

    def inspect(
        self,
        which: Which = WORST,
        *,
        data: Path | str = DATA,
        codecs: Path | str | None = None,
        **curve: Unpack[CurveNames],
    ) -> Look:
        """Return single items of a curve at every SNR, recomputed and compared with the ledger.

        Args:
            which: items by number, or how many to choose by which order; default the 8 worst.
            data: folder of data sets.
            codecs: folder of your codecs; the shipped ones are available as well.
            curve: `link`, `codec`, `channel`, `seed` and `snrs_db`; the first of each by default.

        Returns:
            The items with their symbols as arrays; `differing` says where the ledger disagrees.

        Raises:
            ConfigurationError: the run has no such curve or item, or its data set is missing.
            SemcomError: as for an evaluation.
        """
        catalog = default_root() if codecs is None else Path(codecs)
        folders = Folders(data=Path(data), codecs=catalog, runs=RUNS)
        draw_missing((link.dataset for link in self.plan.links.values()), folders.data)
        return inspect_run(self.folder, Wanted(**curve), folders=folders, which=which)

    def item(
        self,
        number: int,
        *,
        data: Path | str = DATA,
        codecs: Path | str | None = None,
        **curve: Unpack[CurveNames],
    ) -> Item:
        """Return one item of a curve with its symbols as arrays; arguments as for `inspect`.

        Raises:
            AccountingError: the recomputed answer differs from the ledger.
            SemcomError: as for `inspect`.
        """
        look = self.inspect(Which(items=[number]), data=data, codecs=codecs, **curve)
        if look.differing:
            raise AccountingError(look.agreement())
        return look.items[0]

    def measure(self, *measures: str, data: Path | str = DATA, threads: int = 1) -> Run:
        """Compute measures of a finished run with `keep_answers`, such as `lpips`; see `results`.

        Args:
            measures: names; by default all that apply.
            data: folder of data sets and of weights, which are downloaded if they are missing.
            threads: of the networks.

        Returns:
            The run with the new values in `results`, `metrics` and figures.

        Raises:
            ConfigurationError: the run kept no answers, or a measure does not apply.
            SemcomError: as the command, with its exit code as `exit_code`.
        """
        folders = Folders(data=Path(data), codecs=default_root(), runs=RUNS)
        draw_missing((link.dataset for link in self.plan.links.values()), folders.data)
        measure_run(self.folder, measures, data=folders.data, threads=threads)
        return load_run(self.folder)

    def verify(self, data: Path | str | None = None) -> Verification:
        """Check every frame; with a folder of data sets, also judge the answers again.

        Raises:
            SemcomError: something is lost, altered, or was never planned.
        """
        return verify_run(self.folder, None if data is None else Path(data))

    def __iter__(self) -> Iterator[Result]:
        """Iterate over `results`."""
        return iter(self.results)

    def __repr__(self) -> str:
        state = "complete" if self.complete else "incomplete"
        return f"<Run {self.name}: {state}, results digest {self.results_digest[:12]}>"


class CurveNames(TypedDict, total=False):
    """Names of a curve, as in the options of `semcom inspect`."""

    link: str
    codec: str
    channel: str
    seed: int
    snrs_db: Sequence[float]


def sweep(
    scenario: AnyScenario,
    out: Path | str | None = None,
    *,
    resume: bool = False,
    report: bool = True,
    data: Path | str = DATA,
    codecs: Path | str | None = None,
    progress: ProgressOption = False,
) -> Run:
    """Run a sweep: transmitters, channel and receivers as processes, every frame in a ledger.

    Args:
        scenario: a `Scenario`, its content as a map, or a file in YAML.
        out: the run's folder; default runs/NAME.
        resume: finish an existing run that is incomplete.
        report: draw the report.
        data: folder of data sets; synthetic ones are generated if they are missing.
        codecs: folder of your codecs (`codecs`); the shipped ones are available as well.
        progress: True prints a line of progress to standard error; a function is called with a
            `Progress` at most twice per second and at the end.

    Raises:
        SemcomError: as the command, with its exit code as `exit_code`.
    """
    wanted, folder, folders = _places(scenario, out, data, codecs)
    options = RunOptions(resume=resume)
    if not report:
        options = RunOptions(resume=resume, report=None)
    with reporting(progress) as told:
        watcher = partial(RunProgress, told)
        outcome = run_sweep(wanted, folder, folders=folders, watcher=watcher, options=options)
    return load_run(outcome.folder)


def evaluate(
    scenario: AnyScenario,
    out: Path | str | None = None,
    *,
    data: Path | str = DATA,
    codecs: Path | str | None = None,
    progress: ProgressOption = False,
) -> Run:
    """Compute the answers of a sweep in one process, without links: same plan, same digest.

    Points that the folder already has are kept. Arguments and errors are those of `sweep`.
    """
    wanted, folder, folders = _places(scenario, out, data, codecs)
    with reporting(progress) as told:
        watcher = partial(RunProgress, told)
        outcome = run_evaluation(wanted, folder, folders=folders, watcher=watcher)
    return load_run(outcome.folder)


def load_run(folder: Path | str) -> Run:
    """Read a run or an evaluation, complete or not.

    Raises:
        SemcomError: the folder contains no run, or its ledger was altered.
    """
    return Run(with_measures(read_run(Path(folder))))


def as_scenario(scenario: AnyScenario) -> Scenario:
    """Return a scenario from any accepted form.

    Raises:
        ConfigurationError: one line that names the key and what is allowed.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if isinstance(scenario, Mapping):
        return validate(Scenario, dict(scenario), where="scenario")
    return read_scenario(Path(scenario))


def _places(
    scenario: AnyScenario, out: Path | str | None, data: Path | str, codecs: Path | str | None
) -> tuple[Scenario, Path, Folders]:
    wanted = as_scenario(scenario)
    catalog = default_root() if codecs is None else Path(codecs)
    folders = Folders(data=Path(data), codecs=catalog, runs=RUNS)
    draw_missing((link.dataset for link in wanted.links.values()), folders.data)
    return wanted, folders.runs / wanted.name if out is None else Path(out), folders


def _result(point: PointSummary) -> Result:
    metrics = point.task.METRICS
    return Result(
        link=point.link,
        dataset=point.dataset,
        system=point.system,
        codec=point.codec,
        channel=point.channel,
        snr_db=point.snr_db,
        seed=point.seed,
        images=point.images,
        task=point.task.kind,
        score=point.score,
        values={metric.name: metric.value(point.score) for metric in metrics},
        intervals={metric.name: metric.interval(point.score) for metric in metrics},
        round_trip_p50_ms=point.round_trip_p50_ms,
        round_trip_p99_ms=point.round_trip_p99_ms,
    )


def _flat(result: Result) -> dict[str, Any]:
    row = asdict(result)
    for name in ("score", "values", "intervals"):
        del row[name]
    for name, value in result.values.items():
        low, high = result.intervals[name]
        row |= {name: value, f"{name}_ci95_low": low, f"{name}_ci95_high": high}
    return row
