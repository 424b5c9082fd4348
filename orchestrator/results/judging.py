"""Judges recorded answers again, with the labels of the prepared data sets in a plan.

The recorded number of right answers is not trusted: it is derived from the answers and the labels.
A data set is used only if it has the planned digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.plan.plan import Plan, PlannedLink
from orchestrator.results.frame_rows import FrameRow, misjudged
from semcom.errors import AccountingError, SemcomError
from semcom.tasks.classification import Classification
from semcom.tasks.score import Score
from semcom.tasks.task import Task
from semcom.text_shards import AnyShard, open_shard


class Judge:
    """Holds the references of all links whose data sets are available.

    `not_judged` holds the reason for every other link.
    """

    def __init__(self, plan: Plan, data: Path | None, tasks: Mapping[str, Task]) -> None:
        self.not_judged: dict[str, str] = {}
        self._plan = plan
        self._tasks = tasks
        self._shards: dict[str, AnyShard] = {}
        known: dict[tuple[str, str], AnyShard | str] = {}
        for name, link in plan.links.items():
            dataset = (link.dataset, link.dataset_digest)
            if dataset not in known:
                known[dataset] = _shard_of(link, data)
            found = known[dataset]
            if isinstance(found, str):
                self.not_judged[name] = found
            else:
                self._shards[name] = found

    @property
    def judged(self) -> list[str]:
        """Links whose answers can be judged."""
        return [name for name in self._shards if name not in self.not_judged]

    def check(self, row: FrameRow) -> None:
        """Judge a frame again if its link's labels are known.

        Raises:
            AccountingError: the number of right answers differs from the recorded one.
        """
        shard = self._shards.get(row.link)
        if shard is None:
            return
        task = self._tasks.get(row.codec)
        if task is None:  # of a ledger that does not name its codecs' tasks
            task = Classification(classes=len(shard.manifest.classes))
        if wrong := misjudged(task, row.answer, row.score, row.images):
            raise AccountingError(f"{row} {wrong}: the ledger was altered, run again")
        wanted = shard.references(task, self._plan.items(row.link, row.frame))
        if len(wanted) != row.images:
            raise AccountingError(f"{row} has items that its data set does not have: run again")
        score = task.rejudge(row.answer, wanted)
        if score is None:
            self.not_judged.setdefault(row.link, "its ledger keeps no answers, only their digests")
        elif score != row.score:
            raise AccountingError(
                f"{row} is recorded with the score {_sums(row.score)}, but its answers "
                "and the labels "
                f"give {_sums(score)}: the ledger was altered, run again"
            )


def _sums(score: Score) -> str:
    return ", ".join(f"{name} {total}" for name, total in score.items())


def _shard_of(link: PlannedLink, data: Path | None) -> AnyShard | str:
    """Return the planned data set, or the reason why it cannot be used."""
    if data is None:
        return "no folder of data sets was named"
    root = data / link.dataset
    try:
        shard = open_shard(root, "test")
        if shard.digest != link.dataset_digest:
            return f"{root} is not the planned data set"
        if shard.computed_digest() != link.dataset_digest:
            return f"{root} was altered: its content does not have the digest that it states"
    except SemcomError as error:
        return str(error)
    except (OSError, ValueError) as error:
        return f"{root} cannot be read: {error}"
    return shard
