"""Codecs of the family `digital` are swept like every codec: one results digest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

import rkd_sc
from orchestrator.datasets.drawn_sentences import prepare_sentences
from semcom.families.digital_image_making import ImageChoice, make_image_codec
from semcom.families.digital_making import make_sentence_codec
from semcom.families.image_modes import Candidate, Curve
from semcom.shards import Shard
from semcom.text_shards import TextShard
from tests.integration.harness import results_digest, start_sweep, write_scenario

pytest.importorskip("sionna", reason="sionna-no-rt is not installed: pip install 'rkd-sc[digital]'")
pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


def some_curves(codes: Sequence[Candidate]) -> list[Curve]:
    """Errors by which every block of a codec fits its SNR by far."""
    return [Curve((code.block_bytes / 8, code.block_bytes / 8 + 1), (1.0, 0.0)) for code in codes]


def test_swept_answers_are_those_of_one_process(tmp_path: Path, workplace: Path) -> None:
    data, codecs = tmp_path / "data", tmp_path / "codecs"
    data.mkdir()
    (data / "shapes10").symlink_to(workplace / "data" / "shapes10")
    images = Shard(data / "shapes10", "test")
    make_image_codec(
        images, codecs / "files", ImageChoice(kind="vp8", images=4), measure=some_curves
    )
    prepare_sentences(data / "sentences", train=500, test=40)
    shard = TextShard(data / "sentences", "train")
    make_sentence_codec(shard, codecs / "words", kind="word-huffman")
    make_sentence_codec(shard, codecs / "letters", kind="huffman")
    scenario = write_scenario(
        tmp_path / "s.yaml", engine="torch", snr_db=[4, 20], images=20, frame_images=10,
        links={"a": {"dataset": "sentences", "codecs": ["words", "letters"]},
               "b": {"dataset": "shapes10", "codec": "files"}},
    )  # fmt: skip
    start_sweep(scenario, tmp_path / "swept", workplace=tmp_path).finish()
    evaluated = rkd_sc.evaluate(
        yaml.safe_load(scenario.read_text()), tmp_path / "one", data=data, codecs=codecs
    )
    assert results_digest(tmp_path / "swept") == evaluated.results_digest
