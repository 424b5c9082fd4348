"""Losses and stages: which weights each term moves, what the teacher sees, how a student starts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from orchestrator.training.data import Epoch, EpochKey
from orchestrator.training.semnoma.link import SlotLink, start_from_teacher
from orchestrator.training.semnoma.losses import affinity
from orchestrator.training.semnoma.pipeline import SemnomaPipeline, architecture_of, split
from orchestrator.training.semnoma.slots import Slots, draw_slots
from orchestrator.training.semnoma.stages import DistillationStage
from tests.orchestrator.training.harness import run_here
from tests.orchestrator.training.semnoma.harness import small_settings


@pytest.fixture
def pipeline(data_dir: Path, tmp_path: Path) -> SemnomaPipeline:
    return SemnomaPipeline(small_settings(data_dir, tmp_path), run_here())


def students(pipeline: SemnomaPipeline, **weights: float) -> DistillationStage:
    """The distillation with a teacher of random weights, and other weights of the loss."""
    settings = pipeline.settings
    pipeline.settings = settings.model_copy(
        update={"losses": settings.losses.model_copy(update=weights)}
    )
    torch.manual_seed(7)
    pipeline._teacher = SlotLink(architecture_of("teacher", settings), users=2)
    stage = pipeline._make_stage("kd_semnoma")
    assert isinstance(stage, DistillationStage)
    return stage


def a_batch(pipeline: SemnomaPipeline, first_rank: int = 0, ranks: int = 1):
    from orchestrator.training.data import Rank  # noqa: PLC0415

    return Epoch(
        pipeline.images,
        pipeline.settings.augmentation,
        key=EpochKey(0, "slots", 0),
        batch=8,
        views=False,
        rank=Rank(first_rank, ranks),
    )[0]


def moved(stage: DistillationStage, term: str, pipeline: SemnomaPipeline) -> set[str]:
    """Which parts get a gradient of one term."""
    stage.zero_grad(set_to_none=True)
    stage(a_batch(pipeline))[term].backward()
    return {
        name.partition(".stages")[0].partition(".grow.1")[0].removeprefix("link.").split(".")[0]
        for name, parameter in stage.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }


def test_each_term_moves_what_it_is_of_and_never_the_teacher(pipeline: SemnomaPipeline) -> None:
    stage = students(pipeline)
    assert set(stage(a_batch(pipeline))) == {"image", "affinity", "cross"}
    assert moved(stage, "image", pipeline) == {"encoder", "decoders"}
    assert moved(stage, "affinity", pipeline) == {"encoder"}
    assert moved(stage, "cross", pipeline) == {"encoder", "decoders"}
    assert [p for p in stage._frozen[0].parameters() if p.requires_grad or p.grad is not None] == []
    assert not any(name.startswith("_frozen") for name, _ in stage.named_parameters())
    assert not stage._frozen[0].training
    stage.start_epoch(EpochKey(0, "slots", 0))
    assert not stage._frozen[0].training


def test_cross_term_moves_nothing_behind_the_first_pixel_shuffle(pipeline: SemnomaPipeline) -> None:
    stage = students(pipeline)
    stage(a_batch(pipeline))["cross"].backward()
    with_gradient = {
        name for name, p in stage.link.decoders[0].named_parameters() if p.grad is not None
    }
    assert any(name.startswith("stages.0") for name in with_gradient)
    assert not any(name.startswith(("stages.1", "grow.1", "output")) for name in with_gradient)


@pytest.mark.parametrize(
    ("weights", "terms"),
    [
        ({"affinity_weight": 0.0}, {"image", "cross"}),
        ({"cross_weight": 0.0}, {"image", "affinity"}),
        ({"affinity_weight": 0.0, "cross_weight": 0.0}, {"image"}),
    ],
)
def test_terms_of_no_weight_are_left_out(pipeline, weights, terms):
    assert set(students(pipeline, **weights)(a_batch(pipeline))) == terms


def test_weights_scale_their_terms(pipeline: SemnomaPipeline) -> None:
    one = students(pipeline, affinity_weight=0.1, cross_weight=0.1)(a_batch(pipeline))
    more = students(pipeline, affinity_weight=0.3, cross_weight=0.2)(a_batch(pipeline))
    assert float(more["affinity"].detach() / one["affinity"].detach()) == pytest.approx(
        3.0, rel=1e-5
    )
    assert float(more["cross"].detach() / one["cross"].detach()) == pytest.approx(2.0, rel=1e-5)


def test_affinity_is_the_cosine_of_positions_whatever_their_length() -> None:
    features = torch.randn(2, 3, 4, 2, 2)
    likeness = affinity(features)
    assert likeness.shape == (2, 3, 4, 4)
    torch.testing.assert_close(affinity(7.0 * features), likeness)
    torch.testing.assert_close(likeness.diagonal(dim1=2, dim2=3), torch.ones(2, 3, 4))
    one, other = features[1, 2, :, 0, 1], features[1, 2, :, 1, 0]
    cosine = torch.cosine_similarity(one, other, dim=0)
    torch.testing.assert_close(likeness[1, 2, 1, 2], cosine)


def test_teacher_meets_the_fades_and_the_noise_of_the_student(pipeline, monkeypatch) -> None:
    stage, seen = students(pipeline), []
    real = SlotLink.forward

    def watching(link, images, draw, snr_db_N):
        seen.append((link.is_superposed, images, draw, snr_db_N))
        return real(link, images, draw, snr_db_N)

    monkeypatch.setattr(SlotLink, "forward", watching)
    stage(a_batch(pipeline))
    (joint, images, draw, snr), (alone, same_images, same_draw, same_snr) = seen
    assert (joint, alone) == (True, False)
    assert (same_images is images, same_draw is draw, same_snr is snr) == (True, True, True)
    assert draw.noise_VNK.shape[0] == 1  # the slot's, for both


def test_student_starts_as_the_teacher(pipeline: SemnomaPipeline) -> None:
    settings = pipeline.settings
    teacher = SlotLink(architecture_of("teacher", settings), users=2)
    student = SlotLink(settings.architecture, users=2)
    start_from_teacher(student, teacher)
    images, symbols = torch.rand(2, 4, 3, 32, 32), settings.architecture.symbols
    draw = draw_slots(Slots("x", 0, 4, 2), "rayleigh", symbols=symbols, own_noise=False)
    snr_db = torch.full((4,), 7.0)
    with torch.no_grad():
        both = [link.encoder(images[0], torch.ones(4, dtype=torch.long), snr_db)
                for link in (teacher, student)]  # fmt: skip
        torch.testing.assert_close(both[1], both[0], rtol=0, atol=0)
        output = student(images, draw, snr_db)
        for user, decoder in enumerate(student.decoders):
            known = output.side_UNS[user][:, :2]  # the SNR and the user's own gain
            expected = teacher.decoders[0](output.features_UNChw[user], known)
            torch.testing.assert_close(
                decoder(output.features_UNChw[user], output.side_UNS[user]), expected
            )
    (bare, _), planes = (settings.architecture.users, None), student.encoder.planes
    assert bare == 2
    assert not torch.equal(planes[0], planes[1])


def test_ranks_form_the_slots_of_one_rank(pipeline: SemnomaPipeline) -> None:
    stage = pipeline._make_stage("semnoma")
    whole = stage.send(a_batch(pipeline))
    parts = [stage.send(a_batch(pipeline, rank, 2)) for rank in range(2)]
    images = torch.cat([part.images_UN3HW for part in parts], dim=1)
    torch.testing.assert_close(images, whole.images_UN3HW, rtol=0, atol=0)
    noise = torch.cat([part.draw.noise_VNK for part in parts], dim=1)
    torch.testing.assert_close(noise, whole.draw.noise_VNK, rtol=0, atol=0)
    snr_db = torch.cat([part.snr_db_N for part in parts])
    torch.testing.assert_close(snr_db, whole.snr_db_N, rtol=0, atol=0)
    assert 0.0 <= float(snr_db.min()) < float(snr_db.max()) <= 20.0


def test_published_losses_are_absolute_errors(data_dir: Path, tmp_path: Path) -> None:
    losses = {"image": "mae", "image_weight": 10.0}
    pipeline = SemnomaPipeline(small_settings(data_dir, tmp_path, losses=losses), run_here())
    stage, batch = pipeline._make_stage("semnoma"), a_batch(pipeline)
    sent = stage.send(batch)
    error = (stage._through(stage.link, sent).pixels_UN3HW - sent.images_UN3HW).abs()
    torch.testing.assert_close(stage(batch)["image"], 10.0 * 2 * error.mean())


def test_held_out_images_are_none_of_the_training_and_the_same_for_every_seed(
    pipeline: SemnomaPipeline, data_dir: Path, tmp_path: Path
) -> None:
    kept, trained = set(pipeline.held_out.members_M.tolist()), pipeline.images.members_M.tolist()
    assert (len(kept), len(trained)) == (4, 36)
    assert kept.isdisjoint(trained)
    other = SemnomaPipeline(small_settings(data_dir, tmp_path, seed=5), run_here(5))
    assert set(other.held_out.members_M.tolist()) == kept
    assert len(split(pipeline.images, 0.5)[1]) == 18


def test_architectures_of_teacher_and_orthogonal_users(data_dir: Path, tmp_path: Path) -> None:
    settings = small_settings(data_dir, tmp_path, teacher_power="share")
    joint, teacher = settings.architecture, architecture_of("teacher", settings)
    assert (teacher.users, teacher.symbols) == (1, joint.symbols)
    assert teacher.snr_db == pytest.approx((-3.0103, 16.9897), abs=1e-4)
    orthogonal = architecture_of("oma", settings)
    assert (orthogonal.users, 2 * orthogonal.symbols) == (1, joint.symbols)
    full = small_settings(data_dir, tmp_path)
    assert architecture_of("teacher", full).snr_db == joint.snr_db
