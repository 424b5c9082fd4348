"""`manifest.json` of a run or an evaluation: scenario, data sets, codecs and versions."""

from __future__ import annotations

import hashlib
import json
import platform
import sqlite3
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.results.resumption import COMMAND, from_anywhere
from orchestrator.results.run_folder import RUN_MANIFEST
from semcom.errors import StorageError
from semcom.files import write_atomically
from semcom.messages import PROTOCOL_VERSION

VERSIONS_OF = ("rkd-sc", "numpy", "torch", "onnxruntime", "numba", "pyzmq", "msgpack", "pydantic")


def write_run_manifest(
    folder: Path,
    scenario: Scenario,
    plan: Plan,
    *,
    codecs: Sequence[CodecFacts],
    command: Sequence[str] = (),
    results: dict[str, Any] | None = None,
) -> str:
    """Write the manifest with `results` added, completely or not at all; return its SHA-256.

    `command` holds the command that resumes the run, see `orchestrator.results.resumption`.

    Raises:
        StorageError: the disk cannot be written.
    """
    fields = {
        "run": plan.run,
        "plan_digest": plan.digest,
        "scenario": scenario.model_dump(mode="json"),
        "links": {name: link.model_dump(mode="json") for name, link in plan.links.items()},
        "codecs": [codec.model_dump(mode="json") for codec in codecs],
        "protocol_version": PROTOCOL_VERSION,
        "versions": {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
        | {name: found for name in VERSIONS_OF if (found := _version(name)) is not None},
        "machine": f"{platform.system()} {platform.machine()}",
        "device": scenario.device,
        "threads": scenario.threads.model_dump(),
        "engine": scenario.engine,
        "receiver_engine": scenario.receiver_engine,
        **({COMMAND: from_anywhere(command)} if command else {}),
        **(results or {}),
    }
    content = json.dumps(fields, indent=1).encode()
    try:
        write_atomically(folder / RUN_MANIFEST, content)
    except OSError as error:
        raise StorageError(f"cannot write {folder / RUN_MANIFEST}: {error.strerror}") from error
    return hashlib.sha256(content).hexdigest()


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
