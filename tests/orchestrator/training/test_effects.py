"""Settings of a training that would have no effect are refused, and any `--set` is one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.training import __main__ as command
from orchestrator.training.effects import keys_of
from orchestrator.training.settings import TrainingSettings
from semcom.errors import SemcomError
from tests.orchestrator.training.harness import SHAPES10, setting_words
from tests.properties import examples

REPO = Path(__file__).resolve().parents[3]


def asked(data_dir: Path, *words: str, preset: str = "smoke") -> TrainingSettings:
    arguments = ["shapes10", "--preset", preset, "--data", str(data_dir), "--name", "x", *words]
    return command.settings_of(command.parse(arguments))


@pytest.mark.parametrize(
    ("preset", "words", "told"),
    [
        ("smoke", ["stages.head.momentum=0.5"], "stages.head.momentum: has no effect: optimizer a"),
        ("smoke", ["distillation.rician_k=2"], "distillation.channels has no rician"),
        ("smoke", ["teacher.pretrained=false"], "of kind conv, not timm"),
        ("paper", ["teacher.identity_init=true"], "of kind timm, not conv"),
        ("paper", ["teacher.weights=w.pt", "teacher.pretrained=false"], "starts from teacher.wei"),
        ("smoke", ["architecture.encoder.depths=[1, 1, 1, 1]"], "depths is search"),
        ("smoke", ["depths=darts", "architecture={encoder: {depths: [1, 1, 1, 1]}}"], "is darts"),
        ("embedded", ["search.seed=1"], "the command does not search"),
        ("embedded", ["stages.search.epochs=9"], "does not run stage search"),
        ("embedded", ["stages.jscc.epochs=9"], "the command does not run stage jscc"),
        ("smoke", ["search.method=darts", "search.penalty_weight=1"], "plain DARTS has no"),
        ("smoke", ["teacher.codec=CODEC", "teacher.cutout=3"], "the teacher is a codec's student"),
        ("smoke", ["teacher.codec=CODEC", "stages.teacher.epochs=3"], "not run stage teacher"),
        ("embedded", ["init_from=CODEC", "stages.stage1.epochs=3"], "does not run stage stage1"),
        ("smoke", ["name=y"], "name is set by --name"),
        ("smoke", ["dataset=cifar10"], "dataset is set by the data set's name"),
        ("smoke", ["data_dir=x"], "data_dir is set by --data"),
        ("smoke", ["architecture.channel.system=jscc-student"], "is set by --system"),
        ("smoke", ["architecture={classes: 3}"], "architecture.classes is set by the data set"),
    ],
)
def test_setting_without_effect_is_refused(preset, words, told, data_dir):
    words = [word.replace("CODEC", str(SHAPES10)) for word in words]
    with pytest.raises(SemcomError) as caught:
        asked(data_dir, *setting_words(*words), preset=preset)
    assert told in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("system", "word"),
    [
        ("jscc-student", "architecture.channel.compression_ratio=0.5"),
        ("jscc-teacher", "architecture.channel.tx_csi=true"),
        ("jscc-student", "distillation.kd_weight=2"),
        ("jscc-student", "augmentation.views=3"),
        ("jscc-student", "teacher.cutout=3"),
        ("jscc-student", "stages.stage2.epochs=3"),
        ("cat-student", "distillation.re_weight=2"),
        ("cat-student", "teacher.cutout=3"),
        ("jscc-teacher", "stages.stage1.epochs=3"),
    ],
)
def test_baselines_refuse_what_they_do_not_have(system, word, data_dir):
    with pytest.raises(SemcomError, match="has no effect"):
        asked(data_dir, "--system", system, "--set", word)


@pytest.mark.parametrize(
    "words",
    [
        ["stages.teacher.momentum=0.5"],  # sgd
        ["distillation.channels=[awgn, rician]", "distillation.rician_k=2"],
        ["search.seed=1", "search.penalty_weight=1", "stages.search.epochs=9"],
        ["depths=preset", "architecture.encoder.depths=[1, 1, 1, 1]"],
        ["search.method=darts", "search.temperature=2"],
    ],
)
def test_setting_with_an_effect_is_taken(words, data_dir):
    assert asked(data_dir, *setting_words(*words))


def test_a_search_takes_settings_of_searches_whatever_the_preset(data_dir):
    words = ["--until", "search", "--set", "search.seed=1", "--set", "stages.search.epochs=90"]
    assert asked(data_dir, *words, preset="embedded").search.seed == 1


def test_one_file_serves_several_commands_but_contradicts_nothing(data_dir, tmp_path):
    file = tmp_path / "job.yaml"
    content = {"stages": {"jscc": {"epochs": 3}, "search": {"epochs": 50}}, "search": {"seed": 3}}
    file.write_text(yaml.safe_dump(content))
    assert asked(data_dir, "--config", str(file), preset="embedded").stages["jscc"].epochs == 3
    file.write_text(yaml.safe_dump({"distillation": {"rician_k": 3}}))
    with pytest.raises(SemcomError, match=r"distillation\.rician_k: has no effect"):
        asked(data_dir, "--config", str(file))


@pytest.mark.parametrize(
    "file",
    sorted((REPO / "docs" / "reproducing").glob("*/training.yaml")),
    ids=lambda f: f.parent.name,
)
def test_settings_of_the_docs_have_an_effect(file, data_dir, tmp_path):
    content = yaml.safe_load(file.read_text())
    content.pop("init_from", None)  # of another data set
    written = tmp_path / "job.yaml"
    written.write_text(yaml.safe_dump(content))
    for system in ("rkd-sc", "cat-student", "jscc-student", "jscc-teacher"):
        assert asked(data_dir, "--config", str(written), "--system", system, preset="compact")


KEYS = [
    *keys_of(TrainingSettings.model_construct().model_dump()),
    "name", "stages.stage2", "stages.stage2.optimizer", "stages.head.momentum", "stages", "depths",
    "teacher", "teacher.encoder", "teacher.encoder.kind", "teacher.codec", "teacher.weights",
    "architecture", "architecture.encoder", "architecture.encoder.kind", "init_from",
    "architecture.encoder.input.std", "architecture.channel", "search.method", "images", "seed.x",
    "distillation.channels", "distillation.channels.0", "augmentation", "", ".", "a..b",
    "precision",
]  # fmt: skip
VALUES = st.sampled_from(
    ["", "1", "-1", "1e3", "010", "yes", "true", "null", ".nan", ".inf", "1e400", "[]", "[1, 2]",
     "{}", "{a: 1}", "{kind: timm, model: x}", "{kind: conv}", "{kind: [1]}", "student", "conv",
     "darts", "search", "rician", "[rician]", '"a\\0b"', '"\\ud800"', "x" * 300, "../x", "/", "~",
     "[[[", "a: b", "!!int 3", "&a [*a]", "9" * 60, "'9'", "muon", "- 1"]
) | st.text(max_size=8)  # fmt: skip


@examples(150)
@given(words=st.lists(st.tuples(st.sampled_from(KEYS), VALUES), min_size=1, max_size=3))
def test_any_setting_of_the_command_line_is_taken_or_one_line(words, data_dir):
    try:
        asked(data_dir, *setting_words(*(f"{key}={value}" for key, value in words)))
    except SemcomError as error:
        one_line(error)


def one_line(error: SemcomError) -> None:
    assert error.exit_code in (2, 6), "a setting, or a codec that is not there"
    assert "\n" not in str(error)
    assert len(str(error)) < 1500
