"""Frames of sentences say how many symbols each of them uses, from the cache too."""

from __future__ import annotations

import numpy as np

from orchestrator.datasets.drawn_sentences import prepare_sentences
from semcom.text_shards import TextShard
from tests.semcom.families.text_codecs import architecture, written
from tests.transmitters.sending import assignment
from transmitters.frame_encoder import FrameEncoder
from transmitters.frame_plan import FramePlan
from transmitters.settings import TransmitterSettings

ADDRESS = "tcp://127.0.0.1:1"


def test_frame_states_the_symbols_of_its_sentences(tmp_path):
    manifest = prepare_sentences(tmp_path / "sentences", train=20, test=10)
    form = manifest.sentences
    made_of = architecture(vocabulary=form.vocabulary, tokens=form.longest + 1)
    codec = written(tmp_path / "text", made_of, form.vocabulary_sha256)
    shard = TextShard(tmp_path / "sentences", "test")
    settings = TransmitterSettings(
        control=ADDRESS, uplink=ADDRESS, data_dir=tmp_path, codec_dir=tmp_path
    )
    encoder = FrameEncoder(settings)
    work = assignment(
        (0, 2), dataset="sentences", dataset_digest=shard.digest, codec="text",
        codec_digest=codec.digest, images=10, frame_images=6,
    )  # fmt: skip
    for frame, items in ((0, slice(0, 6)), (1, slice(6, 10))):
        encoded = encoder.encode(FramePlan(work, frame))
        used = np.frombuffer(encoded.message("a").used, "<u2")
        assert used.tolist() == (8 * (shard.lengths_N[items] + 1)).tolist()
        again = encoder.encode(FramePlan(work, frame))
        assert again.symbols_BK is encoded.symbols_BK
        assert again.message("a") == encoded.message("a")
