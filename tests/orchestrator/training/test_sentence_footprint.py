"""Table III: parameters, bytes and multiplications of codecs of sentences, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from orchestrator.reports.footprints import footprint_tables, read_footprints
from orchestrator.training.footprint import main
from orchestrator.training.kd_semcom.footprint import decode, measure
from receiver.kd_semcom.codec import token_mask, token_reals
from receiver.kd_semcom.decoder import greedy
from semcom.families.kd_semcom import KdSemcomArchitecture
from semcom.vocabulary import END
from tests.semcom.families.text_codecs import architecture, halves, written
from transmitters.kd_semcom.encoder import codewords


def macs_of(made_of: KdSemcomArchitecture) -> tuple[int, int]:
    """Multiplications of encoders and decoders, from the sizes of layers."""
    d, inner, t = made_of.width, made_of.inner, min(20, made_of.tokens)
    attention, forward = 4 * d * d, 2 * d * inner
    encoder = made_of.layers * t * (attention + forward + 2 * d * t)
    channel = t * (d * 2 * d + 2 * d * 16)
    received = t * (16 * d + 2 * d * 4 * d)
    seen = sum(2 * d * (at + 1) for at in range(t))
    decoder = made_of.layers * (
        t * (attention + forward) + t * 4 * d * d + seen + 2 * d * t * t
    )  # fmt: skip
    return encoder + channel, received + decoder + t * d * made_of.vocabulary


def test_multiplications_are_those_of_matrices_and_attention() -> None:
    found = measure(*halves(architecture()), repeats=1)
    assert (found.macs["encoder"], found.macs["decoder"]) == macs_of(architecture())


def test_counts_are_those_of_table_i_and_layer_norms_explain_5376() -> None:
    made_of = architecture(
        layers=4, vocabulary=50, tokens=4, width=128, heads=8, inner=512, channel="wide"
    )
    found = measure(*halves(made_of), repeats=1)
    assert sum(found.parameters.values()) == 2_022_672
    assert found.layer_norms == 5_376
    assert found.embeddings == 2 * 50 * 128
    assert found.prediction_layer == 50 * 129
    small = measure(*halves(made_of.model_copy(update={"layers": 2})), repeats=1)
    assert small.layer_norms == 2_816


def test_decoding_to_the_end_is_greedy_decoding() -> None:
    transmitter, receiver = halves(architecture())
    tokens = torch.tensor([[7, 9, 12, 30, END]])
    with torch.inference_mode():
        symbols = codewords(transmitter.forward(tokens)[1], tokens)
        there = token_mask(torch.tensor([5]))
        memory = receiver.decoder(token_reals(symbols))
        expected = greedy(receiver.semantic_decoder, receiver.head, memory, there)
        assert (expected > 0).all(), "these random weights end no sentence early"
        assert decode(receiver, symbols).tolist() == expected[:, -1].tolist()


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_command_measures_codecs_of_sentences(
    tmp_path: Path, precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    written(tmp_path / "codecs" / "small", architecture(precision=precision))
    arguments = ["--codec", tmp_path / "codecs" / "small", "--out", tmp_path, "--repeats", 2]
    try:
        assert main([str(each) for each in arguments]) == 0
    finally:
        torch.set_num_threads(threads)
    record = read_footprints(tmp_path)
    assert record is not None
    (found,) = record.sentences
    files = [path.stat().st_size for path in (tmp_path / "codecs" / "small").glob("*.safetensors")]
    assert sum(found.bytes_on_disk.values()) == sum(files) > 0
    assert found.decode.min_ms <= found.decode.median_ms <= found.decode.max_ms
    (table,) = footprint_tables([record])
    cells = {row[0]: row[1] for row in table.rows}
    assert cells["system"] == "Student 3"
    assert cells["size, the paper (MB)"] == "6.06"
    assert cells["matrices on disk"] == precision
    assert ("compute in float32" in table.note) == (precision == "int8")
