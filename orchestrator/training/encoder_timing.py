"""`python -m orchestrator.training.encoder_timing`: a transmitter's encoders, engine by engine.

One image at a time, in one process, alternately: plain PyTorch (eager, contiguous), the torch
engine as deployed (channels_last) and ONNX Runtime, with the same number of threads. A line of JSON
per round and codec, with medians in milliseconds; a last line with speed-ups, the largest
differences between the engines, and whether all answers are the same. `encode` starts from stored
pixels, `forward` from the prepared image; `cpu` is processor time, which other programs disturb
less.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from orchestrator.training.footprint import paper_architecture
from orchestrator.training.presets import PAPER_CLASSES
from receiver.codec import ReceiverCodec
from semcom.checkpoints import open_checkpoint
from semcom.entry import run_process
from semcom.errors import SemcomError
from semcom.machine import processor
from semcom.nn.image_input import prepare_images
from semcom.plain_text import tell_error
from semcom.shards import Shard
from transmitters.codec import TransmitterCodec
from transmitters.onnx_engine import OnnxCodec
from transmitters.onnx_model import CODEWORD, build_model

Images = npt.NDArray[np.uint8]
SNR_DB = 10.0
WARM_UP_RUNS = 5


@dataclass(frozen=True)
class Candidate:
    """A codec with all engines, and the images on which to compare them."""

    name: str
    plain: TransmitterCodec
    deployed: TransmitterCodec
    onnx: OnnxCodec
    receiver: ReceiverCodec
    images_NHW3: Images


def codec_candidate(
    folder: Path, data: Path, *, threads: int, images: int, dataset: str | None = None
) -> Candidate:
    """Return a codec with test images, by default of its own data set.

    Raises:
        SemcomError: codec or data set is missing or damaged.
    """
    checkpoint = open_checkpoint(folder)
    shard = Shard(data / (dataset or checkpoint.manifest.dataset), "test")
    return Candidate(
        name=folder.name,
        plain=contiguous(TransmitterCodec.load(checkpoint)),
        deployed=TransmitterCodec.load(checkpoint),
        onnx=OnnxCodec.load(checkpoint, threads=threads),
        receiver=ReceiverCodec.load(checkpoint),
        images_NHW3=np.array(shard.images_NHWC[:images]),
    )


def paper_candidate(dataset: str, *, threads: int, images: int) -> Candidate:
    """Return Table I at 224x224 with random weights and norms, and noise images."""
    architecture = paper_architecture(dataset)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transmitter, receiver = TransmitterCodec(architecture), ReceiverCodec(architecture)
        _give_norms_something_to_do(transmitter)
    arrays = {
        f"{prefix}.{name}": tensor.numpy()
        for prefix, module in transmitter.modules.items()
        for name, tensor in module.state_dict().items()
    }
    deployed = TransmitterCodec(architecture)
    for prefix, module in transmitter.modules.items():
        module.eval().requires_grad_(False)
        twin = deployed.modules[prefix]
        twin.load_state_dict(module.state_dict())
        twin.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    for module in receiver.modules.values():
        module.eval().requires_grad_(False)
    size = architecture.encoder.input.size
    dice = np.random.default_rng(0)
    return Candidate(
        name=f"Table I, {dataset}",
        plain=transmitter,
        deployed=deployed,
        onnx=OnnxCodec(architecture, build_model(architecture, arrays), threads=threads),
        receiver=receiver,
        images_NHW3=dice.integers(0, 256, (images, size, size, 3), dtype=np.uint8),
    )


def contiguous(codec: TransmitterCodec) -> TransmitterCodec:
    """Return a copy with weights in PyTorch's default memory format."""
    for module in codec.modules.values():
        module.to(memory_format=torch.contiguous_format)
    return codec


def _give_norms_something_to_do(codec: TransmitterCodec) -> None:
    for module in codec.encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            module.momentum = 1.0
    size = codec.architecture.encoder.input.size
    with torch.no_grad():
        codec.forward(torch.randn(4, 3, size, size))


def calls(candidate: Candidate) -> dict[str, Callable[[], object]]:
    """Return the timed calls, by name, each on the first image."""
    image_1HW3 = candidate.images_NHW3[:1]
    spec = candidate.plain.architecture.encoder.input
    snr_db = torch.full((1,), SNR_DB)
    prepared = prepare_images(torch.from_numpy(np.array(image_1HW3)), spec)
    last, first = (
        prepared.contiguous(memory_format=order)
        for order in (torch.channels_last, torch.contiguous_format)
    )
    pixels = candidate.onnx.prepare(image_1HW3)
    return {
        "plain_forward": lambda: candidate.plain.forward(first, snr_db),
        "torch_forward": lambda: candidate.deployed.forward(last, snr_db),
        "onnxruntime_forward": lambda: candidate.onnx.run(pixels, [CODEWORD], snr_db=SNR_DB),
        "plain_encode": lambda: _encode_contiguous(candidate.plain, image_1HW3),
        "torch_encode": lambda: candidate.deployed.encode(image_1HW3, snr_db=SNR_DB),
        "onnxruntime_encode": lambda: candidate.onnx.encode(image_1HW3, snr_db=SNR_DB),
    }


def _encode_contiguous(codec: TransmitterCodec, images_NHW3: Images) -> object:
    """`TransmitterCodec.encode` without channels_last."""
    images = torch.from_numpy(np.array(images_NHW3))
    prepared = prepare_images(images, codec.architecture.encoder.input).contiguous()
    return codec.forward(prepared, torch.full((len(images),), SNR_DB))[1].numpy()


@torch.inference_mode()
def time_round(candidate: Candidate, repeats: int) -> dict[str, float]:
    """Return medians of a round in ms, of wall clock and processor; engines alternate."""
    timed = calls(candidate)
    wall: dict[str, list[float]] = {name: [] for name in timed}
    cpu: dict[str, list[float]] = {name: [] for name in timed}
    for run in range(WARM_UP_RUNS + repeats):
        for name, call in timed.items():
            started = time.perf_counter(), time.process_time()
            call()
            ended = time.perf_counter(), time.process_time()
            if run >= WARM_UP_RUNS:
                wall[name].append(1e3 * (ended[0] - started[0]))
                cpu[name].append(1e3 * (ended[1] - started[1]))
    found = {f"{name}_ms": round(median(times), 4) for name, times in wall.items()}
    return found | {f"{name}_cpu_ms": round(median(times), 4) for name, times in cpu.items()}


def differences(candidate: Candidate) -> dict[str, Any]:
    """Return the engines' largest differences over all images, and how many answers differ."""
    found: dict[str, list[float]] = {}
    snr_db = torch.full((1,), SNR_DB)
    for image_HW3 in candidate.images_NHW3:
        images_1HW3 = image_HW3[None]
        spec = candidate.plain.architecture.encoder.input
        prepared = prepare_images(torch.from_numpy(images_1HW3), spec)
        with torch.inference_mode():
            features, symbols = candidate.deployed.forward(prepared, snr_db)
            plain, _ = candidate.plain.forward(prepared.contiguous(), snr_db)
        pixels = candidate.onnx.prepare(images_1HW3)
        features_1D, symbols_1K = candidate.onnx.forward(pixels, snr_db=SNR_DB)
        answers = {_answer(candidate.receiver, z) for z in (symbols.numpy(), symbols_1K)}
        for name, value in (
            ("largest_feature", features_1D),
            ("largest_feature_difference", features.numpy() - features_1D),
            ("largest_feature_difference_plain_to_torch", (features - plain).numpy()),
            ("largest_symbol_difference", symbols.numpy() - symbols_1K),
        ):
            found.setdefault(name, []).append(float(np.abs(value).max()))
        found.setdefault("answers_that_differ", []).append(len(answers) - 1)
    counted = sum(found.pop("answers_that_differ"))
    largest = {name: max(values) for name, values in found.items()}
    return {"images": len(candidate.images_NHW3), **largest, "answers_that_differ": int(counted)}


def _answer(receiver: ReceiverCodec, symbols_1K: npt.NDArray[np.complex64]) -> int:
    snr_db = np.full(1, SNR_DB, dtype=np.float32)
    logits = receiver.decode(symbols_1K, None, snr_db_N=snr_db, equalizer="zero_forcing")
    return int(logits.argmax())


def report(candidates: list[Candidate], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Return a line per round and codec, then one with the summary."""
    rounds: dict[str, list[dict[str, float]]] = {candidate.name: [] for candidate in candidates}
    for number in range(1, arguments.rounds + 1):
        for candidate in candidates:
            found = time_round(candidate, arguments.repeats)
            rounds[candidate.name].append(found)
            yield {"round": number, "codec": candidate.name, **found}
    yield {
        "processor": processor(),
        "threads": arguments.threads,
        "torch": torch.__version__,
        "codecs": {
            candidate.name: {**speed_ups(rounds[candidate.name]), **differences(candidate)}
            for candidate in candidates
        },
    }


def speed_ups(rounds: list[dict[str, float]]) -> dict[str, list[float]]:
    """Return the speed-up by ONNX Runtime: smallest, median and largest of the rounds."""
    found = {}
    for baseline in ("plain", "torch"):
        for what in ("forward", "encode", "forward_cpu", "encode_cpu"):
            ratios = [
                values[f"{baseline}_{what}_ms"] / values[f"onnxruntime_{what}_ms"]
                for values in rounds
            ]
            spread = (min(ratios), median(ratios), max(ratios))
            found[f"over_{baseline}_{what}"] = [round(ratio, 2) for ratio in spread]
    return found


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    torch.set_num_threads(arguments.threads)
    sizes = {"threads": arguments.threads, "images": arguments.images}
    try:
        candidates = [
            codec_candidate(path, arguments.data, dataset=arguments.dataset, **sizes)
            for path in arguments.codec
        ]
        candidates += [paper_candidate(name, **sizes) for name in arguments.paper]
        for line in report(candidates, arguments):
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    except SemcomError as error:
        tell_error(str(error))
        return error.exit_code
    return 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", type=Path, action="append", default=[], help="a codec's folder")
    parser.add_argument("--paper", action="append", default=[], choices=PAPER_CLASSES)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of data sets")
    parser.add_argument("--dataset", help="data set of the images (default: each codec's own)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=100, help="images per round and engine")
    parser.add_argument(
        "--images", type=int, default=200, help="number of images on which answers are compared"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_process(main))
