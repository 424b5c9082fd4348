"""Digests over the content of a ledger, and the seals that a complete run stores in it.

A seal shows whether the ledger or the manifest next to it was changed after the run was complete. A
change of both with new seals is detected by judging the answers again
(`orchestrator/results/judging.py`), not here.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from orchestrator.results.ledger import Ledger
from semcom.errors import AccountingError, one_line
from semcom.tasks.classification import CORRECT, Classification
from semcom.tasks.score import Score

MANIFEST_SEAL = "manifest"  # SHA-256 of the file; the other seals have their names from `Digests`


class Digests(NamedTuple):
    """SHA-256 over a ledger's frames in the order (point, link, frame).

    Attributes:
        results: every answer. Equal digests mean equal answers to every item.
        scores: the plan, every answer and its score. Two runs of one plan have the same one.
        ledger: every value in the ledger, including durations, the name of the run, and the hosts
            that computed the answers.
    """

    results: str
    scores: str
    ledger: str


def digests_of(ledger: Ledger) -> Digests:
    """Return the digests of what is recorded.

    Raises:
        AccountingError: a frame was altered, is duplicated, or was never planned.
        StorageError: the ledger is damaged.
    """
    results, everything = hashlib.sha256(), hashlib.sha256(b"semcom ledger 1\n")
    scores = hashlib.sha256(f"semcom scores 1\n{ledger.plan.digest}\n".encode())
    # Ledgers that do not state their hosts keep their digest.
    held = json.dumps([ledger.plan_text, _tasks(ledger), *ledger.origins.as_held()], default=repr)
    everything.update(held.encode())
    for row in ledger.rows():
        results.update(row.named_answer)
        score = row.named_answer + f"/{row.images}/{_sums(row.score)}\n".encode()
        scores.update(score)
        durations = "/".join(map(repr, row.durations_ms))
        everything.update(score + f"{row.attempts}/{durations}\n".encode())
    return Digests(results.hexdigest(), scores.hexdigest(), everything.hexdigest())


def _tasks(ledger: Ledger) -> list[tuple[str, object]]:
    """Return codecs with their tasks; for those that classify, with the number of classes."""
    return [
        (codec, task.classes if isinstance(task, Classification) else task.model_dump_json())
        for codec, task in sorted(ledger.tasks.items())
    ]


def _sums(score: Score) -> str:
    """Return a score as text; for classification, only the number of correct answers."""
    if score.keys() == {*Classification.SUMS}:
        return str(score[CORRECT])
    return json.dumps(score, sort_keys=True)


def check_seals(ledger: Ledger, digests: Digests) -> bool:
    """Compare the content with the seals; return whether there are any.

    Raises:
        AccountingError: they differ.
    """
    seals = ledger.seals
    if not seals:
        return False
    for name, digest in digests._asdict().items():
        if seals.get(name) != digest:
            raise AccountingError(
                f"{ledger.path} was altered after its run was complete: the {name} digest was "
                f"{one_line(str(seals.get(name)), 12)}, now it is {digest[:12]}; run again"
            )
    if seals.keys() != {*digests._fields, MANIFEST_SEAL}:
        raise AccountingError(f"{ledger.path} was altered: its seals are not those of a run")
    return True


def seal(ledger: Ledger, digests: Digests, *, manifest_sha256: str) -> None:
    """Store the seals of a complete run.

    Raises:
        AccountingError: it was sealed before, and its content has changed.
        StorageError: the disk cannot be written.
    """
    check_seals(ledger, digests)
    wanted = digests._asdict() | {MANIFEST_SEAL: manifest_sha256}
    if wanted != ledger.seals:
        ledger.write_seals(wanted)
