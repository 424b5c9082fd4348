"""Two modules become a codec, or are refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from orchestrator.training.module_export import export_codec
from semcom.checkpoints import open_checkpoint
from semcom.errors import CheckpointError, ConfigurationError, SemcomError
from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import Reconstruction

IMAGE = (16, 16, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, *IMAGE), np.uint8)


class Knowing(nn.Module):
    """A half that takes the SNR."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs + 1, outputs)

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.linear(torch.cat([x.flatten(1), snr_db[:, None]], dim=1))
        return y


class Complex(nn.Module):
    """A transmitter that gives complex numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(768, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x.flatten(1))
        return torch.complex(y[:, :4].contiguous(), y[:, 4:].contiguous())


def halves(**changes: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    return {
        "transmitter": nn.Sequential(nn.Flatten(), nn.Linear(768, 8)),
        "receiver": nn.Linear(8, 3),
        "task": Classification(classes=3),
        "image": IMAGE,
        **changes,
    }


def images_back() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 768), nn.Sigmoid(), nn.Unflatten(1, (3, 16, 16)))


@pytest.mark.parametrize(
    ("changes", "needs_snr", "outputs"),
    [
        ({}, False, (3,)),
        ({"transmitter": Complex()}, False, (3,)),
        ({"transmitter": Knowing(768, 8), "receiver": Knowing(8, 3)}, True, (3,)),
        ({"receiver": images_back(), "task": Reconstruction(shape=IMAGE)}, False, IMAGE),
    ],
)
def test_both_halves_serve_what_the_modules_compute(tmp_path, changes, needs_snr, outputs):
    written = export_codec("mine", codecs=tmp_path, **halves(**changes))
    codec = open_checkpoint(tmp_path / "mine", expected_digest=written.digest)
    codec.verify()
    assert (codec.manifest.symbols, codec.manifest.needs_snr) == (4, needs_snr)
    symbols_NK = codec.load_transmitter().encode(IMAGES, snr_db=5.0)
    assert (symbols_NK.shape, symbols_NK.dtype) == ((5, 4), np.complex64)
    np.testing.assert_allclose(np.square(np.abs(symbols_NK)).mean(axis=1), 1.0, rtol=1e-5)
    snr_db_N = np.full(5, 5.0, dtype=np.float32)
    receive = codec.load_receiver().decode
    found = receive(symbols_NK, None, snr_db_N=snr_db_N, equalizer="zero_forcing")
    assert found.shape == (5, *outputs)
    faded = receive(
        symbols_NK * np.complex64(0.5j), np.full((5, 1), 0.5j, np.complex64),
        snr_db_N=snr_db_N, equalizer="zero_forcing",
    )  # fmt: skip
    np.testing.assert_allclose(faded, found, rtol=1e-3, atol=1e-5)


def test_exporting_again_gives_the_same_codec(tmp_path):
    first = export_codec("mine", codecs=tmp_path / "a", **halves())
    assert export_codec("mine", codecs=tmp_path / "b", **halves()).digest == first.digest


class ThreeInputs(nn.Module):
    def forward(self, a: Any, b: Any, c: Any) -> Any:
        return a


class DataDependent(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)[:, :8] if x.sum().item() > 0 else x.flatten(1)[:, 8:16]


class Broken(nn.Linear):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        nn.init.constant_(self.weight, float("nan"))


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"transmitter": ThreeInputs()}, ConfigurationError, "takes 3 arguments"),
        ({"transmitter": nn.Sequential(nn.Flatten(), nn.Linear(768, 7))}, ConfigurationError,
         "7 reals, which are not a whole number of symbols"),
        ({"transmitter": DataDependent()}, CheckpointError, "cannot export DataDependent"),
        ({"receiver": Broken(8, 3)}, CheckpointError, "NaN or Inf"),
        ({"receiver": nn.Linear(8, 4)}, CheckpointError, "4 numbers, not 3"),
        ({"receiver": nn.Linear(9, 3)}, CheckpointError, "cannot export Linear"),
        ({"classes": ["one"]}, ConfigurationError, "classes holds 1 names"),
        ({"colour": 1}, ConfigurationError, "has no argument colour"),
    ],
)  # fmt: skip
def test_modules_that_are_no_codec_are_one_line(tmp_path, changes, error, text):
    with pytest.raises(error, match=text) as caught:
        export_codec("mine", codecs=tmp_path, **halves(**changes))
    assert isinstance(caught.value, SemcomError)
    assert len(str(caught.value).splitlines()) == 1


def test_name_that_is_none_is_one_line(tmp_path):
    with pytest.raises(ConfigurationError, match="name"):
        export_codec("../x", codecs=tmp_path, **halves())


def test_another_engine_than_torch_is_one_line(tmp_path):
    codec = export_codec("mine", codecs=tmp_path, **halves())
    with pytest.raises(ConfigurationError, match="set engine: torch"):
        codec.load_transmitter(engine="onnxruntime")
    with pytest.raises(ConfigurationError, match="set receiver_engine: torch"):
        codec.load_receiver(engine="onnxruntime")


def test_images_of_another_size_are_refused(tmp_path: Path):
    codec = export_codec("mine", codecs=tmp_path, **halves()).load_transmitter()
    with pytest.raises(CheckpointError, match="16 x 16 x 3, not 32 x 32 x 3"):
        codec.encode(np.zeros((1, 32, 32, 3), np.uint8), snr_db=0.0)
