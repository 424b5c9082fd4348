"""The engine without torch computes what torch computes, for every encoder that is deployed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from receiver.codec import ReceiverCodec
from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    InputSpec,
    TimmEncoderArchitecture,
)
from semcom.checkpoints import open_checkpoint
from semcom.errors import CheckpointError, ConfigurationError
from semcom.nn.image_input import prepare_images
from semcom.shards import Shard
from transmitters.codec import TransmitterCodec
from transmitters.engine import codec_loader
from transmitters.onnx_engine import OnnxCodec
from transmitters.onnx_model import build_model
from transmitters.onnx_resize import resize_weights

TOLERANCE = 1e-5  # of the largest value

DIM = 64
STUDENT = {"depths": (1, 2, 1, 1), "width": 0.5, "feature_dim": DIM, "heads": 4}
CONV = {"blocks": ((16,), (24, 16), (32,)), "feature_dim": DIM}
ENCODERS = {
    "student-32": EncoderArchitecture(input=InputSpec(size=32), stem_conv_stride=1, **STUDENT),
    "student-64": EncoderArchitecture(input=InputSpec(size=64), **STUDENT),
    "student-odd-widths": EncoderArchitecture(
        input=InputSpec(size=48), stem_conv_stride=1, depths=(1, 1, 1, 2), width=0.3,
        feature_dim=DIM, heads=2,
    ),
    "conv-whitened": ConvEncoderArchitecture(
        input=InputSpec(size=32), residual_after=(1, 2), hidden=48, **CONV
    ),
    "conv-mean-of-map": ConvEncoderArchitecture(input=InputSpec(size=32), hidden=0, **CONV),
    "conv-64-plain": ConvEncoderArchitecture(
        input=InputSpec(size=64), whiten=False, hidden=40, **CONV
    ),
    "conv-64-whitened": ConvEncoderArchitecture(input=InputSpec(size=64), hidden=0, **CONV),
}  # fmt: skip
CHANNELS = {
    "cat": ChannelCodecArchitecture(feature_dim=DIM, ffn_dim=96, compression_ratio=0.2),
    "tx-csi": ChannelCodecArchitecture(feature_dim=DIM, ffn_dim=32, tx_csi=True),
    "direct": ChannelCodecArchitecture(system="jscc-student", feature_dim=DIM),
    "ordered": ChannelCodecArchitecture(feature_dim=DIM, ffn_dim=32, increments=(3, 4, 9)),
}


def lively_codec(architecture: CodecArchitecture, seed: int = 0) -> TransmitterCodec:
    """Random weights, and norms that are not the identity but keep the signal in range."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        codec = TransmitterCodec(architecture)
        for module in codec.encoder.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.momentum = 1.0
                if module.affine:
                    nn.init.uniform_(module.weight, 0.5, 1.5)
                    nn.init.uniform_(module.bias, -0.3, 0.3)
        size = architecture.encoder.input.size
        with torch.no_grad():
            codec.forward(torch.randn(16, 3, size, size), torch.zeros(16))
    for module in codec.modules.values():
        module.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    return codec


def arrays_of(codec: TransmitterCodec) -> dict[str, np.ndarray]:
    return {
        f"{prefix}.{name}": tensor.numpy().copy()
        for prefix, module in codec.modules.items()
        for name, tensor in module.state_dict().items()
    }


def onnx_twin(codec: TransmitterCodec) -> OnnxCodec:
    return OnnxCodec(
        codec.architecture, build_model(codec.architecture, arrays_of(codec)), threads=1
    )


def pixels(count: int, height: int, width: int | None = None) -> np.ndarray:
    dice = np.random.default_rng(count)
    shape = (count, height, width or height, 3)
    return dice.integers(0, 256, size=shape, dtype=np.uint8)


def both(codec: TransmitterCodec, twin: OnnxCodec, images: np.ndarray, snr_db: float = 3.0):
    """Features and symbols of torch, then of ONNX Runtime."""
    with torch.inference_mode():
        prepared = prepare_images(torch.from_numpy(images), codec.architecture.encoder.input)
        features, symbols = codec.forward(prepared, torch.full((len(images),), snr_db))
    return (features.numpy(), symbols.numpy()), twin.forward(twin.prepare(images), snr_db=snr_db)


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_graph_computes_what_torch_computes(encoder, channel):
    architecture = CodecArchitecture(
        encoder=ENCODERS[encoder], channel=CHANNELS[channel], classes=5
    )
    codec = lively_codec(architecture)
    twin = onnx_twin(codec)
    size = architecture.encoder.input.size
    for images in (pixels(1, size), pixels(5, size), pixels(2, 40), pixels(2, 70)):
        expected, found = both(codec, twin, images)
        assert_close(found[0], expected[0])
        assert_close(found[1], expected[1])
        np.testing.assert_array_equal(twin.encode(images, snr_db=3.0), found[1])


def test_graph_computes_what_torch_computes_at_the_size_of_the_paper():
    encoder = EncoderArchitecture(input=InputSpec(size=224), **STUDENT)
    architecture = CodecArchitecture(encoder=encoder, channel=CHANNELS["cat"], classes=5)
    codec = lively_codec(architecture)
    for images in (pixels(1, 224), pixels(1, 32)):
        expected, found = both(codec, onnx_twin(codec), images)
        assert_close(found[0], expected[0])
        assert_close(found[1], expected[1])


@pytest.mark.parametrize("snr_db", [-40.0, -15.0, 0.0, 12.5, 60.0])
def test_snr_is_seen_as_torch_sees_it_and_only_with_tx_csi(snr_db):
    images = pixels(2, 32)
    for channel, seen in (("tx-csi", True), ("cat", False), ("direct", False)):
        architecture = CodecArchitecture(
            encoder=ENCODERS["student-32"], channel=CHANNELS[channel], classes=5
        )
        codec = lively_codec(architecture)
        twin = onnx_twin(codec)
        expected, found = both(codec, twin, images, snr_db)
        assert_close(found[1], expected[1])
        same = np.array_equal(twin.encode(images, snr_db=5.0), found[1])
        assert same != seen


@pytest.mark.parametrize(("before", "after"), [(32, 224), (64, 32), (33, 47), (100, 31), (8, 16)])
def test_resizing_equals_that_of_torch(before, after):
    image = torch.rand(1, 1, before, before, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(image, size=(after, after), mode="bicubic", antialias=True)
    weights = resize_weights(before, after)
    found = weights @ image[0, 0].numpy() @ weights.T
    np.testing.assert_allclose(found, expected[0, 0].numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["cifar10", "shapes10", "shapes100"])
def test_shipped_codec_sends_the_same_and_is_understood_the_same(name, workplace):
    checkpoint = open_checkpoint(workplace / "codecs" / name)
    dataset = "shapes100" if name == "shapes100" else "shapes10"
    images = np.array(Shard(workplace / "data" / dataset, "test").images_NHWC[:150])
    codec = TransmitterCodec.load(checkpoint)
    twin = codec_loader("onnxruntime", threads=1)(checkpoint)
    assert isinstance(twin, OnnxCodec)
    receiver, answers = ReceiverCodec.load(checkpoint), []
    expected, found = both(codec, twin, images)
    for symbols in (expected[1], found[1]):
        snr_db = np.full(len(images), 10.0, dtype=np.float32)
        logits = receiver.decode(symbols, None, snr_db_N=snr_db, equalizer="zero_forcing")
        answers.append(logits.argmax(axis=1))
    assert_close(found[0], expected[0])
    assert_close(found[1], expected[1])
    assert np.array_equal(*answers)


def test_same_image_is_the_same_codeword_each_time():
    architecture = CodecArchitecture(
        encoder=ENCODERS["student-32"], channel=CHANNELS["cat"], classes=5
    )
    codec, images = lively_codec(architecture), pixels(3, 32)
    first, again = onnx_twin(codec), onnx_twin(codec)
    images.setflags(write=False)
    expected = first.encode(images, snr_db=0.0)
    for twin in (first, again):
        np.testing.assert_array_equal(twin.encode(images, snr_db=0.0), expected)


@pytest.fixture(scope="module")
def small():
    """An architecture and arrays that fit it."""
    architecture = CodecArchitecture(
        encoder=ENCODERS["student-32"], channel=CHANNELS["cat"], classes=5
    )
    return architecture, arrays_of(TransmitterCodec(architecture))


BAD_ARRAYS = {
    "missing": ("encoder.stem.conv1.weight", None, "is missing"),
    "shape": ("encoder.pool.position", np.zeros((2, 2), np.float32), "has shape"),
    "integers": ("channel_encoder.reduce.bias", np.zeros(51, np.int64), "is int64|has shape"),
    "too large": ("encoder.stem.bn1.bias", np.full(16, 1e300), "does not fit float32"),
    "count": ("encoder.stem.bn1.num_batches_tracked", np.zeros((), np.float32), "is float32"),
    "unknown": ("encoder.more", np.zeros(3, np.float32), "belong to no part"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_refuses_weights_that_do_not_fit(case, small):
    name, array, complaint = BAD_ARRAYS[case]
    architecture, arrays = small
    changed = {key: value for key, value in arrays.items() if key != name}
    if array is not None:
        changed[name] = array
    with pytest.raises(CheckpointError, match=complaint):
        build_model(architecture, changed)


def test_single_and_half_precision_arrays_mean_what_they_mean_to_torch(small):
    architecture, arrays = small
    halves = {
        name: array.astype(np.float16) if array.dtype == np.float32 else array
        for name, array in arrays.items()
    }
    wide = {
        name: array.astype(np.float64) if array.dtype == np.float16 else array
        for name, array in halves.items()
    }
    assert build_model(architecture, halves) == build_model(architecture, wide)


def test_refuses_a_model_of_timm():
    encoder = TimmEncoderArchitecture(input=InputSpec(size=224), model="vit", feature_dim=DIM)
    architecture = CodecArchitecture(encoder=encoder, channel=CHANNELS["cat"], classes=5)
    with pytest.raises(ConfigurationError, match="set engine torch"):
        build_model(architecture, {})


@pytest.mark.parametrize(
    ("engine", "module", "extra"),
    [("onnxruntime", "onnxruntime", "edge"), ("torch", "torch", "transmitter")],
)
def test_engine_that_is_not_installed_is_named_with_its_extra(engine, module, extra, monkeypatch):
    for name in [*sys.modules]:
        if name.startswith(("transmitters.onnx", "transmitters.codec", "semcom.onnx")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"needs {module}: .*\[{extra}\]"):
        codec_loader(engine, threads=1)
