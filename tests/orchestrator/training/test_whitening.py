"""Whitened targets: leading directions alike, no information lost, and what depends on them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from orchestrator.training.pipeline import Pipeline
from orchestrator.training.whitening import FeatureWhitening, fit_feature_whitening
from tests.orchestrator.training.harness import run_here, small_settings


def loud_features(loudness: float) -> Tensor:
    """(2000, 6): standard normals, one direction of which is `loudness` times as strong."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2000, 6, generator=generator)
    direction = torch.ones(6) / 6**0.5
    strength = (features @ direction)[:, None] * direction
    return features + (loudness - 1.0) * strength + 3.0


def variances(features_ND: Tensor) -> Tensor:
    """Along the principal directions, rising."""
    return torch.linalg.eigvalsh(torch.cov(features_ND.T))


@pytest.mark.parametrize("loudness", [5.0, 30.0])  # 30: it alone holds more than 99 %
def test_loud_directions_count_like_the_others(loudness: float) -> None:
    features = loud_features(loudness)
    assert variances(features)[-1] / variances(features)[0] > 20
    whitened = fit_feature_whitening(features, 0.99)(features)
    spread = variances(whitened)
    assert spread[-1] / spread[0] < 2.5
    assert float(spread.mean()) == pytest.approx(1.0, abs=1e-3)
    assert whitened.mean(dim=0).abs().max() < 1e-3


def test_directions_of_next_to_nothing_stay_small() -> None:
    features = loud_features(1.0)
    features[:, 5] = 1e-4 * features[:, 5]
    spread = variances(fit_feature_whitening(features, 0.99)(features))
    assert spread[0] < 1e-6
    assert spread[1] > 0.8


def test_whitening_is_linear_and_can_be_undone() -> None:
    features = loud_features(5.0)
    whitening = fit_feature_whitening(features, 0.99)
    torch.testing.assert_close(whitening.matrix_DD, whitening.matrix_DD.T, rtol=1e-5, atol=1e-6)
    back = torch.linalg.solve(whitening.matrix_DD, whitening(features).T).T + whitening.mean_D
    torch.testing.assert_close(back, features, rtol=1e-3, atol=1e-3)


def test_whitening_is_not_rounded_under_autocast() -> None:
    features = loud_features(5.0)
    whitening = fit_feature_whitening(features, 0.99)
    exact = FeatureWhitening(**whitening.tensors())(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(whitening(features), exact)


def test_features_that_do_not_vary_are_refused() -> None:
    with pytest.raises(ValueError, match="do not vary"):
        fit_feature_whitening(torch.ones(10, 3), 0.99)


def test_whitening_belongs_to_the_stages_that_follow_the_teacher(
    data_dir: Path, tmp_path: Path
) -> None:
    plain = small_settings(data_dir, tmp_path)
    distillation = plain.distillation.model_copy(update={"whitening": 0.99})
    whitened = plain.model_copy(update={"distillation": distillation})
    before, after = (Pipeline(settings, run_here()) for settings in (plain, whitened))
    for stage in ("teacher", "head", "jscc"):
        assert before._artefact(stage).identity == after._artefact(stage).identity, stage
    for stage in ("search", "stage1", "stage2"):
        assert "whitening" not in before._artefact(stage).identity
        assert after._artefact(stage).identity == {
            **before._artefact(stage).identity,
            "whitening": 0.99,
        }
