"""What is trained is what is served: the training link against the deployed halves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from channel_sim.channels import ChannelDraw, pass_through
from orchestrator.training.data import augment, keyed_generator
from orchestrator.training.link import TrainingLink, _draw
from orchestrator.training.loop import learning_rate
from orchestrator.training.losses import joint
from orchestrator.training.settings import (
    AugmentationSettings,
    DistillationSettings,
    StageSettings,
)
from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.nn.images import prepare_images


def small_link(system: str = "rkd-sc") -> TrainingLink:
    torch.manual_seed(0)
    architecture = CodecArchitecture(
        encoder=EncoderArchitecture(
            input=InputSpec(size=32),
            depths=(1, 1, 1, 1),
            width=0.25,
            stem_conv_stride=1,
            feature_dim=64,
        ),
        channel=ChannelCodecArchitecture.model_validate(
            {"system": system, "feature_dim": 64, "ffn_dim": 64, "compression_ratio": 0.2}
        ),
        classes=10,
    )
    link = TrainingLink(architecture)
    link.eval()
    return link


@pytest.mark.parametrize("system", ["rkd-sc", "jscc-student"])
@pytest.mark.parametrize("model", ["awgn", "rayleigh"])
def test_training_link_gives_the_logits_of_the_deployed_path(system: str, model: str) -> None:
    link = small_link(system)
    images = np.random.default_rng(1).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    snr_db = 7.0
    snr_db_B = torch.full((16,), snr_db)
    with torch.inference_mode():
        prepared = prepare_images(torch.from_numpy(images), InputSpec(size=32))
        trained = link(prepared, snr_db_B=snr_db_B, model=model, key="test").logits_BT.numpy()

    symbols_BK = link.transmitter.encode(images, snr_db=snr_db)
    fading, noise = _draw(torch.Size(symbols_BK.shape), snr_db_B=snr_db_B, model=model, key="test")
    draw = ChannelDraw(fading.numpy(), noise.numpy(), fading.numpy())
    served = link.receiver.decode(
        pass_through(symbols_BK, draw),
        draw.csi_B1,
        snr_db_N=snr_db_B.numpy(),
        equalizer="zero_forcing",
    )
    np.testing.assert_allclose(served, trained, rtol=1e-4, atol=1e-5)


def test_noise_of_a_sample_follows_its_own_snr() -> None:
    snr_db_B = torch.tensor([0.0, 20.0])
    _, noise = _draw(torch.Size((2, 20_000)), snr_db_B=snr_db_B, model="awgn", key="k")
    power = noise.abs().square().mean(dim=1)
    assert power[0].item() == pytest.approx(1.0, rel=0.05)
    assert power[1].item() == pytest.approx(0.01, rel=0.05)


def test_joint_loss_has_the_three_terms_of_equation_26_and_stops_the_gradient_at_h() -> None:
    link = small_link()
    link.train()
    images = torch.randn(8, 3, 32, 32)
    output = link(images, snr_db_B=torch.full((8,), 10.0), model="awgn", key="k")
    labels = torch.arange(8)
    settings = DistillationSettings(kd_weight=0.0, re_weight=2.0, task_weight=0.0)
    terms = joint(output, torch.zeros(8, 64), labels, settings)
    assert set(terms) == {"kd", "re", "task"}
    expected = 2 * (output.recovered_BD - output.features_BD).square().mean()
    assert terms["re"].item() == pytest.approx(expected.item(), rel=1e-5)
    output.features_BD.retain_grad()
    direct = torch.autograd.grad(terms["re"], output.recovered_BD, retain_graph=True)[0]
    assert direct.abs().sum() > 0
    assert terms["kd"].item() == 0.0


def test_augmentation_is_keyed_and_keeps_pixels_of_the_image() -> None:
    images = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    )
    settings = AugmentationSettings(crop_padding=4, flip=True)
    once = augment(images, settings, keyed_generator("a"))
    assert torch.equal(once, augment(images, settings, keyed_generator("a")))
    assert not torch.equal(once, augment(images, settings, keyed_generator("b")))
    assert once.shape == images.shape
    still = augment(images, AugmentationSettings(crop_padding=0, flip=False), keyed_generator("a"))
    assert torch.equal(still, images)


def test_learning_rate_warms_up_and_falls_to_its_end() -> None:
    settings = StageSettings(epochs=1, lr=1.0, lr_end=0.1, warmup=0.2)
    assert learning_rate(settings, 0.0) == pytest.approx(0.05)
    assert learning_rate(settings, 0.2) == pytest.approx(1.0)
    assert learning_rate(settings, 1.0) == pytest.approx(0.1)
    assert learning_rate(settings, 0.5) > learning_rate(settings, 0.9)
