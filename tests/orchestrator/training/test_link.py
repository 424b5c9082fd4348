"""What is trained is what is served: the training link against the deployed halves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from channel_sim.channels import ChannelDraw, pass_through
from orchestrator.training.loop import learning_rate
from orchestrator.training.losses import joint, logit_distillation
from orchestrator.training.settings import DistillationSettings, StageSettings
from orchestrator.training.training_link import Conditions, TrainingLink, unit_draw
from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.nn.image_input import prepare_images
from semcom.points import ChannelModel, ChannelSettings, EqualizerMethod


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
@pytest.mark.parametrize("equalizer", ["zero_forcing", "mmse"])
@pytest.mark.parametrize("model", ["awgn", "rayleigh", "rician"])
def test_training_link_gives_the_logits_of_the_deployed_path(
    system: str, model: ChannelModel, equalizer: EqualizerMethod
) -> None:
    link, channel = small_link(system), ChannelSettings(model=model, equalizer=equalizer)
    images = np.random.default_rng(1).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    snr_db = 7.0
    snr_db_B = torch.full((16,), snr_db)
    with torch.inference_mode():
        prepared = prepare_images(torch.from_numpy(images), InputSpec(size=32))
        output = link(prepared, Conditions(snr_db_B=snr_db_B, channel=channel, key="test"))
        trained = output.logits_BT.numpy()

    symbols_BK = link.transmitter.encode(images, snr_db=snr_db)
    fading, unit_noise = unit_draw(torch.Size(symbols_BK.shape), channel=channel, key="test")
    noise = unit_noise * torch.pow(10.0, -snr_db_B / 20.0).unsqueeze(1)
    draw = ChannelDraw(fading.numpy(), noise.numpy(), fading.numpy())
    served = link.receiver.decode(
        pass_through(symbols_BK, draw),
        None if model == "awgn" else draw.csi_B1,
        snr_db_N=snr_db_B.numpy(),
        equalizer=equalizer,
    )
    np.testing.assert_allclose(served, trained, rtol=1e-4, atol=1e-5)


def test_noise_of_a_sample_follows_its_own_snr() -> None:
    link = small_link("jscc-student")
    images = torch.randn(1, 3, 32, 32).expand(200, -1, -1, -1)
    snr_db_B = torch.tensor([0.0, 20.0]).repeat(100)
    with torch.no_grad():
        output = link(images, Conditions(snr_db_B, ChannelSettings(), "k"))
        sent = link.transmitter.forward(images, snr_db_B)[1]
    error = torch.view_as_complex(output.recovered_BD.unflatten(1, (-1, 2))) - sent
    power = error.abs().square().mean(dim=1)
    assert power[::2].mean().item() == pytest.approx(1.0, rel=0.05)
    assert power[1::2].mean().item() == pytest.approx(0.01, rel=0.05)


def test_ranksunit_draw_their_images_part_of_one_channel() -> None:
    channel = ChannelSettings(model="rayleigh")
    whole = unit_draw(torch.Size((8, 6)), channel=channel, key="k")
    parts = [
        unit_draw(torch.Size((4, 6)), channel=channel, key="k", first=first) for first in (0, 4)
    ]
    for index in range(2):
        assert torch.equal(torch.cat([part[index] for part in parts]), whole[index])


def test_rician_fades_have_a_line_of_sight() -> None:
    channel = ChannelSettings(model="rician", rician_k=9.0)
    fading, _ = unit_draw(torch.Size((20_000, 1)), channel=channel, key="k")
    assert abs(fading.mean() - 0.9**0.5) < 0.01
    assert fading.abs().square().mean().item() == pytest.approx(1.0, abs=0.02)


def test_joint_loss_has_the_three_terms_of_equation_26_and_stops_the_gradient_at_h() -> None:
    link = small_link()
    link.train()
    images = torch.randn(8, 3, 32, 32)
    output = link(images, Conditions(torch.full((8,), 10.0), ChannelSettings(), "k"))
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


def test_logits_follow_those_without_a_channel_and_only_one_side_learns() -> None:
    link = small_link()
    output = link(
        torch.randn(8, 3, 32, 32), Conditions(torch.full((8,), 10.0), ChannelSettings(), "k")
    )
    clean = (output.logits_BT.detach() + torch.randn_like(output.logits_BT)).requires_grad_()
    settings = DistillationSettings(logit_weight=0.5, logit_temperature=3.0)
    (term,) = logit_distillation(output, clean, settings).values()
    ours, theirs = ((each / 3).softmax(dim=1) for each in (output.logits_BT, clean))
    expected = 0.5 * 9 * (theirs * (theirs / ours).log()).sum(dim=1).mean()
    assert term.item() == pytest.approx(expected.item(), rel=1e-4)
    term.backward()
    assert clean.grad is None
    assert sum(p.grad.abs().sum() for p in link.receiver.head.parameters()) > 0


def test_learning_rate_warms_up_and_falls_to_its_end() -> None:
    settings = StageSettings(epochs=1, lr=1.0, lr_end=0.1, warmup=0.2)
    assert learning_rate(settings, 0.0) == pytest.approx(0.05)
    assert learning_rate(settings, 0.2) == pytest.approx(1.0)
    assert learning_rate(settings, 1.0) == pytest.approx(0.1)
    assert learning_rate(settings, 0.5) > learning_rate(settings, 0.9)
