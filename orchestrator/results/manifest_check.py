"""Compares a run's `manifest.json` with the plan and the digests of its ledger.

Manifests of all versions are accepted: only existing fields that the plan determines are compared,
by their current names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.plan.plan import Plan
from orchestrator.results.run_folder import RUN_MANIFEST, parse_manifest, read_if_there
from orchestrator.results.seals import MANIFEST_SEAL, Digests
from semcom.errors import AccountingError, one_line

STEP_DB = 1e-6  # tolerance for SNRs of a range
MAX_SHOWN = 60


def check_manifest(folder: Path, plan: Plan, digests: Digests, seals: Mapping[str, str]) -> bool:
    """Compare the manifest; return whether it exists and states something about plan or results.

    Raises:
        AccountingError: a field differs, or the file is not the run's.
        ConfigurationError: it is not a map in JSON.
        StorageError: it cannot be read.
    """
    path = folder / RUN_MANIFEST
    content = read_if_there(path)
    if content is None:
        return False
    manifest = parse_manifest(content, path)
    stated = {name: f"{name}_digest" for name in digests._fields}
    wanted = _of_plan(plan) | {stated[name]: digest for name, digest in digests._asdict().items()}
    found = [name for name in wanted if name in manifest]
    for name in found:
        _compare(path, name, manifest[name], wanted[name])
    for name, here, planned in _of_scenario(manifest.get("scenario", {}), plan):
        _compare(path, f"scenario.{name}", here, planned)
    if set(_map(manifest.get("links", plan.links))) != set(plan.links):
        raise _differs(path, "links", manifest["links"], list(plan.links))
    seal = seals.get(MANIFEST_SEAL)
    if seal is not None and hashlib.sha256(content).hexdigest() != seal:
        raise AccountingError(
            f"{path} is not the file that the run wrote: it was altered; delete it, then "
            f"--resume writes it again"
        )
    return bool(found)


def _of_plan(plan: Plan) -> dict[str, Any]:
    """Return the fields of a manifest that the plan determines."""
    codecs = {codec.name: codec for link in plan.links.values() for codec in link.codecs}
    return {
        "run": plan.run,
        "plan_digest": plan.digest,
        "links": {
            name: {
                "dataset": link.dataset,
                "dataset_digest": link.dataset_digest,
                "images": link.images,
                "codecs": [_codec(codec) for codec in link.codecs],
            }
            for name, link in plan.links.items()
        },
        "codecs": [_codec(codec) for codec in codecs.values()],
        "threads": plan.threads.model_dump(),
        "engine": plan.engine,
        "receiver_engine": plan.receiver_engine,
    }


def _codec(codec: Any) -> dict[str, str]:
    return {"name": codec.name, "digest": codec.digest, "system": codec.system}


def _of_scenario(scenario: Any, plan: Plan) -> Iterator[tuple[str, Any, Any]]:
    """Yield (field, manifest's value, plan's value) of what the plan determines.

    A scenario may be renamed between a run and its resumption.
    """
    specs = [point.spec for point in plan.points]
    snrs_db = list(dict.fromkeys(spec.snr_db for spec in specs))
    channels = list(dict.fromkeys(spec.channel for spec in specs))
    wanted = {
        "channels": [channel.model_dump(mode="json") for channel in channels],
        "seeds": list(dict.fromkeys(spec.seed for spec in specs)),
        "snr_db": snrs_db,
        "frame_images": plan.frame_images,
        "decoding": plan.decoding,
        "threads": plan.threads.model_dump(),
        "engine": plan.engine,
        "receiver_engine": plan.receiver_engine,
    }
    stated = dict(_map(scenario))
    if isinstance(stated.get("snr_db"), dict) and _gives(stated["snr_db"], snrs_db):
        del stated["snr_db"]
    for name, planned in wanted.items():
        if name in stated:
            yield name, _alike(stated[name], planned), planned
    if stated.get("images") is not None:
        for link in plan.links.values():
            yield "images", stated["images"], link.images
    if "links" in stated:
        links = {name: _link(link) for name, link in _map(stated["links"]).items()}
        codecs = {
            name: {"dataset": link.dataset, "codecs": [codec.name for codec in link.codecs]}
            for name, link in plan.links.items()
        }
        yield "links", sorted(links), sorted(codecs)
        yield "links", links, codecs


def _link(link: Any) -> dict[str, Any]:
    stated = _map(link)
    codec = stated.get("codec")
    codecs = stated.get("codecs") if codec is None else [codec]
    return {"dataset": stated.get("dataset"), "codecs": codecs}


def _alike(stated: Any, wanted: Any) -> Any:
    """Return channels of a manifest without fields that no longer exist."""
    if not (isinstance(stated, list) and isinstance(wanted, list)):
        return stated
    return [
        {**w, **{name: value for name, value in s.items() if name in w}}
        if isinstance(s, dict) and isinstance(w, dict)
        else s
        for s, w in zip(stated, wanted, strict=False)
    ] + stated[len(wanted) :]


def _gives(stated: Mapping[str, Any], snrs_db: Sequence[float]) -> bool:
    """Return whether a range of `start`, `stop` and `step` gives these SNRs."""
    numbers = [stated.get(name) for name in ("start", "stop", "step")]
    if not all(type(number) in (int, float) for number in numbers):  # a bool is not a number
        return False
    try:
        start, stop, step = (float(number) for number in numbers if number is not None)
    except OverflowError:
        return False
    rises = all(abs(after - before - step) < STEP_DB for before, after in pairwise(snrs_db[:-1]))
    last = snrs_db[-1] - (snrs_db[-2] if len(snrs_db) > 1 else start - step)
    return (
        abs(snrs_db[0] - start) < STEP_DB
        and rises
        and STEP_DB < last < step + STEP_DB
        and -STEP_DB < stop - snrs_db[-1] < step - STEP_DB
    )


def _compare(path: Path, where: str, stated: Any, wanted: Any) -> None:
    """Compare recursively with what is wanted; additional fields are allowed."""
    if isinstance(wanted, dict):
        for name in wanted:
            if not isinstance(stated, dict) or name not in stated:
                raise _differs(path, where, stated, wanted)
            _compare(path, f"{where}.{name}", stated[name], wanted[name])
    elif isinstance(wanted, list):
        if not isinstance(stated, list) or len(stated) != len(wanted):
            raise _differs(path, where, stated, wanted)
        for number, (here, planned) in enumerate(zip(stated, wanted, strict=True)):
            _compare(path, f"{where}.{number}", here, planned)
    elif stated != wanted or isinstance(stated, bool) != isinstance(wanted, bool):
        raise _differs(path, where, stated, wanted)


def _differs(path: Path, where: str, stated: Any, wanted: Any) -> AccountingError:
    return AccountingError(
        f"{path} says {where} {_shown(stated)}, the ledger gives {_shown(wanted)}: one of the two "
        f"was altered, or is from another run"
    )


def _map(content: Any) -> Mapping[str, Any]:
    return content if isinstance(content, Mapping) else {}


def _shown(value: Any) -> str:
    return one_line(value if isinstance(value, str) else repr(value), MAX_SHOWN)
