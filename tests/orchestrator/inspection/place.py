"""Evaluated runs of three kinds: classes, pictures of a superposed pair, sentences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrator.datasets.drawn_sentences import prepare_sentences
from orchestrator.evaluation import one_process
from orchestrator.evaluation.one_process import run_evaluation
from orchestrator.inspection import recompute
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario
from orchestrator.training.evaluation_process import run_job
from semcom.settings import validate
from semcom.shards import write_dataset
from tests.orchestrator.codecs import write_codec, write_images
from tests.semcom.families.semnoma_codec import make_codec
from tests.semcom.families.text_codecs import architecture, written

ITEMS, FRAME = 30, 10
LINKS: dict[str, dict[str, Any]] = {
    "classes": {
        "links": {"tiny": {"dataset": "tiny", "codecs": ["cat", "direct"]}},
        "channels": [{"model": "awgn"}, {"model": "rayleigh", "equalizer": "mmse"}],
        "engine": "onnxruntime",
        "receiver_engine": "onnxruntime",
    },
    "pictures": {
        "links": {name: {"dataset": "small", "codec": "pair"} for name in ("left", "right")},
        "groups": {"both": {"kind": "superposition", "links": ["left", "right"]}},
        "channels": [{"model": "rayleigh"}],
    },
    "sentences": {
        "links": {name: {"dataset": "words", "codec": "words"} for name in ("near", "other")},
        "groups": {"met": {"kind": "interference", "links": ["near", "other"]}},
        "interference": {"interferers": [1], "sir_db": [3]},
        "channels": [{"model": "rayleigh"}],
    },
}


class Silent:
    """Takes the progress and reports nothing."""

    def __init__(self, plan: Any) -> None:
        del plan

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""

    def encoding(self, codec: str, images: int, total: int) -> None:
        """Images were encoded."""

    def notice(self, text: str) -> None:
        """Say nothing."""


@contextmanager
def computed_here() -> Iterator[None]:
    """Evaluations and inspections compute in this process, and draw nothing."""

    @contextmanager
    def process(job: Any) -> Iterator[Any]:
        yield run_job(job)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_process, "evaluating_process", process)
        patch.setattr(recompute, "evaluating_process", process)
        patch.setattr("orchestrator.evaluation.one_process.write_report", lambda folder, _: folder)
        yield


def make_place(root: Path) -> Folders:
    """Write data sets and codecs of all three kinds."""
    folders = Folders(data=root / "data", codecs=root / "codecs", runs=root / "runs")
    write_images(folders.data / "tiny")
    write_codec(folders.codecs / "cat", compression_ratio=0.5)
    write_codec(folders.codecs / "direct", system="jscc-student")
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (ITEMS, 12, 12, 3), np.uint8)
    split = {"test": (images, np.zeros(ITEMS, np.uint16))}
    write_dataset(folders.data / "small", name="small", classes=[], source="drawn", splits=split)
    make_codec(folders.codecs / "pair", users=2)
    form = prepare_sentences(folders.data / "words", train=40, test=ITEMS).sentences
    assert form is not None
    made_of = architecture(vocabulary=form.vocabulary, tokens=form.longest + 1, layers=1)
    written(folders.codecs / "words", made_of, form.vocabulary_sha256)
    return folders


def evaluated(folders: Folders, kind: str, **changes: Any) -> Path:
    """Evaluate one of LINKS into a folder of its name."""
    content = {
        "name": kind, "snr_db": [-5, 5, 15], "images": ITEMS, "frame_images": FRAME,
        **LINKS[kind], **changes,
    }  # fmt: skip
    folder = folders.runs / content["name"]
    scenario = validate(Scenario, content, where=kind)
    run_evaluation(scenario, folder, folders=folders, watcher=Silent)
    return folder
