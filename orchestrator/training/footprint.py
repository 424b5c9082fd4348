"""`python -m orchestrator.training.footprint`: parameters, FLOPs and latency of codecs, Table II.

Codecs of sentences have their own table (Table III of Liu et al.), from their family.

`semcom footprint` starts it. FLOPs are counted by torch while a module runs; latency is that of
both encoders in float32, as in the transmitter, without the preparation of the image.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from orchestrator.training.presets import COMPRESSION_RATIO, PAPER_CLASSES
from orchestrator.training.trained_families import FAMILIES
from receiver.codec import ReceiverCodec
from semcom.architecture import (
    TABLE_III_DEPTHS,
    ChannelCodecArchitecture,
    CodecArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.entry import run_process
from semcom.errors import ConfigurationError, SemcomError, StorageError
from semcom.files import write_atomically
from semcom.machine import processor
from semcom.nn.blocks import OneTokenTransformerBlock
from semcom.plain_text import tell_error
from semcom.records import (
    FOOTPRINT_FILE,
    Footprint,
    FootprintRecord,
    SentenceFootprint,
    Timing,
)
from transmitters.codec import TransmitterCodec

# Table I's input, and the classes of the paper's data sets.
PAPER_INPUT = 224
MEASURED = "rkd", "jscc"  # families with the networks of Table II
WARM_UP_RUNS = 3
BATCH = 100


def codec_footprint(checkpoint: Checkpoint, repeats: int) -> Footprint:
    """Measure a codec of images.

    Raises:
        CheckpointError: it is damaged.
        ConfigurationError: it does not have the networks of Table II.
    """
    manifest = checkpoint.manifest
    if manifest.family.name not in MEASURED:
        raise ConfigurationError(
            f"semcom footprint: codec {checkpoint.folder.name} is of the family "
            f"{manifest.family.name}, which it does not measure"
        )
    found = measure(
        TransmitterCodec.load(checkpoint), ReceiverCodec.load(checkpoint), repeats=repeats
    )
    teacher = manifest.training.get("teacher_parameters")
    return found.model_copy(
        update={
            "name": checkpoint.folder.name,
            "dataset": manifest.dataset,
            "digest": manifest.digest,
            "teacher_parameters": teacher if isinstance(teacher, int) else None,
        }
    )


def paper_footprint(dataset: str, *, repeats: int) -> Footprint:
    """Measure the architecture of Table I at its resolution, with random weights."""
    architecture = paper_architecture(dataset)
    transmitter, receiver = TransmitterCodec(architecture), ReceiverCodec(architecture)
    for module in [*transmitter.modules.values(), *receiver.modules.values()]:
        module.requires_grad_(False).to(memory_format=torch.channels_last)
    found = measure(transmitter, receiver, repeats=repeats)
    return found.model_copy(update={"name": f"Table I, {dataset}", "dataset": dataset})


def paper_architecture(dataset: str) -> CodecArchitecture:
    """Table I at 224x224 with the depths of Table III and the ratio of section IV-A."""
    return CodecArchitecture(
        encoder=EncoderArchitecture(
            input=InputSpec(size=PAPER_INPUT), depths=TABLE_III_DEPTHS["kdl-darts", dataset]
        ),
        channel=ChannelCodecArchitecture(compression_ratio=COMPRESSION_RATIO[dataset]),
        classes=PAPER_CLASSES[dataset],
    )


def measure(transmitter: TransmitterCodec, receiver: ReceiverCodec, *, repeats: int) -> Footprint:
    """Return everything but the names, with the modules as in service; FLOPs are per image."""
    architecture = transmitter.architecture
    encoder, channel = architecture.encoder, architecture.channel
    modules = {**transmitter.modules, **receiver.modules}
    for module in modules.values():
        module.eval()
    image = _images(1, encoder.input.size)
    snr_db = torch.zeros(1)
    features = torch.zeros(1, channel.feature_dim)
    symbols = torch.zeros(1, channel.symbols, dtype=torch.complex64)
    return Footprint(
        name="",
        dataset="",
        system=channel.system,
        input_size=encoder.input.size,
        depths=encoder.depths if isinstance(encoder, EncoderArchitecture) else None,
        parameters={name: _parameters(module) for name, module in modules.items()},
        idle_parameters={name: _idle_parameters(module) for name, module in modules.items()},
        flops={
            "encoder": _flops(lambda: transmitter.encoder(image)),
            "channel_encoder": _flops(lambda: transmitter.channel_encoder(features, snr_db)),
            "decoder": _flops(lambda: receiver.decoder(symbols, snr_db)),
            "head": _flops(lambda: receiver.head(features)),
        },
        encode_1=encoding_time(transmitter, images=1, repeats=repeats),
        encode_100=encoding_time(transmitter, images=BATCH, repeats=max(1, repeats // 10)),
    )


def encoding_time(transmitter: TransmitterCodec, *, images: int, repeats: int) -> Timing:
    """Return the time of both encoders on prepared images, after a warm-up."""
    prepared = _images(images, transmitter.architecture.encoder.input.size)
    snr_db = torch.zeros(images)
    durations_ms: list[float] = []
    with torch.inference_mode():
        for run in range(WARM_UP_RUNS + repeats):
            started_s = time.perf_counter()
            transmitter.forward(prepared, snr_db)
            if run >= WARM_UP_RUNS:
                durations_ms.append(1e3 * (time.perf_counter() - started_s))
    return Timing(
        median_ms=median(durations_ms),
        min_ms=min(durations_ms),
        max_ms=max(durations_ms),
        runs=repeats,
    )


def _images(count: int, size: int) -> Tensor:
    """Return prepared images in the memory layout of the preparation."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, size, size, generator=generator)
    return images.contiguous(memory_format=torch.channels_last)


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _idle_parameters(module: nn.Module) -> int:
    blocks = [m for m in module.modules() if isinstance(m, OneTokenTransformerBlock)]
    return sum(block.idle_parameters for block in blocks)


def _flops(call: Callable[[], Tensor]) -> int:
    # no_grad, not inference_mode, in which layers are not broken down into counted operations.
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def main(argv: list[str] | None = None) -> int:
    """Measure and write `footprint.json`; returns the exit code."""
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    try:
        _run(arguments)
    except SemcomError as error:
        tell_error(str(error))
        return error.exit_code
    return 0


def _run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    footprints: list[Footprint] = []
    sentences: list[SentenceFootprint] = []
    for checkpoint in map(open_checkpoint, arguments.codec):
        family = FAMILIES.get(checkpoint.manifest.family.name)
        if family is not None and family.footprint is not None:
            sentences.append(family.footprint(checkpoint, arguments.repeats))
        else:
            footprints.append(codec_footprint(checkpoint, arguments.repeats))
    footprints += [paper_footprint(name, repeats=arguments.repeats) for name in arguments.paper]
    record = FootprintRecord(
        torch=torch.__version__,
        processor=processor(),
        threads=arguments.threads,
        footprints=footprints,
        sentences=sentences,
    )
    path = arguments.out / FOOTPRINT_FILE
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, record.model_dump_json(indent=1).encode())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="semcom footprint", description=__doc__)
    parser.add_argument("--codec", type=Path, action="append", default=[], help="a codec's folder")
    parser.add_argument("--paper", action="append", default=[], choices=PAPER_CLASSES)
    parser.add_argument("--out", type=Path, required=True, help="folder of footprint.json")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=100, help="runs at batch 1")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_process(main))
