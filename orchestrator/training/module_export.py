"""Export of two user modules as a codec of the family `torch-export`.

The transmitter's module takes images of 0..1, float32 (N, C, H, W), and returns reals (N, 2 K) or
complex numbers (N, K); the receiver's takes equalised reals (N, 2 K) and returns logits (N, T) or
images of 0..1 (N, C, H, W). Either may take the SNR, float32 (N,) in dB, as a second argument.

Shape legend: N images, C channels, H height, W width, K complex symbols, T classes.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import End
from semcom.codec_manifest import FamilyManifest
from semcom.errors import ConfigurationError
from semcom.families.exported import ExportedArchitecture
from semcom.nn.programs import save_program
from semcom.settings import validate
from semcom.tasks.task import Task

EXAMPLES = 2  # images with which a program is traced
LEAST_POWER = 1e-12
Image = tuple[int, int, int]  # height, width, channels


class UnitPower(nn.Module):
    """A transmitter whose codewords all have mean power 1 per complex symbol, as reals (N, 2 K)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Images of 0..1 -> reals (N, 2 K)."""
        return _at_unit_power(self.module(images_NCHW))


class UnitPowerBySnr(UnitPower):
    """The same for a module that takes the SNR."""

    def forward(self, images_NCHW: Tensor, snr_db_N: Tensor) -> Tensor:  # type: ignore[override]
        """Images of 0..1 and the SNR in dB -> reals (N, 2 K)."""
        return _at_unit_power(self.module(images_NCHW, snr_db_N))


def _at_unit_power(codeword: Tensor) -> Tensor:
    if codeword.is_complex():
        codeword = torch.view_as_real(codeword)
    reals_N2K = codeword.flatten(1).float()
    power_N1 = 2.0 * reals_N2K.square().mean(dim=1, keepdim=True)
    return reals_N2K * torch.rsqrt(power_N1.clamp_min(LEAST_POWER))


def export_codec(
    name: str,
    *,
    transmitter: nn.Module,
    receiver: nn.Module,
    task: Task,
    image: Image,
    codecs: Path = Path("codecs"),
    **record: Any,
) -> Checkpoint:
    """Write a codec that sweeps, evaluations and live systems use like any other.

    The modules are traced in evaluation mode; codewords are normalised to unit power.

    Args:
        name: name of the codec; lower-case letters, digits, dots, dashes, underscores.
        transmitter: images (N, C, H, W) of 0..1 [, SNR (N,) in dB] -> (N, 2 K) or complex (N, K).
        receiver: reals (N, 2 K) [, SNR (N,) in dB] -> logits (N, T) or images (N, C, H, W) of 0..1.
        task: task of the codec.
        image: height, width and channels of an image.
        codecs: folder of codecs.
        **record: `dataset` (of the training; default "own"), `classes` (names in label order),
            `system` (name of its curves; default the codec's name), `training` and
            `results` (maps, stored unchanged).

    Returns:
        The codec, after it was loaded and run once.

    Raises:
        CheckpointError: a module cannot be exported, or its outputs are not usable.
        ConfigurationError: shapes, names or the record do not fit.
        StorageError: the disk cannot be written.
    """
    unknown = record.keys() - {"dataset", "classes", "system", "training", "results"}
    if unknown:
        raise ConfigurationError(f"export_codec has no argument {min(unknown)}")
    modules: dict[End, nn.Module] = {"transmitter": transmitter, "receiver": receiver}
    takes_snr = {end: _takes_snr(module, end) for end, module in modules.items()}
    contents, symbols = _programs(name, modules, takes_snr, image)
    architecture = ExportedArchitecture(
        item=image,
        receiver_snr=takes_snr["receiver"],
        parameters={end: _parameters(module) for end, module in modules.items()},
    )
    classes = record.get("classes")
    manifest = validate(
        FamilyManifest,
        {
            "name": name,
            "family": "torch-export",
            "system": record.get("system", name),
            "dataset": record.get("dataset", "own"),
            "classes": None if classes is None else list(classes),
            "task": task,
            "symbols": symbols,
            "needs_snr": takes_snr["transmitter"],
            "architecture": architecture.model_dump(mode="json"),
            "weights": weight_files(contents),
            "training": record.get("training", {}),
            "results": record.get("results", {}),
        },
        where=f"codec {name}",
    )
    written = write_codec(codecs / name, manifest, contents)
    written.load_transmitter()
    written.load_receiver()
    return written


def _programs(
    name: str, modules: Mapping[End, nn.Module], takes_snr: Mapping[End, bool], image: Image
) -> tuple[dict[End, bytes], int]:
    """Return the programs of both halves, and K."""
    knows_snr = takes_snr["transmitter"]
    sent = (UnitPowerBySnr if knows_snr else UnitPower)(modules["transmitter"]).eval()
    height, width, channels = image
    snr_db_N = torch.full((EXAMPLES,), 10.0)
    images_NCHW = torch.rand(EXAMPLES, channels, height, width)
    example = (images_NCHW, snr_db_N) if knows_snr else (images_NCHW,)
    transmitter = save_program(sent, example, name=type(modules["transmitter"]).__name__)
    with torch.no_grad():
        reals_N2K = sent(*example)
    if reals_N2K.shape[1] % 2:
        raise ConfigurationError(
            f"{name}: the transmitter returns {reals_N2K.shape[1]} reals, which are not a "
            "whole number of symbols"
        )
    received = (reals_N2K, snr_db_N) if takes_snr["receiver"] else (reals_N2K,)
    decoder = modules["receiver"].eval()
    receiver = save_program(decoder, received, name=type(decoder).__name__)
    return {"transmitter": transmitter, "receiver": receiver}, reals_N2K.shape[1] // 2


def _takes_snr(module: nn.Module, end: str) -> bool:
    parameters = inspect.signature(module.forward).parameters.values()
    positional = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        and each.default is each.empty
    ]
    if len(positional) not in (1, 2):
        raise ConfigurationError(
            f"the {end}'s module takes {len(positional)} arguments; it must take one, or two if "
            f"the second is the SNR"
        )
    return len(positional) == 2


def _parameters(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())
