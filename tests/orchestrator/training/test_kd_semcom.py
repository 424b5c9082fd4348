"""Training of codecs of sentences: losses, channel draws, stages that resume to the same bits."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from orchestrator.datasets.drawn_sentences import prepare_sentences
from orchestrator.training.arguments import parse, settings_of
from orchestrator.training.data import EpochKey, Rank
from orchestrator.training.kd_semcom import losses
from orchestrator.training.kd_semcom.channel import draw
from orchestrator.training.kd_semcom.data import SentenceSet
from orchestrator.training.kd_semcom.export import export_codec
from orchestrator.training.kd_semcom.link import TextLink, TextOutput
from orchestrator.training.kd_semcom.pipeline import SentencePipeline
from orchestrator.training.kd_semcom.presets import PRESETS, settings_from_preset
from orchestrator.training.kd_semcom.settings import (
    SYSTEM_STAGES,
    TABLE_I,
    DistillationTerms,
    TextChannelSettings,
)
from orchestrator.training.loop import Run
from orchestrator.training.reference import evaluate
from orchestrator.training.settings import AugmentationSettings
from orchestrator.training.stop import StoppedError
from semcom.errors import ConfigurationError
from semcom.points import PointSpec
from semcom.shards import read_manifest
from semcom.stop_signals import StopRequest
from semcom.text_shards import TextShard
from semcom.vocabulary import END, PAD
from tests.orchestrator.training.harness import Watcher
from tests.semcom.families.text_codecs import architecture

SMALL = {
    "stages": {name: {"epochs": 2, "batch": 16} for name in ("teacher", "student", "baseline")},
    "architecture": {"width": 16, "inner": 16},
    "teacher": {"width": 16, "inner": 16},
    "precision": "fp32",
    "transfer": 48,
}
STEPS = {"teacher": 8, "student": 6, "baseline": 6}  # 64 and 48 sentences, two epochs


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    prepare_sentences(folder / "sentences", train=64, test=20)
    return folder


def small(data_dir, work_dir, system="student-3", **overrides):
    laid = {**SMALL, "data_dir": data_dir, "work_dir": work_dir, **overrides}
    manifest = read_manifest(data_dir / "sentences")
    return settings_from_preset("embedded", manifest, name="small", system=system, overrides=laid)


def train(settings, stop_after=None, until=None):
    stop = StopRequest()
    watcher = Watcher(stop, stop_after)
    run = Run(settings.seed, False, torch.device("cpu"), Rank(), stop, watcher, 1e9)
    told = []
    pipeline = SentencePipeline(settings, run)
    trained = pipeline.train(lambda stage, ran: told.append((stage, ran)), until)
    return trained, told, watcher


def weights(trained):
    state = trained.link.state_dict().values()
    return np.concatenate([each.flatten().numpy() for each in state])


@pytest.fixture(scope="module")
def whole_run(data_dir, tmp_path_factory):
    settings = small(data_dir, tmp_path_factory.mktemp("whole"))
    trained, told, watcher = train(settings)
    assert told == [("teacher", True), ("student", True)]
    return settings, weights(trained), watcher


@pytest.mark.parametrize("steps", [3, 11])
def test_a_stopped_run_resumes_to_the_same_bits(data_dir, tmp_path, whole_run, steps):
    settings = small(data_dir, tmp_path)
    with pytest.raises(StoppedError):
        train(settings, stop_after=steps)
    np.testing.assert_array_equal(weights(train(settings)[0]), whole_run[1])


def test_finished_stages_are_taken_over_and_shared_by_student_4(whole_run, data_dir):
    settings, trained, _ = whole_run
    again, told, _ = train(settings)
    assert told == [("teacher", False), ("student", False)]
    np.testing.assert_array_equal(weights(again), trained)
    quantised = small(data_dir, settings.work_dir, system="student-4")
    assert quantised.architecture.precision == "int8"
    _, told, _ = train(quantised)
    assert told == [("teacher", False), ("student", False)]
    _, told, _ = train(small(data_dir, settings.work_dir, system="student-2"))
    assert told == [("teacher", False), ("student", True)]


def test_every_term_is_logged_and_can_be_switched_off(whole_run, data_dir, tmp_path):
    logged = [set(line["losses"]) for line in whole_run[2].seen]
    assert logged == [{"ce"}] * 2 + [{"ce", "p", "x", "p_hat", "t_hat", "s_hat"}] * 2
    off = {"distillation": {"x": 0.0, "t_hat": 0.0, "p": 0.0, "p_hat": 0.0, "cross_entropy": False}}
    _, _, watcher = train(small(data_dir, tmp_path, **off))
    assert set(watcher.seen[-1]["losses"]) == {"s_hat"}


@pytest.mark.parametrize("system", ["teacher", "baseline-2", "deepsc"])
def test_systems_without_distillation_train_one_stage(data_dir, tmp_path, system):
    settings = small(data_dir, tmp_path, system=system)
    _, told, watcher = train(settings)
    (stage,) = SYSTEM_STAGES[system]
    assert told == [(stage, True)]
    assert [set(line["losses"]) for line in watcher.seen] == [{"ce"}] * 2
    assert watcher.steps == STEPS[stage]


def test_until_ends_after_a_stage_and_names_those_that_there_are(data_dir, tmp_path):
    settings = small(data_dir, tmp_path)
    assert train(settings, until="teacher")[:2] == (None, [("teacher", True)])
    with pytest.raises(ConfigurationError, match="no stage 'baseline' here; available: teacher"):
        train(settings, until="baseline")


def test_codec_of_int8_is_written_and_evaluated(whole_run, data_dir, tmp_path):
    settings = small(data_dir, whole_run[0].work_dir, system="student-4")
    trained, _, _ = train(settings)
    reported = []
    codec = export_codec(
        trained, tmp_path / "small", command="semcom train", ranks=1, bf16=False,
        report=lambda done, total: reported.append((done, total)),
    )  # fmt: skip
    manifest = codec.manifest
    assert (manifest.system, manifest.family_name) == ("student-4", "kd_semcom")
    assert set(manifest.results["rayleigh_bleu_1_by_snr_db"]) == {"0", "6", "12", "18"}
    assert manifest.results["test_sentences"] == 20
    assert manifest.architecture["parameters"] == settings.architecture.counted()
    assert reported[-1] == (5, 5)
    shard = TextShard(data_dir / "sentences", "test")
    point = PointSpec(snr_db=6.0, channel={"model": "rayleigh"})
    found = evaluate(codec, shard, point, link="text", frame_images=50)
    assert found.value == manifest.results["rayleigh_bleu_1_by_snr_db"]["6"]


def test_a_codec_learns_a_few_sentences_by_heart(data_dir, tmp_path):
    settings = small(
        data_dir, tmp_path, system="baseline-3", transfer=16, dropout=0.0,
        architecture={"width": 32, "inner": 32},
        teacher={"width": 32, "inner": 32},
        stages={"baseline": {"epochs": 120, "batch": 16, "lr": 0.01}},
    )  # fmt: skip
    _, _, watcher = train(settings)
    first, last = (watcher.seen[at]["losses"]["ce"] for at in (0, -1))
    assert last < 0.35 * first


ALONE = Rank()


def batch_of(data_dir, rank=ALONE, batch=16, step=0):
    sentences = SentenceSet.read(data_dir / "sentences", None)
    epoch = sentences.epoch(
        AugmentationSettings(), key=EpochKey(0, "test", 0), batch=batch, views=False, rank=rank
    )
    return epoch[step]


def test_batches_hold_every_sentence_once_with_its_end(data_dir):
    seen = [batch_of(data_dir, step=step) for step in range(4)]
    rows = [
        tuple(row[:length].tolist())
        for each in seen
        for row, length in zip(each.tokens_BT, each.lengths_B, strict=True)
    ]
    assert len(set(rows)) == 64
    assert all(row[-1] == END and PAD not in row for row in rows)


LOUD = TextChannelSettings(
    fading="awgn", snr_db_low=60, snr_db_high=60, interferers=1, sir_db_low=10, sir_db_high=10,
    occurrence=1.0, delay=0,
)  # fmt: skip


def test_ranks_draw_what_one_rank_draws(data_dir):
    settings = LOUD.model_copy(update={"fading": "rayleigh", "delay": 24, "occurrence": 0.9})
    whole = draw(batch_of(data_dir), settings, torch.device("cpu"))
    parts = [
        draw(batch_of(data_dir, Rank(index, 2)), settings, torch.device("cpu")) for index in (0, 1)
    ]
    for field in ("fading_B1", "sent_BK"):
        joined = torch.cat([getattr(part, field)[:, :40] for part in parts])
        assert torch.equal(joined, getattr(whole, field)[:, :40])
    gains = torch.cat([part.meetings[0].gain_B1 for part in parts])
    assert torch.equal(gains, whole.meetings[0].gain_B1)


def test_interferer_has_the_power_that_its_sir_says(data_dir):
    """Over 16 sentences of one length, one of two of which is interfered with."""
    settings = LOUD.model_copy(update={"occurrence": 0.5})
    batch = batch_of(data_dir)
    batch = SimpleNamespace(
        tokens_BT=torch.full((16, 18), 5), lengths_B=torch.full((16,), 18), first=0, total=16,
        key=batch.key, uniform=batch.uniform,
    )  # fmt: skip
    drawn = draw(batch, settings, torch.device("cpu"))
    symbols = torch.exp(2j * math.pi * torch.rand(16, 144)).to(torch.complex64)
    difference = (drawn.received(symbols) - symbols).abs().square()
    met = drawn.meetings[0].gain_B1.abs().squeeze(1) > 0
    assert 0 < met.sum() < 16
    on = difference[met] > 0.01
    assert difference[met][on].mean() == pytest.approx(0.1, rel=0.03)
    assert on.float().mean() == pytest.approx(0.5, abs=0.05)
    assert difference[~met].max() < 1e-3


def test_interferers_get_no_gradient(data_dir):
    batch = batch_of(data_dir)
    drawn = draw(batch, LOUD, torch.device("cpu"))
    symbols = torch.ones(16, drawn.sent_BK.shape[1], dtype=torch.complex64, requires_grad=True)
    drawn.received(symbols)[0].abs().sum().backward()
    assert symbols.grad[0].abs().sum() > 0
    assert symbols.grad[1:].abs().sum() == 0


def test_divergence_is_that_of_the_definition():
    torch.manual_seed(0)
    student, teacher = torch.randn(7, 5), torch.randn(7, 5)
    ours, theirs = ((each / 2).softmax(dim=1) for each in (student, teacher))
    for direction, (first, second) in (("teacher", (theirs, ours)), ("literal", (ours, theirs))):
        expected = 4 * (first * (first / second).log()).sum(dim=1).mean()
        found = losses.divergence(student, teacher, DistillationTerms(direction=direction))
        assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_padding_takes_no_part_in_a_loss():
    torch.manual_seed(0)
    tokens = torch.tensor([[5, 6, END], [7, END, PAD]])
    student, teacher = (
        TextOutput(*[torch.randn(2, 3, 9) for _ in range(4)], torch.randn(5, 9)) for _ in range(2)
    )
    terms = DistillationTerms()
    before = losses.distillation(student, teacher, tokens, terms)
    for field in ("x", "t_hat"):
        getattr(student, field)[1, 2] += 100
    after = losses.distillation(student, teacher, tokens, terms)
    assert set(before) == {"ce", "x", "t_hat", "s_hat"}
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert float(value) == pytest.approx(float(after[name]), rel=1e-6)


def test_logits_are_those_of_tokens_alone_and_the_loss_is_that_of_all_positions():
    torch.manual_seed(0)
    link = TextLink(architecture(), dropout=0.0)
    tokens = torch.tensor([[5, 6, 9, END], [7, END, PAD, PAD], [8, 11, END, PAD]])

    class Quiet:
        def received(self, symbols):
            return symbols

    with torch.no_grad():
        output = link(tokens, Quiet())
        logits = link.receiver.head(output.t_hat).flatten(0, 1)
    expected = F.cross_entropy(logits, tokens.flatten(), ignore_index=PAD)
    assert output.s_hat.shape == (9, architecture().vocabulary)
    assert float(losses.cross_entropy(output, tokens)["ce"]) == pytest.approx(float(expected))


def test_presets_have_the_networks_of_table_i(data_dir, tmp_path):
    manifest = read_manifest(data_dir / "sentences")
    for preset in PRESETS:
        for system, (layers, channel) in TABLE_I.items():
            made = settings_from_preset(preset, manifest, name="a", system=system, overrides={})
            if preset != "embedded":
                assert (made.architecture.layers, made.teacher.layers) == (layers, 4)
            assert made.architecture.channel == channel
            assert bool(made.distillation.p) == (system in ("student-3", "student-4"))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--set", "stages.baseline.lr=0.1"], "does not run stage baseline"),
        (["--system", "deepsc", "--set", "distillation.x=0"], "deepsc follows no teacher here"),
        (["--set", "channels.student.delay=3"], "channels.student.interferers is 0"),
        (["--set", "distillation.x=0.9"], "more than 1"),
        (["--set", "architecture.width=24"], "differ in one of|over 4 heads|width"),
        (["--preset", "smoke"], "unknown preset 'smoke'; available: compact"),
    ],
)
def test_settings_without_effect_or_sense_are_one_line(data_dir, words, complaint):
    line = ["sentences", "--family", "kd_semcom", "--preset", "embedded", "--system", "student-1"]
    arguments = parse([*line, "--data", str(data_dir), *words])
    with pytest.raises(ConfigurationError, match=complaint) as raised:
        settings_of(arguments)
    assert "\n" not in str(raised.value)


def test_families_refuse_each_others_data_sets(data_dir):
    with pytest.raises(ConfigurationError, match="train it with --family kd_semcom"):
        settings_of(parse(["sentences", "--data", str(data_dir)]))
