"""The family `label`: its codes, its files, and both halves of a codec on both engines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from channel_sim.channels import Codewords
from channel_sim.passing import pass_frame
from orchestrator.cli.main import app
from orchestrator.training.reference import evaluate
from semcom.channel_choice import read_channel
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families.label import CODE, LabelArchitecture, read_arrays
from semcom.families.label_code import check_code, dimensions, label_code
from semcom.families.label_making import make_label_codec
from semcom.points import PointSpec
from semcom.shards import Shard
from semcom.tasks.label_bound import label_bound
from tests.conftest import REPO
from tests.semcom.small_codec import ARCHITECTURE, fitting_arrays, write_small_codec

IMAGES = 300


@pytest.fixture(scope="module")
def label(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("label") / "shapes10-label"
    return make_label_codec(open_checkpoint(REPO / "codecs" / "shapes10"), folder)


def items(workplace) -> np.ndarray:
    return Shard(workplace / "data" / "shapes10", "test").items[:IMAGES]


@given(
    code=st.sampled_from(["simplex", "biorthogonal"]),
    classes=st.integers(2, 60),
    extra=st.integers(0, 20),
)
def test_codewords_have_unit_power_and_are_as_far_apart_as_their_code(code, classes, extra):
    symbols = (dimensions(code, classes) + 1) // 2 + extra
    reals = label_code(code, classes=classes, symbols=symbols)
    assert (reals.shape, reals.dtype) == ((classes, 2 * symbols), np.float32)
    np.testing.assert_allclose(np.square(reals).sum(axis=1), symbols, rtol=1e-5)
    check_code(code, reals)
    correlations = (reals @ reals.T)[~np.eye(classes, dtype=bool)] / symbols
    if code == "simplex":
        np.testing.assert_allclose(correlations, -1 / (classes - 1), atol=1e-4)
    else:
        assert correlations.max() < 1e-4
    spoilt = reals.copy()
    spoilt[0] *= 0.9
    with pytest.raises(CheckpointError, match=f"not a {code} code"):
        check_code(code, spoilt)


def test_too_few_symbols_are_refused_in_one_line():
    with pytest.raises(ConfigurationError, match="simplex code of 200 classes needs 100 symbols"):
        label_code("simplex", classes=200, symbols=99)


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_sends_the_class_that_its_source_answers_without_noise(label, workplace, engine):
    source = open_checkpoint(REPO / "codecs" / "shapes10")
    shard = Shard(workplace / "data" / "shapes10", "test")
    expected = evaluate(source, shard, None, link="a", images=IMAGES).answers
    symbols = label.load_transmitter(engine=engine).encode(items(workplace), snr_db=-20.0)
    snrs = np.full(IMAGES, 30.0, np.float32)
    found = label.load_receiver(engine=engine).decode(
        symbols, None, snr_db_N=snrs, equalizer="zero_forcing"
    )
    np.testing.assert_array_equal(found.argmax(axis=1), expected)
    assert np.unique(expected).size == 10


@pytest.mark.parametrize("system", ["rkd-sc", "jscc-student"])
@pytest.mark.parametrize("tx_csi", [False, True])
def test_both_engines_agree_for_any_source_of_the_papers(tmp_path, system, tx_csi):
    channel = ARCHITECTURE.channel.model_copy(update={"system": system, "tx_csi": tx_csi})
    architecture = ARCHITECTURE.model_copy(update={"channel": channel})
    arrays = {end: fitting_arrays(end, architecture) for end in ("transmitter", "receiver")}
    source = write_small_codec(tmp_path / "a", architecture=architecture, **arrays)
    # So few reals hold no simplex of ten classes.
    made = make_label_codec(source, tmp_path / "b", symbols=5)
    assert made.manifest.architecture["code"] == "simplex"
    assert make_label_codec(source, tmp_path / "c", symbols=3).manifest.architecture["code"] == (
        "biorthogonal"
    )
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    torch_, onnx = (
        made.load_transmitter(engine=engine).encode(images, snr_db=0.0)
        for engine in ("torch", "onnxruntime")
    )
    np.testing.assert_array_equal(torch_, onnx)


@pytest.mark.parametrize("channel", [{"model": "awgn"}, {"model": "rayleigh"}])
def test_simulated_codec_reaches_the_bound(label, channel):
    """Every class sent as often; over the channel as drawn, the share received is the formula's."""
    count, snr_db = 6000, -6.0
    code = read_arrays_of(label)
    sent = np.arange(count) % 10
    symbols = np.ascontiguousarray(code[sent]).view(np.complex64)
    point = PointSpec(channel=read_channel(channel, where="test"), snr_db=snr_db)
    passed = pass_frame(Codewords(point, "a", 0, count, b""), symbols)
    found = label.load_receiver().decode(
        passed.received_BK, passed.csi_BM,
        snr_db_N=np.full(count, snr_db, np.float32), equalizer=passed.equalizer,
    )  # fmt: skip
    share = float((found.argmax(axis=1) == sent).mean())
    expected = label_bound(
        1.0, snr_db, classes=10, symbols=label.manifest.symbols, channel=channel["model"]
    )
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / count))


def test_a_gain_for_every_symbol_is_weighed_by_its_power(label):
    code = read_arrays_of(label).astype(np.float64).view(np.complex128)
    gains = np.zeros((1, code.shape[1]), np.complex64)
    gains[0, : code.shape[1] // 2] = 2j
    noise = np.zeros_like(gains)
    noise[0, code.shape[1] // 2 :] = 50.0  # where nothing arrives but noise
    received = (gains * code[7] + noise).astype(np.complex64)
    found = label.load_receiver().decode(
        received, gains, snr_db_N=np.zeros(1, np.float32), equalizer="zero_forcing"
    )
    assert found.argmax() == 7


def read_arrays_of(label: Checkpoint) -> np.ndarray:
    architecture = LabelArchitecture.model_validate(label.manifest.architecture)
    return read_arrays(architecture, "receiver", label.read_half("receiver"))[CODE]


def test_manifest_that_disagrees_with_itself_is_refused(label):
    for change in ({"symbols": 12}, {"needs_snr": True}):
        manifest = label.manifest.model_copy(update=change)
        with pytest.raises(CheckpointError):
            Checkpoint(label.folder, manifest).verify()


def test_command_makes_verifies_and_lists_a_label_codec(tmp_path):
    def run(*words: str):
        return CliRunner().invoke(app, ["checkpoints", *words, "--codecs", str(tmp_path)])

    done = run("label", "shapes10")
    assert done.exit_code == 0, done.output
    assert "shapes10-label: 13 symbols" in done.output
    done = run("verify", "shapes10-label")
    assert "shapes10-label: ok" in done.output
    again = run("label", "shapes10")
    assert isinstance(again.exception, CheckpointError)
    assert "already holds a codec" in str(again.exception)
    few = run("label", "shapes100", "--symbols", "30")
    assert few.exit_code == 0
    made = open_checkpoint(tmp_path / "shapes100-label").manifest
    assert (made.symbols, made.architecture["code"]) == (30, "biorthogonal")
    none = run("label", "shapes100", "--name", "x", "--symbols", "30", "--code", "simplex")
    assert isinstance(none.exception, ConfigurationError)
    assert "needs 50 symbols, not 30" in str(none.exception)
    of_label = run("label", "shapes10-label")
    assert isinstance(of_label.exception, CheckpointError)
