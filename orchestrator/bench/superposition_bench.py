"""`semcom bench run superposition`: two users of one slot compared with two plain links."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.bench.bench_sweeps import DATASET, WatchedSweep
from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.sweep.run import RunOptions, run_sweep
from semcom.checkpoints import weight_files, write_codec
from semcom.codec_arrays import End, format_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.families.semnoma import SemnomaArchitecture
from semcom.families.semnoma_arrays import array_specs
from semcom.tasks.reconstruction import Reconstruction

USERS = 2
IMAGES = 400  # of each link
FRAME_IMAGES = 10
SNRS_DB = [5.0, 10.0]
ENDS: tuple[End, ...] = ("transmitter", "receiver")
SPREAD = 0.05  # of the random weights


def bench_superposition(rounds: int, folders: Folders) -> Figures:
    """Measure images per second of two superposed links, and of two plain ones with equal networks.

    The weights are random, because computing times do not depend on them.
    """
    here = machine()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for users in (1, USERS):
            write_untrained(place / "codecs" / _codec(users), users=users)
        there = folders.model_copy(update={"codecs": place / "codecs"})
        for number in range(rounds):
            plain, superposed = (
                _images_per_second(users, there, place / f"{number}-{users}")
                for users in (1, USERS)
            )
            rows.append(
                {
                    "two plain links, images/s": plain,
                    "two users of a slot, images/s": superposed,
                    "ratio": superposed / plain,
                }
            )
    return Figures(
        name="superposition",
        title="Two users of a slot compared with two plain links",
        rounds=rows,
        targets=[
            Target(
                claim="superposition: throughput of two users of a slot over two plain links",
                column="ratio",
                bound=0.8,
            )
        ],
        facts={**here, "links": str(USERS), "images in a frame": str(FRAME_IMAGES)},
    )


def write_untrained(folder: Path, *, users: int) -> None:
    """Write a codec of the family `semnoma` with the networks of `compact` and random weights."""
    architecture = SemnomaArchitecture(users=users)
    dice = np.random.Generator(np.random.Philox(users))
    contents = {
        end: format_arrays(
            {
                name: dice.normal(0.0, SPREAD, spec.shape).astype(np.float16)
                for name, spec in array_specs(architecture, end).items()
            }
        )
        for end in ENDS
    }
    manifest = FamilyManifest(
        family="semnoma",
        name=folder.name,
        system="semnoma",
        dataset=DATASET,
        task=Reconstruction(shape=architecture.item),
        symbols=architecture.symbols,
        needs_snr=True,
        links=users,
        architecture=architecture.model_dump(mode="json"),
        weights=weight_files(contents),
    )
    write_codec(folder, manifest, contents)


def _codec(users: int) -> str:
    return f"users-{users}"


def _images_per_second(users: int, folders: Folders, folder: Path) -> float:
    links = [f"edge-{number}" for number in range(1, USERS + 1)]
    content: dict[str, Any] = {
        "name": f"users-{users}",
        "links": {link: {"dataset": DATASET, "codec": _codec(users)} for link in links},
        "snr_db": SNRS_DB,
        "images": IMAGES,
        "frame_images": FRAME_IMAGES,
    }
    if users > 1:
        content["groups"] = {"cell": {"links": links}}
    watched = WatchedSweep(FRAME_IMAGES)

    def watcher(plan: Plan) -> WatchedSweep:
        del plan
        return watched

    scenario = Scenario.model_validate(content)
    run_sweep(scenario, folder, folders=folders, watcher=watcher, options=RunOptions(report=None))
    return watched.images_per_second
