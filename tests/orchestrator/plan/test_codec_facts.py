"""Facts about codecs for reports: k/n, what is reached without noise, which trainings are alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.codec_facts import CodecFacts, codec_facts
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.families.label_making import make_label_codec
from tests.conftest import REPO

CIFAR10 = REPO / "codecs" / "cifar10"


def facts(**training: Any) -> CodecFacts:
    codec = open_checkpoint(CIFAR10)
    record = {**codec.manifest.training, **training}
    manifest = codec.manifest.model_copy(update={"training": record})
    return codec_facts(Checkpoint(CIFAR10, manifest))


def test_they_tell_the_source_and_what_is_reached_without_noise():
    found = facts()
    assert (found.symbols, found.source_values) == (51, 32 * 32 * 3)
    assert found.noise_free == 0.9253


def test_a_label_codec_tells_the_same_of_its_source(tmp_path: Path):
    label = codec_facts(make_label_codec(open_checkpoint(CIFAR10), tmp_path / "label"))
    assert (label.source_values, label.noise_free) == (3072, 0.9253)
    assert (label.training_seed, label.trained_as) == (None, None)
    assert label.parameters["encoder"] == facts().parameters["encoder"]


def test_trainings_that_differ_in_seed_and_run_alone_are_alike():
    stages = open_checkpoint(CIFAR10).manifest.training["stages"]
    moved = {name: {**stage, "artefact": "other"} for name, stage in stages.items()}
    one = facts()
    other = facts(seed=1, command="another", torch="3.0", stages=moved, teacher_accuracy=0.5)
    assert other.trained_as == one.trained_as
    assert (one.training_seed, other.training_seed) == (0, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"training_images": 10},
        {"augmentation": {"views": 2}},
        {"stages": {"stage2": {"epochs": 1}}},
    ],
)
def test_trainings_of_other_settings_are_not_alike(changed):
    assert facts(**changed).trained_as != facts().trained_as


def test_manifest_without_a_seed_is_of_no_training():
    assert facts(seed=None).trained_as is None


def test_facts_of_earlier_versions_are_read():
    stored = facts().model_dump(mode="json")
    for name in ("source_values", "noise_free", "trained_as", "training_seed"):
        del stored[name]
    assert CodecFacts.model_validate(stored).source_values is None
