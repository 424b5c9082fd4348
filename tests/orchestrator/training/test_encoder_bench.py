"""The bench of the engines: what it prints, and that it compares like with like."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from orchestrator.training.encoder_timing import (
    calls,
    codec_candidate,
    contiguous,
    main,
    paper_candidate,
    speed_ups,
)
from tests.orchestrator.codecs import write_codec, write_images
from transmitters.codec import TransmitterCodec


@pytest.fixture
def place(tmp_path):
    """A codec and its data set."""
    write_codec(tmp_path / "codecs" / "cat", compression_ratio=0.5)
    write_images(tmp_path / "data" / "tiny")
    return tmp_path


def test_prints_a_line_per_round_and_what_they_come_to(place, capsys):
    words = ["--codec", place / "codecs" / "cat", "--data", place / "data"]
    words += ["--rounds", 2, "--repeats", 2, "--images", 8]
    assert main([str(word) for word in words]) == 0
    first, second, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["round"], second["round"], first["codec"]) == (1, 2, "cat")
    assert all(value > 0 for name, value in first.items() if name.endswith("_ms"))
    found = last["codecs"]["cat"]
    assert found["answers_that_differ"] == 0
    assert found["largest_feature_difference"] <= 1e-5 * found["largest_feature"]
    assert found["images"] == 8
    low, middle, high = found["over_plain_encode"]
    assert low <= middle <= high


def test_a_missing_codec_is_one_line_and_its_exit_code(tmp_path, capsys):
    assert main(["--codec", str(tmp_path / "none")]) == 6
    assert capsys.readouterr().err.startswith("error: no such file")


def test_all_candidates_encode_the_same_image(place):
    found = codec_candidate(place / "codecs" / "cat", place / "data", threads=1, images=2)
    with torch.inference_mode():
        made = {name: call() for name, call in calls(found).items() if name.endswith("_encode")}
    for symbols in made.values():
        np.testing.assert_allclose(symbols, made["torch_encode"], rtol=0, atol=1e-5)
    assert len(made) == 3


def test_plain_is_without_channels_last(place):
    found = codec_candidate(place / "codecs" / "cat", place / "data", threads=1, images=1)
    for codec, wanted in ((found.plain, False), (found.deployed, True)):
        weight = codec.encoder.stages[0][0].conv2.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == wanted
    assert isinstance(contiguous(found.plain), TransmitterCodec)


def test_paper_profile_is_at_its_resolution_and_its_images_differ():
    found = paper_candidate("cifar10", threads=1, images=2)
    assert found.images_NHW3.shape == (2, 224, 224, 3)
    symbols = found.onnx.encode(found.images_NHW3, snr_db=10.0)
    assert np.abs(symbols[0] - symbols[1]).max() > 1e-3


def test_speed_up_is_the_ratio_within_a_round():
    values = {"plain": 6.0, "torch": 4.0, "onnxruntime": 2.0}
    one = {
        f"{name}_{what}_ms": value
        for name, value in values.items()
        for what in ("forward", "encode", "forward_cpu", "encode_cpu")
    }
    other = {**one, "onnxruntime_forward_ms": 1.0}
    found = speed_ups([one, other, one])
    assert found["over_plain_forward"] == [3.0, 3.0, 6.0]
    assert found["over_torch_encode"] == [2.0, 2.0, 2.0]
