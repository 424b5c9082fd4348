"""Which codecs go with a set of sentences is seen before anything starts."""

from __future__ import annotations

import pytest

from orchestrator.datasets.drawn_sentences import prepare_sentences
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.interference_points import interference_points
from orchestrator.plan.plan import plan_link
from orchestrator.plan.scenario import read_scenario
from semcom.checkpoints import CODECS_SHIPPED
from semcom.errors import ConfigurationError
from semcom.shards import read_manifest
from semcom.shipped import shipped
from tests.semcom.families.text_codecs import architecture, written


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    prepare_sentences(folder / "data" / "sentences", train=60, test=20)
    form = read_manifest(folder / "data" / "sentences").sentences
    fits = architecture(vocabulary=form.vocabulary, tokens=form.longest + 1)
    written(folder / "codecs" / "fits", fits, form.vocabulary_sha256)
    written(folder / "codecs" / "other", fits, "0" * 64)
    short = architecture(vocabulary=form.vocabulary, tokens=8)
    written(folder / "codecs" / "short", short, form.vocabulary_sha256)
    return folder


def planned(folders, codec):
    return plan_link(
        "words", dataset="sentences", codecs=[codec], images=None, frame_images=10,
        data_dir=folders / "data", catalog=Catalog(folders / "codecs"),
    )  # fmt: skip


def test_codec_of_the_data_sets_vocabulary_is_planned(folders):
    link = planned(folders, "fits")
    assert (link.images, link.codecs[0].system) == (20, "student-3")


@pytest.mark.parametrize(
    ("codec", "complaint"),
    [
        ("other", "another vocabulary than data set sentences"),
        ("short", "sentences of up to 8 words"),
    ],
)
def test_codec_and_data_set_must_have_one_vocabulary(folders, codec, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        planned(folders, codec)


def test_codec_of_images_is_not_for_sentences(folders):
    with pytest.raises(ConfigurationError, match="is for images, data set sentences has sentences"):
        plan_link(
            "words", dataset="sentences", codecs=["shapes10"], images=None, frame_images=10,
            data_dir=folders / "data", catalog=Catalog(CODECS_SHIPPED),
        )  # fmt: skip


def test_shipped_scenario_of_europarl_sends_90_000_sentences():
    scenario = read_scenario(shipped("scenarios") / "europarl.yaml")
    met = interference_points(scenario.interference)
    assert (len(scenario.links), len(scenario.snr_points_db), len(met)) == (3, 10, 3)
    assert all(each.interferers == 2 for each in met)
    assert len(scenario.links) * len(scenario.snr_points_db) * len(met) * scenario.images == 90_000
