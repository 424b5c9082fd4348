"""Codecs of sentences of the family `digital`: both halves, their files, their command."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("sionna", reason="sionna-no-rt is not installed: pip install 'rkd-sc[digital]'")

from orchestrator.cli.main import app
from orchestrator.datasets.drawn_sentences import prepare_sentences
from orchestrator.training.reference import evaluate
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.codec_arrays import format_arrays, parse_arrays
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families.digital import DigitalArchitecture, rate_codewords, read_sentence_code
from semcom.families.digital_making import make_sentence_codec
from semcom.nn import block_code as module
from semcom.nn.block_code import block_code
from semcom.points import ChannelSettings, PointSpec
from semcom.text_shards import TextShard
from semcom.vocabulary import END, PAD
from tests.semcom.families.text_codecs import architecture, halves

KINDS = ("huffman", "five-bit", "word-huffman")
SPEC_BLOCKS = 200


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digital")
    prepare_sentences(folder / "sentences", train=2000, test=60)
    return folder


@pytest.fixture(scope="module")
def test_shard(data: Path) -> TextShard:
    return TextShard(data / "sentences", "test")


@pytest.fixture(scope="module")
def codecs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    shard, folder = TextShard(data / "sentences", "train"), tmp_path_factory.mktemp("codecs")
    return {kind: make_sentence_codec(shard, folder / kind, kind=kind) for kind in KINDS}


def noisy(codec: Checkpoint, items: np.ndarray, n0: float = 0.2) -> np.ndarray:
    symbols = codec.load_transmitter().encode(items, snr_db=0.0)
    noise = (
        np.random.default_rng(5).standard_normal((*symbols.shape, 2)).view(np.complex128)[..., 0]
    )
    return (symbols + np.sqrt(n0 / 2) * noise).astype(np.complex64)


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_only_sentences_that_are_cut_differ(codecs, test_shard, kind):
    codec, items = codecs[kind], np.array(test_shard.items)
    answers = evaluate(codec, test_shard, None, link="a", frame_images=25).answers
    source = DigitalArchitecture.model_validate(codec.manifest.architecture).source
    code = read_sentence_code(source, codec.read_half("receiver"))
    fits = []
    for row in items:
        words = row[row != PAD].tolist()
        needed = len(code.encode(words))
        fits.append(needed <= source.block_bits(len(words), source.rate_for(len(words), needed)))
    exact = (answers[:, : items.shape[1]] == items).all(axis=1)
    np.testing.assert_array_equal(exact, fits)
    assert kind == "five-bit" or exact.mean() > 0.9


def test_bits_of_a_word_are_fewer_the_more_both_ends_share(codecs):
    bits = {kind: codecs[kind].manifest.results["bits_per_word"] for kind in KINDS}
    assert bits["word-huffman"] < bits["huffman"] < bits["five-bit"]
    assert bits["word-huffman"] < 9.0


def test_sentences_have_as_many_symbols_as_those_of_a_learnt_codec(codecs, test_shard):
    made_of = architecture(vocabulary=len(test_shard.vocabulary), tokens=30, layers=1)
    learnt, _ = halves(made_of)
    items = np.array(test_shard.items[:20])
    for codec in codecs.values():
        half = codec.load_transmitter()
        used = half.used_symbols(items)
        np.testing.assert_array_equal(used, learnt.used_symbols(items))
        symbols = half.encode(items, snr_db=0.0)
        for row, number in zip(symbols, used, strict=True):
            assert not row[number:].any()
            np.testing.assert_allclose(np.square(np.abs(row[:number])).mean(), 1.0, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_answer_depends_on_its_own_symbols_alone(codecs, test_shard, kind):
    """At an SNR at which some blocks fail: in any order, alone or together."""
    items = np.array(test_shard.items[:24])
    received = noisy(codecs[kind], items, n0=0.1 if kind != "word-huffman" else 0.75)
    used = codecs[kind].load_transmitter().used_symbols(items)
    receiver = codecs[kind].load_receiver()
    snrs = np.full(len(items), 10.0 if kind != "word-huffman" else 1.25, np.float32)

    def decoded(rows: np.ndarray) -> np.ndarray:
        return receiver.decode(
            received[rows], None, snr_db_N=snrs[rows], equalizer="mmse", used_N=used[rows]
        )

    together = decoded(np.arange(len(items)))
    order = np.random.default_rng(1).permutation(len(items))
    np.testing.assert_array_equal(decoded(order), together[order])
    for at in range(len(items)):
        np.testing.assert_array_equal(decoded(np.array([at]))[0], together[at])
    whole = (together[:, : items.shape[1]] == items).all(axis=1)
    assert 0 < whole.sum() < len(items)


def test_any_number_of_used_symbols_is_decoded(codecs):
    codec = codecs["word-huffman"]
    width = codec.manifest.symbols
    used = np.unique([*range(18), *range(20, width, 29), width]).astype(np.uint16)
    noise = np.random.default_rng(2).standard_normal((len(used), 2 * width), np.float32)
    ids = codec.load_receiver().decode(
        noise.view(np.complex64), None, snr_db_N=np.zeros(len(used), np.float32),
        equalizer="zero_forcing", used_N=used,
    )  # fmt: skip
    words = (ids != PAD).sum(axis=1)
    assert (words <= np.maximum(used // 8, 1) - 1).all()
    assert not words[:16].any()
    codec.manifest.task.check(codec.manifest.task.answers(ids))


def test_symbols_that_faded_count_less(codecs, test_shard):
    """Half of the symbols get nothing but noise; the receiver knows which."""
    items = np.array(test_shard.items[:6])
    codec = codecs["word-huffman"]
    half, receiver = codec.load_transmitter(), codec.load_receiver()
    used = half.used_symbols(items)
    gains = np.full((len(items), codec.manifest.symbols), 2j, np.complex64)
    gains[:, 9::8] = 0
    received = gains * half.encode(items, snr_db=0.0)
    received[:, 9::8] = 1.0
    ids = receiver.decode(
        received, gains, snr_db_N=np.full(len(items), 20.0, np.float32),
        equalizer="zero_forcing", used_N=used,
    )  # fmt: skip
    assert (ids[:, : items.shape[1]] == items).all()


def test_rates_have_codewords_of_unit_power_that_are_orthogonal_or_opposite():
    codewords = rate_codewords()
    products = (codewords @ codewords.conj().T).real / 8
    expected = np.eye(16) - np.kron(np.eye(8), np.array([[0, 1], [1, 0]]))
    np.testing.assert_allclose(products, expected, atol=1e-6)


@pytest.mark.parametrize("bits_per_symbol", [2, 4, 6])
def test_every_rate_of_every_length_is_a_code_of_5g_nr(codecs, bits_per_symbol):
    source = DigitalArchitecture.model_validate(codecs["huffman"].manifest.architecture).source
    source = source.model_copy(update={"bits_per_symbol": bits_per_symbol})
    for words in range(1, 256):
        n = source.coded_bits(words)
        k = [source.block_bits(words, rate) for rate in range(16)]
        assert k == sorted(k)
        assert k[0] >= 12
        assert k[0] / n >= 0.2
        assert k[-1] / n <= 0.92
        assert source.rate_for(words, k[3]) <= 3
        assert source.rate_for(words, k[-1] + 1) == 15
    code = block_code(source.block_bits(1, 15), source.coded_bits(1), bits_per_symbol)
    bits = np.ones(source.block_bits(1, 15), np.uint8)
    decoded = code.decode(code.encode(bits), np.full(8, 0.01, np.float32))
    assert decoded.valid
    np.testing.assert_array_equal(decoded.bits, bits)


@pytest.mark.parametrize(("snr_db", "low", "high"), [(9.0, 0.01, 0.09), (12.0, 0.0, 0.0)])
def test_block_errors_are_those_that_were_measured_before(snr_db, low, high):
    """152 symbols, 16-QAM, rate 5/8 over AWGN: 0.02 at 9 dB and 0.00 at 12 dB.

    Errors fall from 0.5 at 8 dB to 0 at 10 dB; of a thousand blocks, 0.04 fail at 9 dB here.
    """
    code, rng = block_code(380, 608, 4), np.random.default_rng(7)
    n0 = 10 ** (-snr_db / 10)
    noise = np.full(152, n0, np.float32)
    wrong = 0
    for _ in range(SPEC_BLOCKS):
        bits = rng.integers(0, 2, 380, np.uint8)
        received = code.encode(bits) + np.sqrt(n0 / 2) * rng.standard_normal(304).view(complex)
        decoded = code.decode(received.astype(np.complex64), noise)
        right = np.array_equal(decoded.bits, bits)
        assert decoded.valid <= right, "what passes all checks is what was sent"
        wrong += not right
    assert low <= wrong / SPEC_BLOCKS <= high


def test_noise_decides_how_many_sentences_arrive(codecs, test_shard):
    exact = [
        evaluate(
            codecs["word-huffman"], test_shard,
            PointSpec(snr_db=snr_db, channel=ChannelSettings(model="rayleigh")), link="a",
            images=40,
        ).score["exact"]
        for snr_db in (-5.0, 8.0, 30.0)
    ]  # fmt: skip
    assert exact[0] < exact[1] < exact[2]
    assert exact[2] >= 38


def test_what_the_codec_does_not_take_is_refused(codecs):
    half = codecs["huffman"].load_transmitter()
    vocabulary = codecs["huffman"].manifest.task.vocabulary
    for items, text in (
        (np.full((1, 30), 4, np.uint16), "takes sentences of"),
        (np.full((1, 3), vocabulary, np.uint16), "tokens, not token"),
        (np.zeros((1, 32, 32, 3), np.uint8), "takes sentences, not uint8"),
    ):
        with pytest.raises(CheckpointError, match=text):
            half.encode(items, snr_db=0.0)


def test_manifest_or_file_that_does_not_fit_is_refused(codecs, tmp_path):
    codec = codecs["five-bit"]
    task = codec.manifest.task
    for change in (
        {"symbols": 8}, {"needs_snr": True}, {"variable_length": False},
        {"task": task.model_copy(update={"longest": END + 1})},
    ):  # fmt: skip
        with pytest.raises(CheckpointError):
            Checkpoint(codec.folder, codec.manifest.model_copy(update=change)).verify()
    content = codec.read_half("receiver")
    arrays = parse_arrays(content)
    spoilt = dict(arrays, **{"code.lengths": arrays["code.lengths"] - 1})
    for held in (
        spoilt,
        {"vocabulary": arrays["vocabulary"]},
        dict(arrays, vocabulary=arrays["vocabulary"][:9]),
    ):
        with pytest.raises(CheckpointError):
            codec.manifest.family.check_content(codec.manifest, "receiver", format_arrays(held))


def test_missing_package_is_named_with_its_extra(codecs, monkeypatch):
    module.block_code.cache_clear()
    monkeypatch.setitem(sys.modules, "sionna.phy.fec.ldpc", None)
    monkeypatch.setitem(sys.modules, "sionna", None)
    with pytest.raises(ConfigurationError) as raised:
        codecs["huffman"].load_receiver()
    text = str(raised.value)
    assert text.startswith("a codec of the family digital needs sionna-no-rt: ")
    assert text.endswith("pip install 'rkd-sc[digital]'")


def test_command_makes_a_codec_and_tables_decide_its_digest(data, tmp_path):
    def run(*words: str):
        folders = ["--data", str(data), "--codecs", str(tmp_path)]
        return CliRunner().invoke(app, ["checkpoints", "digital", *words, *folders])

    wanted = ("--data-set", "sentences", "--source", "word-huffman")
    done = run("words", *wanted)
    assert done.exit_code == 0, done.output
    made = open_checkpoint(tmp_path / "words")
    assert (made.manifest.system, made.manifest.variable_length) == ("digital-word-huffman", True)
    again = run("words", *wanted)
    assert isinstance(again.exception, CheckpointError)
    shutil.rmtree(tmp_path / "words")
    assert run("words", *wanted).exit_code == 0
    assert open_checkpoint(tmp_path / "words").digest == made.digest
    other = run("other", *wanted, "--modulation", "16-qam")
    assert other.exit_code == 0, other.output
    assert open_checkpoint(tmp_path / "other").digest != made.digest
    assert isinstance(run("Bad Name", *wanted).exception, ConfigurationError)
