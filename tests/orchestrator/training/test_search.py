"""KDL-DARTS and plain DARTS: candidates, penalty, selection, history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from orchestrator.training.pipeline import Pipeline, Trained
from orchestrator.training.search import SearchStage, halves
from orchestrator.training.settings import SearchSettings
from orchestrator.training.supernet import (
    Supernet,
    penalty_factors,
    select_depths,
)
from semcom.architecture import (
    TABLE_III_DEPTHS,
    EncoderArchitecture,
    InputSpec,
    parameters_of,
    stage_parameters,
)
from semcom.nn.blocks import Bottleneck
from tests.orchestrator.training.harness import run_here, small_settings, train, train_until
from transmitters.encoder import SemanticEncoder

TABLE_I = EncoderArchitecture(input=InputSpec(size=224), depths=(1, 1, 1, 1))
TABLE_I_SMALL = EncoderArchitecture(
    input=InputSpec(size=32), depths=(1, 1, 1, 1), width=0.25, stem_conv_stride=1
)


def record_of(searched: Pipeline | Trained) -> dict[str, Any]:
    """What a search leaves behind."""
    text = (searched.stages["search"].folder / "search.json").read_text()
    record: dict[str, Any] = json.loads(text)
    return record


def bottlenecks(supernet: Supernet) -> list[Bottleneck]:
    """Those of all stages, in their order."""
    return [block for block in supernet.modules() if isinstance(block, Bottleneck)]


def test_candidates_have_the_parameters_of_table_i() -> None:
    counts = stage_parameters(TABLE_I)
    for depth in range(1, 6):
        assert [row[depth - 1] for row in counts] == [
            4_544 * depth,
            24_192 + 17_792 * (depth - 1),
            95_488 + 70_400 * (depth - 1),
            379_392 + 280_064 * (depth - 1),
        ]


def test_candidates_of_a_narrow_student_have_the_parameters_of_its_modules() -> None:
    supernet = Supernet(TABLE_I_SMALL, classes=10, temperature=1.0)
    blocks = sum(p.numel() for block in bottlenecks(supernet) for p in block.parameters())
    assert parameters_of((5, 5, 5, 5), stage_parameters(TABLE_I_SMALL)) == blocks


@pytest.mark.parametrize("key", sorted(TABLE_III_DEPTHS))
def test_depths_of_table_iii_have_its_totals(key: tuple[str, str]) -> None:
    totals = {
        ("kdl-darts", "cifar10"): 0.777,
        ("kdl-darts", "cifar100"): 1.430,
        ("kdl-darts", "tiny-imagenet"): 1.435,
        ("darts", "cifar10"): 1.101,
        ("darts", "cifar100"): 1.675,
        ("darts", "tiny-imagenet"): 1.990,
    }
    count = parameters_of(TABLE_III_DEPTHS[key], stage_parameters(TABLE_I))
    assert count / 1e6 == pytest.approx(totals[key], abs=6e-4)


def test_penalty_rises_with_the_parameters_and_does_not_saturate() -> None:
    beta_LK = penalty_factors(TABLE_I, temperature=2.0)
    assert torch.allclose(beta_LK.sum(dim=1), torch.ones(4))
    assert (beta_LK.diff(dim=1) > 0).all()
    assert beta_LK.min() > 0.1
    assert beta_LK.max() < 0.3  # raw counts would give one candidate everything


def test_selection_takes_the_highest_score_and_the_smaller_of_equals() -> None:
    score = torch.tensor(
        [[0.1, 0.5, 0.5, 0.2, 0.1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 2], [0, 3, 0, 4, 0]],
        dtype=torch.float32,
    )
    assert select_depths(score) == (2, 1, 5, 4)


def test_a_supernet_with_all_weight_on_one_depth_is_the_encoder_of_that_depth() -> None:
    architecture = EncoderArchitecture(
        input=InputSpec(size=32), depths=(2, 4, 1, 3), width=0.25, stem_conv_stride=1
    )
    supernet = Supernet(architecture, classes=10, temperature=1.0).eval()
    with torch.no_grad():
        for block in bottlenecks(supernet):
            block.bn3.weight.uniform_(0.5, 1.5)
        for row, depth in zip(supernet.alpha_LK, architecture.depths, strict=True):
            row[depth - 1] = 100.0
    encoder = SemanticEncoder(architecture).eval()
    kept = encoder.state_dict().keys()
    encoder.load_state_dict({k: v for k, v in supernet.encoder.state_dict().items() if k in kept})
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(supernet(images)[0], encoder(images), rtol=1e-4, atol=1e-5)


def test_all_depths_of_a_stage_begin_as_equals() -> None:
    supernet = Supernet(TABLE_I_SMALL, classes=10, temperature=1.0).eval()
    images = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        mixed = supernet(images)[0]
        supernet.alpha_LK[:, 4] = 100.0
        torch.testing.assert_close(supernet(images)[0], mixed)
        bottlenecks(supernet)[-1].bn3.weight.fill_(1.0)
        assert not torch.allclose(supernet(images)[0], mixed)


@pytest.mark.parametrize("method", ["kdl-darts", "darts"])
def test_a_search_moves_alpha_keeps_its_history_and_hands_on_its_depths(
    method: str, data_dir: Path, tmp_path: Path
) -> None:
    settings = small_settings(data_dir, tmp_path, search={"method": method, "lr": 0.05})
    searched = train_until(settings, "search")
    record = record_of(searched)
    assert (record["method"], record["seed"], record["dataset"]) == (method, 0, "shapes10")
    assert [entry["epoch"] for entry in record["epochs"]] == [0, 1]
    last = record["epochs"][-1]
    assert any(abs(value) > 0.01 for row in last["alpha"] for value in row)
    assert all(abs(sum(row) - 1.0) < 1e-4 for row in last["probabilities"])
    assert set(last["losses"]) == ({"kd", "task"} if method == "kdl-darts" else {"task"})
    assert 0.0 <= last["validation_accuracy"] <= 1.0
    assert list(searched.settings.architecture.encoder.depths) == record["depths"]  # type: ignore[union-attr]
    counts = stage_parameters(settings.architecture.encoder)  # type: ignore[arg-type]
    assert record["parameters"] == parameters_of(tuple(record["depths"]), counts)


def test_alphas_rate_falls_along_all_steps_whatever_is_held_out(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    real = SearchStage._set_alpha_rate

    def seen(stage: SearchStage, share: float) -> None:
        real(stage, share)
        rates.append(stage._alpha_optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(SearchStage, "_set_alpha_rate", seen)
    search = {"method": "darts", "held_out": 0.25, "lr": 0.1, "lr_end": 0.0}
    train_until(small_settings(data_dir, tmp_path, search=search), "search")
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.1 * 0.25


def test_alpha_rests_while_the_weights_warm_up(data_dir: Path, tmp_path: Path) -> None:
    search = {"method": "darts", "lr": 0.05, "warmup_epochs": 1}
    resting, moving = record_of(
        train_until(small_settings(data_dir, tmp_path, search=search), "search")
    )["epochs"]
    assert not any(value for row in resting["alpha"] for value in row)
    assert all(any(row) for row in moving["alpha"])


@pytest.mark.parametrize(("penalized", "lifts_the_shallow"), [("alpha", False), ("weights", True)])
def test_the_penalty_alone_drives_alpha_to_the_shallowest_stages(
    penalized: Any, lifts_the_shallow: bool, data_dir: Path, tmp_path: Path
) -> None:
    search = SearchSettings(
        kd_weight=0.0, task_weight=0.0, penalty_weight=1.0, lr=0.05, penalized=penalized
    )
    settings = small_settings(data_dir, tmp_path, search=search.model_dump())
    record = record_of(train_until(settings, "search"))
    assert record["depths"] == [1, 1, 1, 1]
    for row in record["epochs"][-1]["alpha"]:
        assert (row[0] > 0) == lifts_the_shallow
        assert row[4] < 0


def test_weights_and_alpha_learn_from_different_halves(data_dir: Path, tmp_path: Path) -> None:
    images = Pipeline(small_settings(data_dir, tmp_path), run_here()).images
    for_weights, for_alpha = halves(images, SearchSettings(), seed=0)
    first, second = set(for_weights.members_M.tolist()), set(for_alpha.members_M.tolist())
    assert not first & second
    assert first | second == set(range(128))
    again, _ = halves(images, SearchSettings(), seed=0)
    assert torch.equal(again.members_M, for_weights.members_M)


def test_a_search_on_some_of_the_images_draws_others_with_another_seed(
    data_dir: Path, tmp_path: Path
) -> None:
    images = Pipeline(small_settings(data_dir, tmp_path), run_here()).images
    settings = SearchSettings(images=40, held_out=0.25)
    parts = halves(images, settings, seed=0)
    assert [len(part) for part in parts] == [30, 10]
    drawn, others = (
        {place for part in halves(images, settings, seed) for place in part.members_M.tolist()}
        for seed in (0, 1)
    )
    assert len(drawn) == 40
    assert drawn != others


def test_searches_with_seeds_of_their_own_share_a_teacher(data_dir: Path, tmp_path: Path) -> None:
    first = train_until(small_settings(data_dir, tmp_path), "search")
    second, ran = train(small_settings(data_dir, tmp_path, search={"seed": 7}))
    assert ("teacher", False) in ran
    assert ("search", True) in ran
    assert record_of(second)["seed"] == 7
    assert record_of(second)["settings"] == record_of(first)["settings"]
    other = train_until(small_settings(data_dir, tmp_path, search={"lr": 0.01}), "search")
    assert record_of(other)["settings"] != record_of(first)["settings"]
    alphas = [
        load_file(job.stages["search"].weights_path)["supernet.alpha_LK"] for job in (first, second)
    ]
    assert not torch.equal(*alphas)
