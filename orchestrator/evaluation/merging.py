"""`semcom merge`: merge parts of an evaluation, with the results digest of a single machine.

The order of the parts, how they were split, and how often a frame was computed do not matter: every
frame is recorded once, and a frame that two parts answered must have one answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.evaluation.gaps import Gap, gaps_of, whole_command
from orchestrator.evaluation.part_folders import Source, find_parts, open_part, read_source
from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.plan.units import missing_units, whole_units
from orchestrator.reports.report import write_report
from orchestrator.results.answers import KeptAnswers
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.ledger import Ledger, TwoAnswersError
from orchestrator.results.origins import Computed, rounds_otherwise, stated_origins
from orchestrator.results.resumption import merge_hint
from orchestrator.results.run_end import write_results
from orchestrator.results.run_folder import EVALUATION, LEDGER, check_folder
from orchestrator.results.run_lock import alone_in
from orchestrator.results.run_manifest import write_run_manifest
from orchestrator.sweep.run import WRITING, RunOutcome, draw
from semcom.errors import AccountingError, ConfigurationError
from semcom.files import is_there
from semcom.fingerprint import differences
from semcom.kept_answers import FOLDER as ANSWERS
from semcom.kept_answers import keep_answer
from semcom.stop_signals import stop_requests

MIXED = "--mixed"
SIDES = ("", "-wal", "-shm", "-journal")  # of a ledger's file
SHORT = 12  # letters of a digest in a message


class MissingFramesError(AccountingError):
    """The parts are incomplete; `gaps` lists what is missing."""

    def __init__(self, text: str, gaps: Sequence[Gap], plan: Plan) -> None:
        super().__init__(text)
        self.gaps = gaps
        self.plan = plan


@dataclass(frozen=True)
class Merge:
    """Parts of one evaluation, and the target folder."""

    out: Path
    sources: Sequence[Source]
    mixed: bool = False

    @property
    def plan(self) -> Plan:
        """Return the plan of the parts."""
        return self.sources[0].plan

    @property
    def scenario(self) -> Scenario:
        """Return the evaluated scenario; answers are kept if a part kept them."""
        scenarios = [source.scenario for source in self.sources]
        keep = any(each.keep_answers for each in scenarios)
        return scenarios[0].model_copy(update={"keep_answers": keep})

    @property
    def codecs(self) -> list[CodecFacts]:
        """Return the known data of the codecs."""
        return self.sources[0].codecs

    @property
    def words(self) -> list[str]:
        """Return the command of the complete evaluation."""
        return self.sources[0].words


def merge_parts(out: Path, named: Sequence[Path], *, runs: Path, mixed: bool = False) -> RunOutcome:
    """Merge parts of an evaluation into `out`, new or merged before.

    Args:
        out: the folder of the merged evaluation.
        named: folders of parts, or folders that contain parts.
        runs: folder of runs; the folders of its live systems are not allowed.
        mixed: accept parts from hosts that round differently.

    Raises:
        ConfigurationError: the parts belong to different plans, or to hosts that round differently.
        MissingFramesError: they are incomplete; the existing ones have been merged.
        AccountingError: a frame has two answers, or a part was altered; nothing has been merged.
        StorageError: a part is damaged, or the disk cannot be written.
    """
    started_s = time.monotonic()
    folders = [each for each in find_parts(named) if each.resolve() != out.resolve()]
    if not folders:
        raise ConfigurationError(f"{out} cannot be merged only with itself: name its parts")
    with alone_in(out, runs):
        check_folder(out, resume=True, kind=EVALUATION)
        merge = Merge(out, [read_source(folder) for folder in folders], mixed)
        check_plans(merge)
        new = not is_there(out / LEDGER)
        ledger = _open_merged(merge)
        try:
            if not mixed:
                check_rounding(merge, ledger)
            with stop_requests(WRITING):
                fill(ledger, merge)
                return _finish(ledger, merge, named, started_s=started_s)
        except MissingFramesError:
            raise
        except BaseException:
            ledger.close()
            if new:  # it is empty
                for side in SIDES:
                    Path(f"{out / LEDGER}{side}").unlink(missing_ok=True)
            raise
        finally:
            ledger.close()


def check_plans(merge: Merge) -> None:
    """Check that all parts belong to one plan.

    Raises:
        ConfigurationError: they do not.
    """
    first = merge.sources[0]
    for source in merge.sources[1:]:
        if source.plan.digest != first.plan.digest:
            raise ConfigurationError(
                f"{source.folder} is a part of another plan ({source.plan.digest[:SHORT]}) than "
                f"{first.folder} ({first.plan.digest[:SHORT]}): scenario, data set or codec differ"
            )


def check_rounding(merge: Merge, ledger: Ledger) -> None:
    """Check that parts, and those merged before, come from hosts that round alike.

    Raises:
        ConfigurationError: they do not, or a part does not state its host's rounding.
    """
    known = next(iter(ledger.origins.all().values()), None)
    for source in merge.sources:
        if source.holds_answers and not source.origins:
            raise ConfigurationError(
                f"{source.folder} does not state its host's rounding (written by an earlier "
                f"version); accept it nevertheless with {MIXED}"
            )
        for origin in source.origins:
            known = known or origin
            if differing := differences(origin.fingerprint, known.fingerprint):
                raise ConfigurationError(
                    f"{rounds_otherwise(origin, known, differing)}; or accept both with {MIXED}"
                )


def fill(ledger: Ledger, merge: Merge) -> None:
    """Record everything in the parts, or nothing if that is not possible.

    Raises:
        AccountingError: a frame has two answers.
        ConfigurationError: a part kept no answers, and others did.
        StorageError: a part is damaged, or the disk cannot be written.
    """
    complete = not missing_units(whole_units(ledger.plan), ledger.recorded_frames())
    earlier: dict[Path, tuple[Computed, ...]] = {}
    keep = merge.scenario.keep_answers
    with ledger.transaction():
        for source in merge.sources:
            with open_part(source.folder) as part:
                try:
                    _fill_from(ledger, part, source, answers=merge.out / ANSWERS if keep else None)
                except TwoAnswersError as error:
                    told = _two_answers(ledger, error.row, source, earlier)
                    raise AccountingError(told) from error
                earlier[source.folder] = _copy_origins(ledger, part, add=not complete)


def _fill_from(ledger: Ledger, part: Ledger, source: Source, *, answers: Path | None) -> None:
    """Record a part; its kept answers are copied first."""
    kept = KeptAnswers(source.folder, part.tasks)
    if answers is not None and source.holds_answers and not kept.there:
        raise ConfigurationError(f"{source.folder} kept no answers, but other parts did")
    rows = part.rows()
    ledger.record_rows(rows if answers is None else _with_answers(rows, kept, answers))


def _with_answers(rows: Iterable[FrameRow], kept: KeptAnswers, answers: Path) -> Iterator[FrameRow]:
    """Keep each row's answer before the row is recorded."""
    for row in rows:
        keep_answer(answers, kept.read(row), link=row.link, point=row.point, frame=row.frame)
        yield row


def _copy_origins(ledger: Ledger, part: Ledger, *, add: bool) -> tuple[Computed, ...]:
    """Copy the origin of a part, unless the ledger was already complete; return what it computed.

    A frame that several parts computed is listed under each of them.
    """
    computed = part.origins.computed()
    for number, origin in part.origins.all().items() if add else ():
        held = set(ledger.origins.computed().get(ledger.origins.add(origin), ()))
        ledger.origins.add(origin, [span for span in computed.get(number, []) if span not in held])
    return tuple(span for spans in computed.values() for span in spans)


def _open_merged(merge: Merge) -> Ledger:
    run = f"{merge.plan.name}.{secrets.token_hex(4)}"
    tasks = {codec.digest: codec.task for codec in merge.codecs if codec.task is not None}
    plan = merge.plan.model_copy(update={"run": run})
    return Ledger(merge.out / LEDGER, plan, tasks=tasks)


def _two_answers(
    ledger: Ledger, row: FrameRow, source: Source, earlier: Mapping[Path, Sequence[Computed]]
) -> str:
    """Return which parts answered a frame differently, and whether they round alike."""
    where = [str(folder) for folder, spans in earlier.items() if any(map(_holds(row), spans))]
    others = ", ".join(where) or f"the ledger in {ledger.path.parent}"
    told = f"{row} has two answers: one in {source.folder}, one in {others}"
    origins, computed = ledger.origins.all(), ledger.origins.computed()
    for number, other in origins.items():
        for origin in source.origins if any(map(_holds(row), computed.get(number, ()))) else ():
            if differing := differences(origin.fingerprint, other.fingerprint):
                return f"{told}; their hosts round differently ({differing})"
    return f"{told}; one of them was altered, or computed by a damaged host: compute both again"


def _holds(row: FrameRow) -> Callable[[Computed], bool]:
    def holds(span: Computed) -> bool:
        here = (span.link, span.point) == (row.link, row.point)
        return here and span.first <= row.frame < span.stop

    return holds


def _finish(ledger: Ledger, merge: Merge, named: Sequence[Path], *, started_s: float) -> RunOutcome:
    kind = {"kind": EVALUATION}
    scenario, codecs = merge.scenario, merge.codecs
    missing = missing_units(whole_units(ledger.plan), ledger.recorded_frames())
    if missing:
        told = {**kind, **stated_origins(ledger.origins, ledger.plan)}
        write_run_manifest(
            merge.out, scenario, ledger.plan, codecs=codecs, command=merge.words, results=told
        )
        lacking = sum(unit.frames for unit in missing)
        again = merge_hint(merge.out, named, *([MIXED] if merge.mixed else []))
        raise MissingFramesError(
            f"{lacking} of {ledger.plan.total_frames} frames are missing; compute them as above, "
            f"then merge again with: {again}; or compute them here with: "
            f"{whole_command(merge.sources, merge.out)}",
            gaps_of(missing, merge.sources, merge.out),
            ledger.plan,
        )
    seconds = time.monotonic() - started_s
    digests = write_results(
        ledger, scenario, codecs, seconds=seconds, command=merge.words, more=kind
    )
    ledger.close()
    page, undrawn = draw(merge.out, write_report)
    ledger.check_place()
    return RunOutcome(merge.out, digests.results, page, seconds, undrawn)
