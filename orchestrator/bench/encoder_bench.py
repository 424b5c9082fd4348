"""`semcom bench run encoder`: the encoder on ONNX Runtime compared with plain PyTorch."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.bench.bench_sweeps import CODEC, DATASET
from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.plan.folders import Folders
from semcom.children import run_module
from semcom.errors import ProcessFailedError

PAPER = "cifar10"
SIZES = {f"Table I, {PAPER}": "224x224", CODEC: "32x32"}  # of the images, by codec
REPEATS = 60
IMAGES = 500
ENGINES = ("plain", "torch", "onnxruntime")


def bench_encoder(rounds: int, folders: Folders) -> Figures:
    """Measure milliseconds per image with one thread: plain PyTorch and both engines."""
    here = machine()
    *lines, found = _lines(rounds, folders)
    rows: list[Row] = [{} for _ in range(rounds)]
    for line in lines:
        size = SIZES[line["codec"]]
        row = rows[line["round"] - 1]
        for engine in ENGINES:
            row[f"{size}: {engine}, ms"] = line[f"{engine}_encode_ms"]
        row[f"{size}: onnxruntime over plain"] = (
            line["plain_encode_ms"] / line["onnxruntime_encode_ms"]
        )
    return Figures(
        name="encoder",
        title="Encoder, one image at a time, from stored pixels to symbols",
        rounds=rows,
        targets=[
            Target(
                claim=f"encoder at batch 1, {size}: times as fast as plain PyTorch",
                column=f"{size}: onnxruntime over plain",
                bound=1.8,
            )
            for size in SIZES.values()
        ],
        facts={
            **here,
            "threads": "1",
            "torch": found["torch"],
            **{
                f"agreement at {SIZES[name]}": _agreement(of)
                for name, of in found["codecs"].items()
            },
        },
    )


def _agreement(found: dict[str, Any]) -> str:
    """Return how much the answers and features of the engines differ."""
    return (
        f"{found['answers_that_differ']} of {found['images']} answers differ, features by at most "
        f"{found['largest_feature_difference']:.1e} (the largest is {found['largest_feature']:.3g})"
    )


def _lines(rounds: int, folders: Folders) -> list[dict[str, Any]]:
    words = ["--codec", str(folders.codecs / CODEC), "--paper", PAPER]
    words += ["--data", str(folders.data), "--dataset", DATASET, "--threads", "1"]
    words += ["--rounds", str(rounds), "--repeats", str(REPEATS), "--images", str(IMAGES)]
    module = "orchestrator.training.encoder_timing"
    done = run_module(module, *words, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ProcessFailedError(f"encoder_bench: {last.removeprefix('error: ')}", done.returncode)
    return [json.loads(line) for line in done.stdout.splitlines()]
