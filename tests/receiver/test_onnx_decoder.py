"""The receiver without torch computes what torch computes, and is refused where torch's is."""

from __future__ import annotations

import re
import sys
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from receiver import equalizer, numpy_equalizer
from receiver.codec import ReceiverCodec
from receiver.engine import codec_loader
from receiver.onnx_decoder import OnnxDecoder, build_model
from receiver.settings import ReceiverSettings
from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.checkpoints import open_checkpoint
from semcom.errors import CheckpointError, ConfigurationError
from semcom.points import SNR_MAX_DB, SNR_MIN_DB, EqualizerMethod
from semcom.settings import validate

SHIPPED = ["cifar10", "cifar100", "shapes10", "shapes100", "shapes200", "tiny-imagenet"]
TOLERANCE = 1e-4  # of logits
DIM, CLASSES = 64, 7
CHANNELS = {
    "cat": ChannelCodecArchitecture(feature_dim=DIM, ffn_dim=96, compression_ratio=0.2),
    "odd-codeword": ChannelCodecArchitecture(feature_dim=DIM, ffn_dim=32, compression_ratio=0.6),
    "direct": ChannelCodecArchitecture(system="jscc-student", feature_dim=DIM),
    "ordered": ChannelCodecArchitecture(feature_dim=DIM, ffn_dim=32, increments=(3, 4, 9)),
}
ADDRESS = "tcp://127.0.0.1:1"


def complex_normals(dice: np.random.Generator, *shape: int) -> np.ndarray:
    reals = dice.standard_normal((*shape, 2), np.float32) * np.float32(0.5**0.5)
    return reals.view(np.complex64)[..., 0]


def received(images: int, symbols: int, columns: int, seed: int = 0):
    """Received symbols, channel state of so many columns (0: none), and SNRs of all kinds."""
    dice = np.random.default_rng(seed)
    csi = complex_normals(dice, images, columns) if columns else None
    snrs = dice.uniform(SNR_MIN_DB, SNR_MAX_DB, images).astype(np.float32)
    return complex_normals(dice, images, symbols), csi, snrs


def architecture_of(channel: ChannelCodecArchitecture) -> CodecArchitecture:
    encoder = EncoderArchitecture(
        input=InputSpec(size=32), stem_conv_stride=1, depths=(1, 1, 1, 1), width=0.5,
        feature_dim=DIM, heads=4,
    )  # fmt: skip
    return CodecArchitecture(encoder=encoder, channel=channel, classes=CLASSES)


def random_codec(channel: ChannelCodecArchitecture) -> ReceiverCodec:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        codec = ReceiverCodec(architecture_of(channel))
    for module in codec.modules.values():
        module.eval().requires_grad_(False)
    return codec


def arrays_of(codec: ReceiverCodec) -> dict[str, np.ndarray]:
    return {
        f"{prefix}.{name}": tensor.numpy().copy()
        for prefix, module in codec.modules.items()
        for name, tensor in module.state_dict().items()
    }


def twin_of(codec: ReceiverCodec) -> OnnxDecoder:
    model = build_model(codec.architecture, arrays_of(codec))
    return OnnxDecoder(codec.architecture, model, threads=1)


@pytest.mark.parametrize("equalizing", get_args(EqualizerMethod))
@pytest.mark.parametrize("channel", CHANNELS)
def test_graph_computes_what_torch_computes(channel, equalizing):
    codec = random_codec(CHANNELS[channel])
    twin, symbols = twin_of(codec), CHANNELS[channel].symbols
    for images, columns in ((1, 0), (5, 1), (3, symbols), (4, 3)):
        given = received(images, symbols, columns)
        expected, found = (
            each.decode(given[0], given[1], snr_db_N=given[2], equalizer=equalizing)
            for each in (codec, twin)
        )
        assert (found.dtype, found.shape) == (np.float32, (images, CLASSES))
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * scale)


def test_both_engines_are_told_how_much_of_an_ordered_codeword_came():
    codec = random_codec(CHANNELS["ordered"])
    twin = twin_of(codec)
    symbols, csi, snrs = received(7, 16, 1)
    used = np.array([0, 2, 3, 6, 7, 15, 16], dtype=np.uint16)
    symbols[np.arange(16) >= used[:, None]] = 0
    given = {"snr_db_N": snrs, "equalizer": "zero_forcing"}
    expected = codec.decode(symbols, csi, **given, used_N=used)
    np.testing.assert_allclose(twin.decode(symbols, csi, **given, used_N=used), expected, atol=1e-4)
    whole = codec.decode(symbols, csi, **given)
    assert np.array_equal(whole[-1], expected[-1])
    assert np.abs(whole - expected)[:-1].max(axis=1).min() > 1e-4, "the count has an effect"


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_codecs_give_the_logits_and_classes_of_torch(name, workplace):
    checkpoint = open_checkpoint(workplace / "codecs" / name)
    symbols = checkpoint.manifest.symbols
    halves = [
        checkpoint.load_receiver(),
        codec_loader("onnxruntime", device="cpu", threads=1)(checkpoint),
    ]
    assert isinstance(halves[1], OnnxDecoder)
    for columns in (0, 1):
        given = received(300, symbols, columns, seed=columns)
        expected, found = (
            half.decode(given[0], given[1], snr_db_N=given[2], equalizer="mmse") for half in halves
        )
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
        highest = np.sort(expected, axis=1)
        clear = highest[:, -1] - highest[:, -2] > 2 * TOLERANCE
        assert clear.mean() > 0.98
        np.testing.assert_array_equal(found.argmax(1)[clear], expected.argmax(1)[clear])


def test_same_frame_is_the_same_answer_each_time_and_may_not_be_written():
    codec = random_codec(CHANNELS["cat"])
    symbols, csi, snrs = received(6, CHANNELS["cat"].symbols, 1)
    for array in (symbols, csi, snrs):
        array.setflags(write=False)
    decode = [twin_of(codec).decode for _ in range(2)]
    answers = [each(symbols, csi, snr_db_N=snrs, equalizer="mmse") for each in (*decode, decode[0])]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])


@given(
    columns=st.sampled_from([0, 1, 2, 4, 8]),
    method=st.sampled_from(get_args(EqualizerMethod)),
    seed=st.integers(0, 2**32 - 1),
    faded=st.booleans(),
)
def test_equalizers_agree(columns, method, seed, faded):
    symbols, csi, snrs = received(5, 8, columns, seed)
    if faded and csi is not None:
        csi[0] = 0
    noise = np.power(np.float32(10), -snrs / np.float32(10))[:, None]
    expected = equalizer.equalize(
        torch.from_numpy(symbols),
        None if csi is None else torch.from_numpy(csi),
        method=method,
        noise_power=torch.from_numpy(noise),
    ).numpy()
    found = numpy_equalizer.equalize(symbols, csi, method=method, noise_power_B1=noise)
    assert found.dtype == np.complex64
    scale = np.abs(expected).max(axis=1, keepdims=True)
    assert np.all(np.abs(found - expected) <= 1e-5 * scale)


@given(
    method=st.sampled_from(["unbiased_mmse", "regularized_zero_forcing"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_engines_weigh_a_gain_per_symbol_with_the_same_bits(method, seed):
    symbols, csi, snrs = received(5, 8, 8, seed)
    noise = numpy_equalizer.noise_power(snrs)
    by_numpy = numpy_equalizer.equalize(symbols, csi, method=method, noise_power_B1=noise)
    by_torch = equalizer.equalize_arrays(
        symbols, csi, snr_db_N=torch.from_numpy(snrs), method=method
    )
    assert by_torch.numpy().tobytes() == by_numpy.tobytes()


@pytest.mark.parametrize(
    ("name", "array", "complaint"),
    [
        ("decoder.reduce.bias", None, "is missing"),
        ("head.linear.bias", np.zeros(3, np.float32), "has shape"),
        ("decoder.block0.up.bias", np.full(96, np.nan, np.float32), "NaN or Inf"),
        ("decoder.more", np.zeros(3, np.float32), "belong to no part"),
    ],
)
def test_refuses_weights_that_do_not_fit(name, array, complaint):
    codec = random_codec(CHANNELS["cat"])
    arrays = {key: value for key, value in arrays_of(codec).items() if key != name}
    if array is not None:
        arrays[name] = array
    with pytest.raises(CheckpointError, match=complaint):
        build_model(codec.architecture, arrays)


def test_refuses_a_codec_that_decodes_to_nothing_of_use(workplace, monkeypatch):
    checkpoint = open_checkpoint(workplace / "codecs" / "shapes10")
    arrays = dict(checkpoint.read_weights("receiver"))
    arrays["head.linear.weight"] = np.full(arrays["head.linear.weight"].shape, 3e38, np.float32)
    monkeypatch.setattr(type(checkpoint), "read_weights", lambda self, end: arrays)
    with pytest.raises(CheckpointError, match="decodes to NaN or Inf"):
        checkpoint.load_receiver(engine="onnxruntime")


@pytest.mark.parametrize(
    ("engine", "module", "extra"),
    [("onnxruntime", "onnxruntime", "edge"), ("torch", "torch", "receiver")],
)
def test_engine_that_is_not_installed_is_named_with_its_extra(engine, module, extra, monkeypatch):
    for name in [*sys.modules]:
        if name.startswith(("receiver.onnx", "semcom.onnx")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"needs {module}: .*\[{extra}\]"):
        codec_loader(engine, device="cpu", threads=1)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_only_torch_computes_on_another_device(device, workplace):
    line = f"device {device}: engine onnxruntime computes only on the CPU"
    with pytest.raises(ConfigurationError, match=line):
        codec_loader("onnxruntime", device=device, threads=1)
    checkpoint = open_checkpoint(workplace / "codecs" / "shapes10")
    with pytest.raises(ConfigurationError, match=line):
        checkpoint.load_receiver(engine="onnxruntime", device=device)
    section = {"downlink": ADDRESS, "engine": "onnxruntime", "device": device}
    with pytest.raises(ConfigurationError, match=re.escape(line)):
        validate(ReceiverSettings, section, where="processes.yaml")


def test_auto_is_the_processor_for_onnx_runtime(workplace):
    checkpoint = open_checkpoint(workplace / "codecs" / "shapes10")
    load = codec_loader("onnxruntime", device="auto", threads=1)
    assert isinstance(load(checkpoint), OnnxDecoder)
