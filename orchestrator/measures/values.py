"""The values of measures in a run's folder, with a record of their origin.

    measures/NAME.json               the record: format, results digest, weights, versions
    measures/NAME/LINK/POINT.npy     float64 (N,), a value per item in the order in which the link
                                     sent them, or per whole image in the order of the data set;
                                     (1,) where all are compared at once
    measures/results.csv             results.csv with the columns of the measures

A point's file is complete or absent, and written after the record. Values whose record names other
answers or weights are never shown or mixed with new ones.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from orchestrator.measures.kinds import MEASURES, Measure
from orchestrator.plan.plan import Plan
from orchestrator.results.run_folder import RESULTS_CSV, StoredRun, read_if_there, read_record
from semcom.errors import ConfigurationError, StorageError
from semcom.files import is_there, write_atomically
from semcom.plain_text import command

FOLDER = "measures"  # in a run's folder
TABLE = RESULTS_CSV
Values = npt.NDArray[np.float64]


class MeasureRecord(BaseModel):
    """Content of `measures/NAME.json`.

    Attributes:
        measure: name of the measure.
        results_digest: results digest of the measured run.
        weights: SHA-256 of each file of weights.
        versions: of the packages that computed.
        images: where whole images are measured, for each link whose items are tiles: the place, in
            the order in which the link sent them, of the tile that completes each image.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    measure: str
    results_digest: str
    weights: dict[str, str]
    versions: dict[str, str]
    images: dict[str, list[int]] | None = None

    def content(self) -> bytes:
        """Return the file's content."""
        return self.model_dump_json(indent=1, exclude_none=True).encode()

    def places(self, run: StoredRun) -> list[tuple[str, int]]:
        """Return link and point of all values, in the order of the results."""
        found = places_of(run, MEASURES[self.measure].task)
        return [each for each in found if self.images is None or each[0] in self.images]

    def count(self, plan: Plan, link: str) -> int:
        """Return how many values a point of a link has.

        Raises:
            ConfigurationError: the record is that of other items.
        """
        match MEASURES[self.measure].per:
            case "item":
                return items_of(plan, link)
            case "point":
                return 1
            case "image":
                ends = (self.images or {}).get(link, [])
                if any(not 0 <= end < items_of(plan, link) for end in ends):
                    raise ConfigurationError(f"the record of {self.measure} names other tiles")
                return len(ends)
            case other:
                assert_never(other)


class MeasuredValues:
    """The values of one measure of a run."""

    def __init__(self, run: Path, measure: Measure) -> None:
        self.measure = measure
        self._folder = run / FOLDER / measure.name
        self._record = run / FOLDER / f"{measure.name}.json"

    @property
    def record(self) -> MeasureRecord | None:
        """Return the record of the values; None if there are none.

        Raises:
            ConfigurationError: the record is damaged.
        """
        return read_record(self._record, MeasureRecord)

    def begin(self, record: MeasureRecord) -> bool:
        """Start values for a record; remove those of another one.

        Returns:
            Whether some were removed.

        Raises:
            StorageError: the disk cannot be written.
        """
        if read_if_there(self._record) == record.content():
            return False
        removed = is_there(self._folder)
        try:
            self._record.unlink(missing_ok=True)  # before its values, which are valid only with it
            if removed:
                shutil.rmtree(self._folder)
            self._record.parent.mkdir(exist_ok=True)
            write_atomically(self._record, record.content())
        except OSError as error:
            raise StorageError(f"cannot write {self._record}: {error.strerror}") from error
        return removed

    def keep(self, values: Values, *, link: str, point: int) -> None:
        """Write the values of a point.

        Raises:
            StorageError: the disk cannot be written.
        """
        path = self._path(link, point)
        content = io.BytesIO()
        np.save(content, values)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content.getvalue())
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error

    def read(self, *, link: str, point: int, count: int) -> Values | None:
        """Return so many values of a point; None where there are none.

        Raises:
            StorageError: the file is damaged.
        """
        path = self._path(link, point)
        content = read_if_there(path)
        if content is None:
            return None
        try:
            values: Values = np.load(io.BytesIO(content), allow_pickle=False)
            check_values(values, count)
        except Exception as error:  # numpy may fail in any way on a damaged file
            raise StorageError(
                f"{path} is damaged ({str(error).partition(chr(10))[0]}): "
                "remove it and measure again"
            ) from error
        return values

    def _path(self, link: str, point: int) -> Path:
        return self._folder / link / f"{point}.npy"


def check_values(values: Values, count: int) -> None:
    """Refuse what are not so many values.

    Raises:
        ValueError: with the reason.
    """
    if values.shape != (count,) or values.dtype != np.float64:
        raise ValueError(f"it holds {values.dtype} {values.shape}, not float64 {(count,)}")
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")


def places_of(run: StoredRun, kind: str) -> Iterator[tuple[str, int]]:
    """Yield link and point of all answers for a kind of task, in the order of the results."""
    summary = run.summary
    for link in summary.plan.links:
        for point in summary.plan.points_of(link):
            if summary.task_of(link, point).kind == kind:
                yield link, point


def items_of(plan: Plan, link: str) -> int:
    """Return the number of items that a link sends at a point."""
    return plan.links[link].images


@dataclass(frozen=True)
class Measured:
    """The values of a measure that is complete, by link and point, with their record."""

    record: MeasureRecord
    by_place: dict[tuple[str, int], Values]


def measured(run: StoredRun) -> dict[str, Measured]:
    """Return all measures that are complete, by name.

    Raises:
        ConfigurationError: a measure belongs to other answers than the run's.
        StorageError: a file is damaged.
    """
    found: dict[str, Measured] = {}
    if not is_there(run.folder / FOLDER) or run.summary.incomplete:
        return found
    for measure in MEASURES.values():
        stored = MeasuredValues(run.folder, measure)
        record = stored.record
        if record is None:
            continue
        if record.results_digest != run.results_digest:
            again = command("semcom", "measure", run.folder, measure.name)
            raise ConfigurationError(
                f"{run.folder / FOLDER}: {measure.name} belongs to other answers than this "
                f"run's; measure again with: {again}"
            )
        values: dict[tuple[str, int], Values] = {}
        places = record.places(run)
        for link, point in places:
            count = record.count(run.summary.plan, link)
            if (each := stored.read(link=link, point=point, count=count)) is not None:
                values[link, point] = each
        if values and len(values) == len(places):
            found[measure.name] = Measured(record, values)
    return found
