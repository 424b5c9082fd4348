"""Codecs of sentences: Table I, power, decoding with a cache, and what is stored."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save

from receiver.kd_semcom.codec import token_mask, token_reals
from receiver.kd_semcom.decoder import greedy
from semcom.checkpoints import weight_files, write_codec
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families.kd_semcom import KdSemcomArchitecture, read_arrays, shapes
from semcom.nn.weights import to_arrays
from semcom.row_quantization import dequantize, quantize
from semcom.vocabulary import END, PAD, START
from tests.semcom.families.text_codecs import architecture, halves, some_sentences, written
from transmitters.kd_semcom.codec import SentenceTransmitter

TABLE_I = [(4, "wide", 2_022_672), (2, "wide", 1_096_976), (2, "narrow", 946_704),
           (3, "deepsc", 1_462_928)]  # fmt: skip
CHANNELS = ["wide", "narrow", "deepsc"]


@pytest.mark.parametrize(("layers", "channel", "parameters"), TABLE_I)
def test_parameters_are_those_of_table_i(layers, channel, parameters):
    made_of = KdSemcomArchitecture(layers=layers, channel=channel, vocabulary=50)
    counted = 0
    for half in halves(made_of):
        for name, module in half.modules.items():
            counted += sum(
                each.numel()
                for inner, each in module.named_parameters()
                if not inner.startswith("embedding.") and name != "head"
            )
    assert counted == parameters == sum(made_of.counted().values())
    assert made_of.symbols == 240


@pytest.mark.parametrize("channel", CHANNELS)
def test_arrays_of_an_end_are_those_that_its_modules_hold(channel):
    made_of = architecture(channel=channel)
    for end, half in zip(("transmitter", "receiver"), halves(made_of), strict=True):
        held = {name: array.shape for name, array in to_arrays(half.modules).items()}
        assert held == dict(shapes(made_of, end))


def test_codeword_has_unit_power_over_what_is_used_and_is_zero_after_it():
    made_of = architecture()
    transmitter, _ = halves(made_of)
    words = some_sentences(made_of, 20)
    symbols, used = transmitter.encode(words, snr_db=0.0), transmitter.used_symbols(words)
    assert symbols.shape == (20, 80)
    assert symbols.dtype == np.complex64
    assert used.dtype == np.uint16
    assert (used == 8 * ((words != PAD).sum(axis=1) + 1)).all()
    for codeword, count in zip(symbols, used, strict=True):
        assert np.square(np.abs(codeword[:count])).mean() == pytest.approx(1, abs=1e-5)
        assert not codeword[count:].any()


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_batch_of_50_equals_50_batches_of_1_up_to_rounding(tmp_path, precision):
    made_of = architecture(precision=precision, channel="narrow")
    codec = written(tmp_path / "student", made_of)
    transmitter, receiver = codec.load_transmitter(), codec.load_receiver()
    words = some_sentences(made_of, 50)
    used = transmitter.used_symbols(words)
    together = transmitter.encode(words, snr_db=0.0)
    alone = np.concatenate([transmitter.encode(words[i : i + 1], snr_db=0.0) for i in range(50)])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    snr_db = np.full(50, 10, np.float32)
    decode = {"equalizer": "zero_forcing"}
    answers = receiver.decode(together, None, snr_db_N=snr_db, used_N=used, **decode)
    one_by_one = [
        receiver.decode(
            alone[i : i + 1], None, snr_db_N=snr_db[:1], used_N=used[i : i + 1], **decode
        )
        for i in range(50)
    ]
    assert (answers == np.concatenate(one_by_one)).mean() > 0.98  # an argmax of random weights
    assert answers.shape == (50, 10)


def plain_greedy(receiver, memory, there):
    """Decoding without a cache: the whole sentence again for every token."""
    lengths = there.sum(dim=1)
    inputs = torch.full((len(memory), 1), START)
    for _ in range(there.shape[1]):
        t = receiver.semantic_decoder(inputs, memory, there)
        inputs = torch.cat([inputs, receiver.head(t[:, -1]).argmax(dim=1, keepdim=True)], dim=1)
    tokens = inputs[:, 1:].clone()
    for row, length in zip(tokens, lengths, strict=True):
        ends = [int(at) for at in (row == END).nonzero()]
        row[min([*ends, int(length)]) :] = PAD
    return tokens


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_decoding_with_a_cache_equals_decoding_without(channel, bias):
    made_of = architecture(channel=channel)
    transmitter, receiver = halves(made_of)
    receiver.head.bias[END] += bias  # some sentences end early
    words = some_sentences(made_of, 30)
    symbols = torch.from_numpy(transmitter.encode(words, snr_db=0.0))
    there = token_mask(torch.from_numpy(transmitter.used_symbols(words).astype(int) // 8))
    memory = receiver.decoder(token_reals(symbols)[:, : there.shape[1]])
    with torch.inference_mode():
        cached = greedy(receiver.semantic_decoder, receiver.head, memory, there)
        plain = plain_greedy(receiver, memory, there)
    assert torch.equal(cached.long(), plain)
    assert not ((cached != PAD).sum(dim=1) > there.sum(dim=1)).any()


def test_networks_see_nothing_of_what_is_not_there():
    """Noise after the used symbols, and longer neighbours, change no answer."""
    made_of = architecture()
    transmitter, receiver = halves(made_of)
    words = some_sentences(made_of, 12, seed=4)
    used, symbols = transmitter.used_symbols(words), transmitter.encode(words, snr_db=0.0)
    noisy = symbols + np.where(np.arange(80) < used[:, None], 0, 3).astype(np.complex64)
    snr_db = np.zeros(12, np.float32)
    answers = [
        receiver.decode(each, None, snr_db_N=snr_db, equalizer="zero_forcing", used_N=used)
        for each in (symbols, noisy)
    ]
    np.testing.assert_array_equal(*answers)


def test_logits_that_are_not_finite_stay_visible():
    made_of = architecture()
    _, receiver = halves(made_of)
    receiver.head.bias[7] = np.inf
    symbols = np.ones((2, made_of.symbols), np.complex64)
    answers = receiver.decode(
        symbols, None, snr_db_N=np.zeros(2, np.float32), equalizer="zero_forcing"
    )
    assert np.isnan(answers).any(axis=1).all()


def test_rows_of_int8_are_within_half_a_step_of_what_they_stand_for():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(9, 33)).astype(np.float16) * np.logspace(-2, 1, 9)[:, None]
    matrix = np.concatenate([matrix, np.full((1, 33), 0.25)]).astype(np.float16)
    stored = quantize({"a.weight": matrix, "a.bias": matrix[0]})
    assert stored["a.weight"].dtype == np.int8
    assert stored["a.weight.scale"].shape == stored["a.weight.zero"].shape == (10,)
    plain = dequantize(stored)
    assert set(plain) == {"a.weight", "a.bias"}
    steps = np.ptp(matrix.astype(np.float32), axis=1) / 255
    error = np.abs(plain["a.weight"] - matrix.astype(np.float32))
    assert (error <= 1.01 * steps[:, None] + 1e-6).all()


def test_int8_codec_takes_a_quarter_of_the_bytes_of_float32(tmp_path):
    made_of = {"channel": "narrow", "width": 128, "inner": 512, "vocabulary": 500}
    half = written(tmp_path / "fp16", architecture(**made_of)).manifest.weights
    quarter = written(tmp_path / "int8", architecture(precision="int8", **made_of)).manifest.weights
    for end, file in quarter.items():
        assert 0.5 < file.bytes / half[end].bytes < 0.6


def damaged(folder, change):
    """A codec on disk with a changed array at its receiver, consistent otherwise."""
    codec = written(folder, architecture(precision="int8"))
    contents = {end: codec.path(end).read_bytes() for end in codec.manifest.weights}
    arrays = load(contents["receiver"])
    change(arrays)
    contents["receiver"] = save(arrays)
    manifest = codec.manifest.model_copy(update={"weights": weight_files(contents)})
    return write_codec(folder, manifest, contents)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda a: a.pop("head.bias"), "head.bias is missing"),
        (lambda a: a.update(extra=a["head.bias"]), "'extra' belong to no part"),
        (lambda a: a.pop("head.weight.scale"), "no float32 scale and zero point per row"),
        (lambda a: a["head.weight.scale"].__imul__(-1), "a scale that is not positive"),
        (lambda a: a["head.bias"].__setitem__(0, np.nan), "head.bias holds NaN"),
        (lambda a: a.update({"head.bias": a["head.bias"][:-1]}), r"float16 \(39,\), not \(40,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(tmp_path, change, complaint):
    codec = damaged(tmp_path / "codec", change)
    with pytest.raises(CheckpointError, match=complaint) as raised:
        codec.verify()
    assert "\n" not in str(raised.value)


def test_precision_must_be_that_of_the_manifest():
    transmitter, _ = halves(architecture())
    content = save(to_arrays(transmitter.modules))
    with pytest.raises(CheckpointError, match="is not in int8"):
        read_arrays(architecture(precision="int8"), "transmitter", content)


def test_items_that_the_codec_does_not_take_are_refused():
    transmitter = SentenceTransmitter(architecture())
    with pytest.raises(CheckpointError, match="takes sentences, not uint8"):
        transmitter.encode(np.zeros((1, 8, 8, 3), np.uint8), snr_db=0.0)
    with pytest.raises(CheckpointError, match="sentences of 9 words, not of 10"):
        transmitter.encode(np.full((1, 10), 5, np.uint16), snr_db=0.0)
    with pytest.raises(CheckpointError, match="has 40 tokens, not token 40"):
        transmitter.encode(np.full((1, 2), 40, np.uint16), snr_db=0.0)


def test_only_torch_computes_it(tmp_path):
    codec = written(tmp_path / "codec", architecture())
    with pytest.raises(ConfigurationError, match="engine: torch"):
        codec.load_transmitter(engine="onnxruntime")
    with pytest.raises(ConfigurationError, match="receiver_engine: torch"):
        codec.load_receiver(engine="onnxruntime")


def test_weights_that_compute_nothing_useful_are_refused(tmp_path):
    def silence(arrays):
        arrays["head.bias"][5] = np.float16(6e4)
        arrays["head.weight.scale"][5] = np.float32(1e-38)

    with pytest.raises(CheckpointError, match=r"head\.weight holds NaN or Inf"):
        damaged(tmp_path / "codec", silence).load_receiver()


def test_codec_names_its_family_and_task(tmp_path):
    manifest = written(tmp_path / "codec", architecture()).manifest
    assert dataclasses.asdict(manifest.family)["title"] == "KD-SemCom"
    assert (manifest.symbols, manifest.task.kind) == (80, "text")


def test_manifest_says_that_sentences_differ_in_length(tmp_path):
    codec = written(tmp_path / "codec", architecture())
    assert json.loads((codec.folder / "manifest.json").read_text())["variable_length"] is True
    fixed = codec.manifest.model_copy(update={"variable_length": False})
    assert fixed.digest != codec.digest
    assert "variable_length" not in json.loads(fixed.as_json())
    with pytest.raises(CheckpointError, match="sentences differ in length"):
        fixed.family.check_content(fixed, "receiver", b"")
    with pytest.raises(ValueError, match="superposed codewords must all have one length"):
        FamilyManifest.model_validate({**json.loads(codec.manifest.as_json()), "links": 2})
