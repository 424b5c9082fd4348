"""What equalisers do to the shipped codecs: none that keeps the symbols' scale costs answers.

Every codec is judged by itself: an answer counts where it is that of the noise-free link, so that
no data set is needed but drawn images.
"""

from __future__ import annotations

from functools import cache
from math import sqrt
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from channel_sim.channels import Codewords
from channel_sim.passing import pass_frame
from receiver.onnx_decoder import OnnxDecoder
from semcom.channel_choice import read_channel
from semcom.checkpoints import open_checkpoint
from semcom.families import ReceiverHalf
from semcom.points import EqualizerMethod, PointSpec
from semcom.shards import Shard

SHIPPED = ["cifar10", "cifar100", "shapes10", "shapes100", "shapes200", "tiny-imagenet"]
IMAGES = 200
SNR_DB = 10.0  # of the reference: what an equaliser could spoil is there to be spoilt
KEPT = [name for name in get_args(EqualizerMethod) if name != "mmse"]
FADING = {"model": "rayleigh"}
PER_SYMBOL = {"model": "tdl", "profile": "tdl-c", "delay_spread_ns": 1000}
POINTS = [(FADING, -5.0), (FADING, 10.0), (PER_SYMBOL, -5.0), (PER_SYMBOL, 10.0)]


@cache
def sent(workplace: Path, name: str) -> tuple[np.ndarray, ReceiverHalf, np.ndarray]:
    """Return codewords, the receiving half, and the answers without noise."""
    checkpoint = open_checkpoint(workplace / "codecs" / name)
    images = Shard(workplace / "data" / "shapes10", "test").items[:IMAGES]
    symbols = checkpoint.load_transmitter(engine="onnxruntime").encode(images, snr_db=SNR_DB)
    half = checkpoint.load_receiver(engine="onnxruntime")
    assert isinstance(half, OnnxDecoder)
    snrs = np.full(IMAGES, 30.0, np.float32)
    clean = half.decode(symbols, None, snr_db_N=snrs, equalizer="zero_forcing")
    return symbols, half, clean.argmax(axis=1)


def right(workplace: Path, name: str, channel: dict, snr_db: float, equalizer: str) -> np.ndarray:
    symbols, half, expected = sent(workplace, name)
    settings = read_channel({**channel, "equalizer": equalizer}, where="test")
    point = PointSpec(channel=settings, snr_db=snr_db)
    passed = pass_frame(Codewords(point, "a", 0, IMAGES, b""), symbols)
    snrs = np.full(IMAGES, snr_db, np.float32)
    logits = half.decode(
        passed.received_BK, passed.csi_BM, snr_db_N=snrs, equalizer=passed.equalizer
    )
    return logits.argmax(axis=1) == expected


@pytest.mark.parametrize("name", SHIPPED)
def test_no_equaliser_is_worse_than_zero_forcing_beyond_its_interval(workplace, name):
    for channel, snr_db in POINTS:
        forced = right(workplace, name, channel, snr_db, "zero_forcing").astype(int)
        for equalizer in KEPT:
            gain = right(workplace, name, channel, snr_db, equalizer) - forced
            error = sqrt(gain.var() / IMAGES)  # the same images and the same noise
            assert gain.mean() >= -1.96 * error, (channel, snr_db, equalizer)


def test_biased_mmse_costs_answers_and_unbiased_mmse_gains_some(workplace):
    def share(channel: dict, equalizer: str) -> float:
        return right(workplace, "shapes100", channel, -5.0, equalizer).mean()

    assert share(FADING, "mmse") < share(FADING, "zero_forcing") - 0.02
    assert share(PER_SYMBOL, "unbiased_mmse") > share(PER_SYMBOL, "zero_forcing") + 0.05
    assert share(PER_SYMBOL, "unbiased_mmse") > share(PER_SYMBOL, "mmse")
