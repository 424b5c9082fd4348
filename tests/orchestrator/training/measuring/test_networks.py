"""Networks that measure: what holds for any weights, and known values of the real ones."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.measures.weights import (
    EFFICIENTNET_LITE0,
    LPIPS_ALEXNET,
    MINILM,
    RECORD,
    weights_folder,
)
from orchestrator.training.measuring.lpips import LAYERS, Lpips, distances, enlarged
from orchestrator.training.measuring.ms_ssim import EXPONENTS, ms_ssim
from orchestrator.training.measuring.sentence_vectors import MiniLm, SentenceVectors, cosines
from semcom.errors import ConfigurationError
from semcom.tasks.reconstruction import ssim
from tests.conftest import REPO
from tests.properties import examples


def real(weights):
    """Folder of the real weights; the test is skipped where they were not prepared."""
    folder = weights_folder(REPO / "data", weights)
    if not (folder / RECORD).exists():
        pytest.skip(f"no weights here: semcom weights {weights.name}")
    return folder


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


@pytest.fixture(scope="module")
def lpips():
    torch.manual_seed(0)
    network = Lpips().eval()
    with torch.no_grad():
        for weights_C in network.linear:
            weights_C.fill_(1.0)
    return network


class TestLpips:
    @pytest.mark.parametrize("shape", [(32, 32, 3), (64, 64, 3), (11, 90, 3), (32, 32, 1)])
    def test_equal_images_have_no_distance_and_it_is_symmetric(self, lpips, shape):
        one, other = noise(3, *shape), noise(3, *shape, seed=1)
        np.testing.assert_allclose(distances(lpips, one, one), 0.0, atol=1e-9)
        forth, back = distances(lpips, one, other), distances(lpips, other, one)
        np.testing.assert_allclose(forth, back, rtol=1e-5)
        assert (forth > 0).all()

    def test_splitting_a_batch_changes_no_value(self, lpips):
        one, other = noise(3, 64, 64, 3), noise(3, 64, 64, 3, seed=1)
        alone = [distances(lpips, one[n : n + 1], other[n : n + 1])[0] for n in range(3)]
        np.testing.assert_allclose(distances(lpips, one, other), alone, rtol=1e-5)

    def test_distance_of_unit_features_is_at_most_4_a_layer(self, lpips):
        found = distances(lpips, noise(2, 64, 64, 3), noise(2, 64, 64, 3, seed=1))
        assert (found <= 4.0 * len(LAYERS)).all()

    @pytest.mark.parametrize(
        ("shape", "shown"), [((32, 32), (64, 64)), ((11, 90), (88, 720)), ((64, 70), (64, 70))]
    )
    def test_small_images_are_doubled(self, shape, shown):
        assert tuple(enlarged(torch.zeros(1, 3, *shape)).shape[-2:]) == shown

    def test_real_weights_tell_blurred_from_noisy(self):
        network = Lpips.load(real(LPIPS_ALEXNET))
        assert all((weights_C >= 0).all() for weights_C in network.linear)
        smooth = np.indices((64, 64)).sum(axis=0)[None, ..., None].repeat(3, 3).astype(np.uint8)
        noisy = smooth.astype(np.int64) + np.random.default_rng(0).integers(-40, 41, smooth.shape)
        (found,) = distances(network, smooth, noisy.clip(0, 255).astype(np.uint8))
        (least,) = distances(network, smooth, smooth + np.uint8(1))
        assert least < 0.01
        assert found > 0.5


class TestMsSsim:
    def test_constant_images_differ_by_their_luminance_at_one_scale(self):
        dark, light = (
            np.full((1, 161, 161, 3), 100, np.uint8),
            np.full((1, 161, 161, 3), 110, np.uint8),
        )
        luminance = ssim(dark, light)[0]
        assert luminance == pytest.approx(0.995476, abs=1e-6)
        assert ms_ssim(dark, light)[0] == pytest.approx(luminance ** EXPONENTS[-1], rel=1e-9)

    def test_equal_images_have_1_and_more_noise_has_less(self):
        image = noise(1, 176, 200, 3)
        assert ms_ssim(image, image)[0] == pytest.approx(1.0)
        values = []
        for share in (0.1, 0.5, 1.0):
            other = (1 - share) * image + share * noise(1, 176, 200, 3, seed=1)
            values.append(ms_ssim(image, other.astype(np.uint8))[0])
        assert 1.0 > values[0] > values[1] > values[2] >= 0.0

    def test_exponents_are_those_of_the_paper(self):
        assert sum(EXPONENTS) == pytest.approx(1.0, abs=1e-4)


@pytest.fixture(scope="module")
def frechet():
    """The module; timm and torchvision take seconds to import."""
    return import_module("orchestrator.training.measuring.frechet")


class TestFrechet:
    @given(
        st.lists(st.floats(-3, 3), min_size=4, max_size=4),
        st.lists(st.floats(0.1, 3), min_size=8, max_size=8),
    )
    @examples(30)
    def test_of_independent_features_it_is_that_of_each(self, frechet, shift, spreads):
        one, other = np.array(spreads[:4]), np.array(spreads[4:])
        found = frechet.frechet_distance(
            frechet.Gaussian(np.zeros(4), np.diag(one**2)),
            frechet.Gaussian(np.array(shift), np.diag(other**2)),
        )
        wanted = np.square(shift).sum() + np.square(one - other).sum()
        assert found == pytest.approx(wanted, abs=1e-6)

    def test_it_is_0_of_equal_sets_and_symmetric(self, frechet):
        rng = np.random.default_rng(0)
        mixed = rng.normal(size=(5, 5))
        drawn = rng.normal(size=(50, 5)) @ mixed, rng.normal(size=(50, 5))
        one, other = map(frechet.fitted, drawn)
        distance = frechet.frechet_distance
        assert distance(one, one) == pytest.approx(0.0, abs=1e-6)
        assert distance(one, other) == pytest.approx(distance(other, one))

    def test_weights_of_another_network_are_refused(self, frechet, tmp_path):
        torch.save({"_fc.bias": torch.zeros(10)}, tmp_path / "efficientnet-lite0.pth")
        with pytest.raises(ConfigurationError, match="has other layers than tf_efficientnet_lite0"):
            frechet.load_network(tmp_path)

    def test_real_features_are_1280_and_not_negative(self, frechet):
        network = frechet.load_network(real(EFFICIENTNET_LITE0))
        found = frechet.gaussian_of(network, noise(3, 32, 32, 3))
        assert found.mean_D.shape == (1280,)
        assert found.covariance_DD.shape == (1280, 1280)
        assert (found.mean_D >= 0).all()  # behind ReLU6 and a mean
        assert found.mean_D.max() <= 6.0


class TestSentenceVectors:
    def test_padding_changes_no_vector(self):
        torch.manual_seed(0)
        network = MiniLm(50, layers=2, width=24, inner=32).eval()
        short, long = torch.tensor([[3, 4, 5]]), torch.tensor([[6, 7, 8, 9, 10, 11]])
        both = torch.cat([torch.nn.functional.pad(short, (0, 3)), long])
        there = torch.tensor([[True] * 3 + [False] * 3, [True] * 6])
        with torch.inference_mode():
            found = network(both, there)
            alone = network(short, torch.ones(1, 3, dtype=torch.bool))
        torch.testing.assert_close(found[:1], alone, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(2))

    def test_cosines_of_unit_vectors(self):
        one = np.array([[1.0, 0.0], [0.6, 0.8]])
        np.testing.assert_allclose(cosines(one, np.array([[0.0, 1.0], [0.6, 0.8]])), [0.0, 1.0])

    def test_real_vectors_give_the_published_cosines(self):
        """The example of the model's page: 0.943, 0.695 and 0.257."""
        pytest.importorskip("tokenizers")
        vectors = SentenceVectors(real(MINILM)).of(
            [
                "That is a happy person", "That is a very happy person", "That is a happy dog",
                "Today is a sunny day", "",
            ]
        )  # fmt: skip
        found = cosines(vectors[:1].repeat(3, axis=0), vectors[1:4])
        np.testing.assert_allclose(found, [0.943, 0.695, 0.257], atol=6e-4)
        assert np.isfinite(vectors).all()
