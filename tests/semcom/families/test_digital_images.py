"""Codecs of images of the family `digital`: both halves, their modes, their command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

pytest.importorskip("sionna", reason="sionna-no-rt is not installed: pip install 'rkd-sc[digital]'")

from orchestrator.cli.main import app
from orchestrator.plan import block_errors as module
from orchestrator.training.block_error_process import curve
from orchestrator.training.reference import evaluate
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.codec_arrays import format_arrays
from semcom.errors import CheckpointError, ConfigurationError, ProcessFailedError
from semcom.families.digital import DigitalArchitecture, ImageSource, Mode
from semcom.families.digital_image_making import ImageChoice, make_image_codec
from semcom.families.image_formats import compress_to_fit, decompress
from semcom.families.image_modes import Candidate, Curve, candidates, choose
from semcom.points import ChannelSettings, PointSpec
from semcom.shards import Shard

SYMBOLS = 512


def some_curves(codes):
    """Errors that fall from 1 to 0 within 2 dB, a little above what the channel could carry."""
    lowest = [round(10 * np.log10(2.0 ** (8 * c.block_bytes / SYMBOLS) - 1) + 2) for c in codes]
    return [Curve((low, low + 1, low + 2), (1.0, 0.3, 0.0)) for low in lowest]


@pytest.fixture(scope="module")
def shard(workplace: Path) -> Shard:
    return Shard(workplace / "data" / "shapes10", "test")


@pytest.fixture(scope="module")
def codec(shard: Shard, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    choice = ImageChoice(kind="vp8", symbols=SYMBOLS, images=12)
    folder = tmp_path_factory.mktemp("digital") / "vp8"
    return make_image_codec(shard, folder, choice, measure=some_curves)


def source_of(codec: Checkpoint) -> ImageSource:
    source = DigitalArchitecture.model_validate(codec.manifest.architecture).source
    assert isinstance(source, ImageSource)
    return source


def at(snr_db: float, model: str = "awgn") -> PointSpec:
    return PointSpec(snr_db=snr_db, channel=ChannelSettings(model=model))


def test_answers_without_errors_are_the_files_that_fit(codec, shard):
    """Below the SNR of every mode that gets through, the answer is the mean colour."""
    found = evaluate(codec, shard, at(25.0), link="a", images=8)
    mode = source_of(codec).mode_at(25.0)
    for image, answer in zip(shard.items[:8], found.answers, strict=True):
        content = compress_to_fit(image, "vp8", mode.block_bytes)
        np.testing.assert_array_equal(answer, decompress(content, "vp8", (32, 32)))
    lost = evaluate(codec, shard, at(-10.0), link="a", images=4).answers
    mean = np.rint(shard.items.mean(axis=(0, 1, 2)))
    np.testing.assert_array_equal(lost, np.broadcast_to(mean, lost.shape))


def test_quality_follows_the_snr_and_fades_cost(codec, shard):
    psnr = [
        evaluate(codec, shard, at(snr_db, model), link="a", images=16).value
        for snr_db, model in ((8.0, "awgn"), (24.0, "awgn"), (24.0, "rayleigh"))
    ]
    assert psnr[0] + 3 < psnr[1]
    assert psnr[2] < psnr[1]


def test_answer_depends_on_its_own_symbols_alone(codec, shard):
    """At the SNR at which a mode begins, where some blocks fail: alone or together."""
    items = np.array(shard.items[:10])
    mode = source_of(codec).modes[-1]
    snr_db = mode.snr_db - 4.0
    n0 = 10 ** (-mode.snr_db / 10)
    assert source_of(codec).mode_at(snr_db) != mode
    noise = np.random.default_rng(3).standard_normal((10, 2 * SYMBOLS)).view(complex)
    symbols = codec.load_transmitter().encode(items, snr_db=mode.snr_db)
    np.testing.assert_allclose(np.square(np.abs(symbols)).mean(axis=1), 1.0, rtol=1e-5)
    received = (symbols + np.sqrt(n0 / 2) * noise).astype(np.complex64)
    snrs = np.full(10, mode.snr_db, np.float32)
    snrs[3] = snr_db
    receiver = codec.load_receiver()
    together = receiver.decode(received, None, snr_db_N=snrs, equalizer="zero_forcing")
    for row in range(10):
        alone = receiver.decode(
            received[row : row + 1], None, snr_db_N=snrs[row : row + 1], equalizer="mmse"
        )
        np.testing.assert_array_equal(alone[0], together[row])
    assert len(np.unique(together[3].reshape(-1, 3), axis=0)) == 1, "decoded by another mode"


def test_both_ends_find_the_same_mode_of_any_snr(codec):
    source = source_of(codec)
    for snr_db in np.random.default_rng(0).uniform(-20, 40, 200):
        assert source.mode_at(float(snr_db)) == source.mode_at(float(np.float32(snr_db)))
    assert source.mode_at(-90.0) == source.modes[0]
    assert source.mode_at(90.0) == source.modes[-1]


def test_modes_are_the_best_of_the_list_for_their_channel():
    codes = candidates(SYMBOLS)
    rated = [
        (code, errors, 10.0 + 3 * np.log2(code.block_bytes))
        for code, errors in zip(codes, some_curves(codes), strict=True)
    ]
    modes = choose(rated, failed_psnr_db=12.0, channel="awgn")
    assert [mode.snr_db for mode in modes] == sorted({mode.snr_db for mode in modes})
    sizes = [mode.block_bytes for mode in modes]
    assert sizes == sorted(sizes)
    assert (modes[-1].bits_per_symbol, modes[-1].block_bytes) == (6, 353)
    faded = choose(rated, failed_psnr_db=12.0, channel="rayleigh")
    # A fade of 10 dB has a probability of 10 %: less is sent at the same mean SNR.
    for snr_db in (10.0, 15.0, 20.0):
        best = [
            ImageSource(kind="webp", symbols=SYMBOLS, modes=each).mode_at(snr_db).block_bytes
            for each in (modes, faded)
        ]
        assert best[1] < best[0]


@given(snr_db=st.floats(-20, 40), spread=st.integers(1, 5))
def test_share_over_fading_is_that_of_the_exponential_gain(snr_db, spread):
    """A step at S dB fails where the gain is below it: with probability 1 - exp(-10^(d / 10))."""
    step = Curve((5.0, 5.0 + 1e-6 * spread), (1.0, 0.0))
    expected = 1 - np.exp(-(10 ** ((5.0 - snr_db) / 10)))
    assert step.over("rayleigh", snr_db) == pytest.approx(expected, abs=1e-3)


def test_errors_fall_from_all_to_none_above_the_capacity():
    """QPSK of rate 1/2 needs more than 0 dB; a block of 128 symbols gets through at 5 dB."""
    points = curve(128, 2, 16, blocks=12)
    assert points[0] == [0, 1.0]
    assert points[-1][1] == 0.0
    assert 1 <= points[-1][0] <= 5
    assert [snr_db for snr_db, _ in points] == list(range(points[-1][0] + 1))


@pytest.mark.parametrize("symbols", [8, 64, 512, 2048, 4096])
def test_modes_of_any_length_are_codes_of_5g_nr(symbols):
    for code in candidates(symbols):
        mode = Mode(snr_db=0, bits_per_symbol=code.bits_per_symbol, block_bytes=code.block_bytes)
        assert ImageSource(kind="webp", symbols=symbols, modes=(mode,)).modes == (mode,)


def test_architecture_that_cannot_be_sent_is_refused():
    mode = Mode(snr_db=0, bits_per_symbol=2, block_bytes=64)
    for modes in ((), (mode, mode), (mode.model_copy(update={"block_bytes": 300}),)):
        with pytest.raises(ValidationError):
            ImageSource(kind="webp", symbols=SYMBOLS, modes=modes)


def test_manifest_images_or_file_that_do_not_fit_are_refused(codec):
    for change in ({"symbols": 8}, {"needs_snr": False}, {"variable_length": True}):
        with pytest.raises(CheckpointError):
            Checkpoint(codec.folder, codec.manifest.model_copy(update=change)).verify()
    for array in (np.zeros(4, np.uint8), np.zeros(3, np.float32)):
        with pytest.raises(CheckpointError):
            codec.manifest.family.check_content(
                codec.manifest, "receiver", format_arrays({"mean": array})
            )
    with pytest.raises(CheckpointError, match="takes images"):
        codec.load_transmitter().encode(np.zeros((1, 64, 64, 3), np.uint8), snr_db=0.0)


def test_too_few_symbols_for_a_block_are_told(shard, tmp_path, monkeypatch):
    monkeypatch.setattr("semcom.families.digital_image_making.candidates", lambda symbols: [])
    with pytest.raises(ConfigurationError, match="no block of 5G NR has 3 symbols"):
        make_image_codec(
            shard, tmp_path / "x", ImageChoice(kind="webp", symbols=3), measure=some_curves
        )


def test_command_makes_a_codec_whose_modes_decide_its_digest(workplace, tmp_path, monkeypatch):
    def run(*words: str):
        folders = ["--data", str(workplace / "data"), "--codecs", str(tmp_path)]
        return CliRunner().invoke(app, ["checkpoints", "digital", *words, *folders])

    asked = []

    def measured(codes, *, symbols, blocks):
        asked.append((symbols, blocks))
        return some_curves(codes)

    monkeypatch.setattr("orchestrator.cli.digital_commands.block_errors", measured)
    wanted = ("--data-set", "shapes10", "--source", "webp", "--images", "3")
    for name, more in (("a", ()), ("b", ()), ("c", ("--channel", "rayleigh"))):
        done = run(name, *wanted, *more)
        assert done.exit_code == 0, done.output
    digests = [open_checkpoint(tmp_path / name).digest for name in "abc"]
    assert digests[0] == digests[1] != digests[2]
    assert asked == [(512, 100)] * 3
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["training"]["library"].startswith("Pillow ")
    assert manifest["needs_snr"] is True
    for words in (
        ("d", *wanted, "--modulation", "qpsk"),
        ("d", "--data-set", "shapes10", "--source", "huffman", "--symbols", "9"),
    ):
        assert isinstance(run(*words).exception, ConfigurationError)


def test_process_that_cannot_measure_says_why(monkeypatch):
    def failing(*words, **options):
        class Done:
            returncode, stderr = 2, "log\nerror: it needs sionna-no-rt\n"

        return Done()

    monkeypatch.setattr(module, "run_module", failing)
    with pytest.raises(ProcessFailedError, match=r"^it needs sionna-no-rt"):
        module.block_errors([Candidate(2, 16)], symbols=64, blocks=10)
