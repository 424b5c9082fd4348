"""Existing codecs in a training of sentences: `teacher_codec` and `init_from`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load

from orchestrator.datasets.drawn_sentences import prepare_sentences
from orchestrator.training.arguments import parse, settings_of
from orchestrator.training.kd_semcom.data import order
from orchestrator.training.kd_semcom.export import export_codec
from semcom.checkpoints import Checkpoint
from semcom.errors import CheckpointError, ConfigurationError
from semcom.text_shards import TextShard
from tests.orchestrator.training.test_kd_semcom import SMALL, small, train, weights

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "codecs"


def exported(trained, folder: Path) -> Checkpoint:
    return export_codec(
        trained, folder, command="semcom train", ranks=1, bf16=False, report=lambda *_: None
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    prepare_sentences(folder / "sentences", train=64, test=20)
    return folder


@pytest.fixture(scope="module")
def teacher(data_dir, tmp_path_factory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("teacher")
    trained, _, _ = train(small(data_dir, folder, system="teacher"))
    return exported(trained, folder / "wise")


def without_teacher(**laid):
    return {**{key: value for key, value in SMALL.items() if key != "teacher"}, **laid}


def of_codec(data_dir, work_dir, monkeypatch, **laid):
    """Settings like `small`, but without an architecture of a teacher."""
    monkeypatch.setattr("tests.orchestrator.training.test_kd_semcom.SMALL", without_teacher())
    return small(data_dir, work_dir, **laid)


def test_student_of_a_codec_is_that_of_the_trained_teacher(
    data_dir, tmp_path, teacher, monkeypatch
):
    """It is near, not equal: the codec on disk has the teacher's weights in fp16."""
    ours, told, _ = train(small(data_dir, tmp_path / "trained"))
    assert told == [("teacher", True), ("student", True)]
    settings = of_codec(data_dir, tmp_path / "given", monkeypatch, teacher_codec=teacher.folder)
    assert settings.teacher.width == 16
    theirs, told, _ = train(settings)
    assert told == [("teacher", False), ("student", True)]
    np.testing.assert_allclose(weights(theirs), weights(ours), atol=0.02)
    written = exported(theirs, tmp_path / "codec").manifest
    assert written.training["teacher_codec"] == teacher.digest
    assert list(written.training["stages"]) == ["student"]


def test_training_goes_on_from_the_weights_of_a_codec(data_dir, tmp_path, teacher):
    stages = {"teacher": {"epochs": 1, "batch": 16, "lr": 1e-9, "lr_end": 1e-9}}
    settings = small(data_dir, tmp_path, system="teacher", init_from=teacher.folder, stages=stages)
    trained, told, _ = train(settings)
    assert told == [("teacher", True)]
    again = exported(trained, tmp_path / "codec")
    assert again.manifest.training["init_from"] == teacher.digest
    for end in ("transmitter", "receiver"):
        before, after = (load(codec.read_half(end)) for codec in (teacher, again))
        assert before.keys() == after.keys()
        for name, array in before.items():
            np.testing.assert_array_equal(after[name], array)


NARROW = "--set architecture.width=16 --set architecture.inner=16 --set architecture.heads=4"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--system teacher --set teacher_codec={codec}", "system 'teacher' has no teacher"),
        ("--system deepsc --set teacher_codec={codec}", "system 'deepsc' has no teacher"),
        ("--set teacher_codec={shapes}", "not of the family kd_semcom"),
        ("--set teacher_codec={codec} --set teacher.width=16", "has its own architecture"),
        (f"{NARROW} --set teacher_codec={{codec}} --set sentences=20", "the teacher is a codec"),
        (
            f"{NARROW} --set teacher_codec={{codec}} --set stages.teacher.epochs=2",
            "does not run stage teacher",
        ),
        (
            f"{NARROW} --set teacher_codec={{codec}} --out {{codec}}",
            "is the codec of teacher_codec",
        ),
        ("--set teacher_codec={codec}", "differ in one of"),
        ("--set teacher_codec=none-such", "none-such"),
        ("--set init_from={codec}", "has layers 2, system 'student-3' has 1 here"),
        ("--system teacher --set init_from={shipped}", "the vocabulary of sentences, which is not"),
    ],
)
def test_codecs_that_do_not_fit_are_one_line(data_dir, teacher, words, complaint):
    places = {
        "codec": teacher.folder,
        "shapes": SHIPPED / "shapes10",
        "shipped": SHIPPED / "sentences-teacher",
    }
    line = "sentences --family kd_semcom --preset embedded --system student-3"
    arguments = parse([*line.split(), "--data", str(data_dir), *words.format(**places).split()])
    with pytest.raises((ConfigurationError, CheckpointError), match=complaint) as raised:
        settings_of(arguments)
    assert "\n" not in str(raised.value)


def test_batches_of_an_epoch_have_sentences_of_about_one_length(data_dir):
    lengths = TextShard(data_dir / "sentences", "train").lengths_N
    lengths_N = torch.from_numpy(np.tile(np.array(lengths), 10))
    found = order(lengths_N, batch=16, key="0/teacher/0")
    assert sorted(found.tolist()) == list(range(640))
    assert torch.equal(found, order(lengths_N, batch=16, key="0/teacher/0"))
    assert not torch.equal(found, order(lengths_N, batch=16, key="0/teacher/1"))
    spreads = [int(lengths_N[each].max() - lengths_N[each].min()) for each in found.split(16)]
    at_random = lengths_N[torch.randperm(640)].split(16)
    assert np.mean(spreads) < 0.5 * np.mean([int(each.max() - each.min()) for each in at_random])
    first = [int(lengths_N[each[0]]) for each in found.split(16)]
    assert first != sorted(first)
