"""Manifests say how networks are built: enough to compute a codec from its folder alone."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    InputSpec,
    TimmEncoderArchitecture,
)
from semcom.checkpoints import open_checkpoint
from semcom.construction import construction_of
from tests.conftest import REPO
from tests.semcom.plain_codec import PlainCodec

SHIPPED = ["cifar10", "cifar100", "shapes10", "shapes100", "shapes200", "tiny-imagenet"]
IMAGES = 3
PLAIN = Path(__file__).with_name("plain_codec.py")


def test_it_is_computed_with_numpy_and_the_standard_library_alone():
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(PLAIN.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert imported == {"__future__", "json", "math", "pathlib", "numpy"}


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
@pytest.mark.parametrize("name", SHIPPED)
def test_codec_from_its_folder_alone_computes_what_the_engines_compute(name, engine):
    folder = REPO / "codecs" / name
    plain, checkpoint = PlainCodec(folder), open_checkpoint(folder)
    size = plain.architecture["encoder"]["input"]["size"]
    images = np.random.default_rng(1).integers(0, 256, (IMAGES, size, size, 3), np.uint8)
    symbols = checkpoint.load_transmitter(engine=engine).encode(images, snr_db=0.0)
    np.testing.assert_allclose(plain.encode(images), symbols, rtol=0, atol=2e-4)
    noise = np.random.default_rng(2).standard_normal(symbols.shape).astype(np.float32)
    for snr_db in (-10.0, 40.0):
        received = symbols + noise
        logits = checkpoint.load_receiver(engine=engine).decode(
            received, None, snr_db_N=np.full(IMAGES, snr_db, np.float32), equalizer="zero_forcing"
        )
        np.testing.assert_allclose(plain.decode(received, snr_db), logits, rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_manifests_tell_how_each_part_is_built(name):
    content = json.loads((REPO / "codecs" / name / "manifest.json").read_text())
    told = content["training"]["construction"]
    assert told == construction_of(open_checkpoint(REPO / "codecs" / name).architecture)
    for word in ("post-norm", "gelu", "1e-5", "8 heads", "float16", "running_var", "I and Q"):
        assert any(word in text for text in told.values()), word


def test_other_encoders_are_told_too():
    channel = ChannelCodecArchitecture(system="jscc-teacher")
    for encoder, word in (
        (ConvEncoderArchitecture(input=InputSpec(size=32)), "max pooling"),
        (ConvEncoderArchitecture(input=InputSpec(size=32), whiten=False, hidden=0), "mean of"),
        (TimmEncoderArchitecture(input=InputSpec(size=224), model="vit"), "create_model('vit'"),
    ):
        told = construction_of(CodecArchitecture(encoder=encoder, channel=channel, classes=10))
        assert word in told["encoder"]
        assert "the feature itself" in told["channel_encoder"]
        assert "block" not in told
