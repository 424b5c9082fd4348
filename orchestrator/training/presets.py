"""Presets of `semcom train DATASET --preset NAME`.

`compact`        native resolution, the paper's stages and feature width; what a CPU can train.
`pretrained`     `compact` with a teacher on EfficientNet-Lite2 of ImageNet at 224x224, frozen.
`embedded`       half the width and a quarter of the feature, for the procedurally drawn sets.
`smoke`          `embedded` with the shortest schedules and the search, to see the pipeline run;
                 its codec is poor.
`paper`          section IV-A: CLIP ViT-B/16 at 224x224, SNR ~ U(5, 20) dB; needs a GPU.
`robust`         `paper` with SNR ~ U(-10, 20) dB.
`paper_literal`  `paper` with the search's two optimisers as printed in the paper, and the selection
by alpha itself. `globecom`       `paper` with ViT-B/32, which has the number of parameters in the
paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from orchestrator.training.given_codecs import lay_frozen_teacher, lay_given_codecs
from orchestrator.training.overrides import laid_over
from orchestrator.training.published_weights import MODEL_OF, PublishedName
from orchestrator.training.settings import (
    AugmentationSettings,
    DistillationSettings,
    SearchSettings,
    StageName,
    StageSettings,
    TeacherSettings,
    TrainingSettings,
)
from semcom.architecture import (
    TABLE_III_DEPTHS,
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    Depths,
    EncoderArchitecture,
    InputSpec,
    System,
    TimmEncoderArchitecture,
)
from semcom.errors import ConfigurationError
from semcom.names import check_name
from semcom.settings import validate
from semcom.shards import DatasetManifest

# Table III and section IV-A. Synthetic sets get the values of the data set of the same difficulty,
# and any other set those of the paper's first set with at least as many classes, or of the last.
STANDS_FOR = {"shapes10": "cifar10", "shapes100": "cifar100", "shapes200": "tiny-imagenet"}
COMPRESSION_RATIO = {"cifar10": 0.8, "cifar100": 0.2, "tiny-imagenet": 0.1}
PAPER_CLASSES = {"cifar10": 10, "cifar100": 100, "tiny-imagenet": 200}
CIFAR_IMAGES = 50_000
# Pixels per side in compact networks: smaller images leave no feature map, larger ones take long.
MIN_INPUT, MAX_INPUT = 32, 128
LITE2: PublishedName = "efficientnet-lite2"
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3  # (pixel - 127) / 128
ROBUST = DistillationSettings(snr_db_low=-10.0, snr_db_high=20.0)
Fields = dict[str, Any]
Stages = dict[StageName, StageSettings]


def compact(manifest: DatasetManifest) -> Fields:
    """Native resolution, the depths of Table III, short schedules and SNR ~ U(-10, 20) dB."""
    muon = StageSettings(epochs=1, optimizer="muon", lr=0.02, warmup=0.15, weight_decay=0.02)
    # With more classes, students are larger (Table III) and take longer; so does their teacher.
    epochs, hidden = (20, 3072) if len(manifest.classes) <= 10 else (24, 4096)
    stages: Stages = {
        "teacher": StageSettings(
            epochs=epochs, batch=128, optimizer="sgd", lr=0.1, warmup=0.2, weight_decay=5e-4
        ),
        "search": StageSettings(
            epochs=10, batch=128, optimizer="sgd", lr=0.025, lr_end=1e-4, weight_decay=1e-4
        ),
        "stage1": muon.model_copy(update={"epochs": 13}),
        "head": StageSettings(epochs=1, lr=2e-3),
        "stage2": muon.model_copy(
            update={"epochs": 8, "batch": 256, "lr": 5e-3, "max_gradient_norm": 1.0}
        ),
        "jscc": muon.model_copy(update={"epochs": 23, "max_gradient_norm": 1.0}),
    }
    stages = _as_many_images(stages, manifest)
    return {
        "architecture": _architecture(
            manifest,
            EncoderArchitecture(
                input=_native(manifest),
                depths=TABLE_III_DEPTHS["kdl-darts", _stands_for(manifest)],
                stem_conv_stride=1 if manifest.image_size < 64 else 2,
            ),
            ffn_dim=512,
        ),
        "teacher": TeacherSettings(
            encoder=ConvEncoderArchitecture(input=_native(manifest), hidden=hidden),
            cutout=8,
        ),
        "stages": stages,
        "distillation": ROBUST.model_copy(update={"whitening": 0.99}),
        "augmentation": AugmentationSettings(crop_padding=4, views=8),
        # The search has ten epochs instead of 200, so alpha moves faster and starts later.
        "search": SearchSettings(lr=3e-3, warmup_epochs=2 * stages["search"].epochs // 5),
    }


def pretrained(manifest: DatasetManifest) -> Fields:
    """`compact` with a large teacher that was trained on other images; two views are kept."""
    fields = compact(manifest)
    encoder = TimmEncoderArchitecture(
        input=InputSpec(size=224, mean=LITE_MEAN, std=LITE_STD), model=MODEL_OF[LITE2]
    )
    teacher = StageSettings(epochs=20, batch=256, lr=1e-3, warmup=0.05, weight_decay=0.01)
    return {
        **fields,
        "teacher": TeacherSettings(encoder=encoder, pretrained=LITE2, backbone="frozen"),
        "stages": {**fields["stages"], **_as_many_images({"teacher": teacher}, manifest)},
        "augmentation": AugmentationSettings(crop_padding=4, views=2),
    }


def _as_many_images(stages: Stages, manifest: DatasetManifest) -> Stages:
    """Keep the number of steps for larger sets: epochs are for CIFAR's 50,000 images."""
    train = manifest.splits.get("train")
    share = min(1.0, CIFAR_IMAGES / train.images) if train else 1.0
    return {
        name: stage.model_copy(update={"epochs": math.ceil(stage.epochs * share)})
        for name, stage in stages.items()
    }


def embedded(manifest: DatasetManifest) -> Fields:
    """Small enough to ship three codecs in a few megabytes and to train them in minutes."""
    depths: Depths = (1, 2, 2, 1)
    stages: Stages = {
        "teacher": StageSettings(
            epochs=10, batch=128, optimizer="sgd", lr=0.1, warmup=0.2, weight_decay=5e-4
        ),
        "search": StageSettings(
            epochs=4, batch=128, optimizer="sgd", lr=0.025, lr_end=1e-4, weight_decay=1e-4
        ),
        "stage1": StageSettings(epochs=12, lr=3e-3, lr_end=1e-5, warmup=0.1, weight_decay=0.02),
        "head": StageSettings(epochs=1, lr=3e-3),
        "stage2": StageSettings(epochs=8, lr=2e-3, lr_end=1e-6, warmup=0.1, weight_decay=0.02),
        "jscc": StageSettings(epochs=20, lr=3e-3, lr_end=1e-5, warmup=0.1, weight_decay=0.02),
    }
    return {
        "architecture": _architecture(
            manifest,
            EncoderArchitecture(
                input=_native(manifest),
                depths=depths,
                width=0.5,
                stem_conv_stride=1 if manifest.image_size < 64 else 2,
                feature_dim=128,
            ),
            ffn_dim=256,
        ),
        "teacher": TeacherSettings(
            encoder=ConvEncoderArchitecture(
                input=_native(manifest),
                blocks=((32,), (64,), (128,), (256,)),
                residual_after=(1, 3),
                whiten=False,
                hidden=0,
                feature_dim=128,
            ),
            identity_init=False,
        ),
        "stages": stages,
        "distillation": ROBUST,
        "augmentation": AugmentationSettings(crop_padding=4, flip="random"),
        "search": SearchSettings(lr=3e-3),
    }


def smoke(manifest: DatasetManifest) -> Fields:
    """The shortest schedules that still learn something, the search included."""
    fields = embedded(manifest)
    epochs = {"teacher": 4, "search": 1, "stage1": 4, "head": 1, "stage2": 3, "jscc": 7}
    muon = {"teacher": 0.02, "stage1": 0.02, "stage2": 0.005, "jscc": 0.02}  # learns in few steps
    for name, stage in fields["stages"].items():
        changes: Fields = {"epochs": epochs[name], "batch": 64}
        if name in muon:
            changes |= {"optimizer": "muon", "lr": muon[name]}
        fields["stages"][name] = stage.model_copy(update=changes)
    augmentation = fields["augmentation"].model_copy(update={"views": 2})
    return {**fields, "augmentation": augmentation, "depths": "search", "images": 1000}


def paper(manifest: DatasetManifest) -> Fields:
    """Section IV-A as printed, with the decisions of docs/training.md."""
    adam = StageSettings(epochs=300, batch=100, optimizer="adam", lr=5e-4, lr_end=5e-5)
    stages: Stages = {
        "teacher": StageSettings(epochs=10, batch=100, optimizer="adam", lr=1e-3, lr_end=1e-5),
        "search": StageSettings(
            epochs=200, batch=100, optimizer="sgd", lr=0.025, lr_end=1e-4, weight_decay=1e-4
        ),
        "stage1": adam,
        "head": StageSettings(epochs=5, batch=100, optimizer="adam", lr=1e-3),
        "stage2": adam.model_copy(update={"epochs": 100, "lr_end": 1e-5}),
        "jscc": adam.model_copy(update={"epochs": 400}),
    }
    return {
        "architecture": _architecture(
            manifest,
            EncoderArchitecture(
                input=InputSpec(size=224),
                depths=TABLE_III_DEPTHS["kdl-darts", _stands_for(manifest)],
            ),
            ffn_dim=2048,
        ),
        "teacher": TeacherSettings(
            encoder=TimmEncoderArchitecture(
                input=InputSpec(size=224), model="vit_base_patch16_clip_224.openai"
            ),
            fine_tune=False,
            label_smoothing=0.0,
        ),
        "stages": stages,
        "distillation": DistillationSettings(),
        "augmentation": AugmentationSettings(flip="random", crop_padding=4),
    }


def robust(manifest: DatasetManifest) -> Fields:
    """`paper`, trained down to -10 dB."""
    return {**paper(manifest), "distillation": ROBUST}


def paper_literal(manifest: DatasetManifest) -> Fields:
    """`paper` with the learning rates of weights and alpha swapped, as in the paper's text."""
    fields = paper(manifest)
    search = fields["stages"]["search"].model_copy(update={"lr": 3e-4, "lr_end": 1e-4})
    return {
        **fields,
        "stages": {**fields["stages"], "search": search},
        "search": SearchSettings(optimizer="sgd", lr=0.025, lr_end=1e-4, selection="alpha"),
    }


def globecom(manifest: DatasetManifest) -> Fields:
    """`paper` with the teacher of 87,849,216 parameters."""
    fields = paper(manifest)
    encoder = TimmEncoderArchitecture(
        input=InputSpec(size=224), model="vit_base_patch32_clip_224.openai"
    )
    return {**fields, "teacher": fields["teacher"].model_copy(update={"encoder": encoder})}


PRESETS: dict[str, Callable[[DatasetManifest], Fields]] = {
    "compact": compact,
    "embedded": embedded,
    "smoke": smoke,
    "paper": paper,
    "robust": robust,
    "paper_literal": paper_literal,
    "globecom": globecom,
    "pretrained": pretrained,
}


def settings_from_preset(
    preset: str,
    manifest: DatasetManifest,
    *,
    name: str,
    system: System = "rkd-sc",
    overrides: dict[str, Any],
) -> TrainingSettings:
    """Return a preset for a system with `overrides` (nested, as in YAML) applied to it.

    Raises:
        ConfigurationError: an unknown preset, key or value.
    """
    if preset not in PRESETS:
        raise ConfigurationError(f"unknown preset '{preset}'; available: {', '.join(PRESETS)}")
    if manifest.sentences is not None:
        raise ConfigurationError(
            f"data set {manifest.name} has sentences, but {system} is trained on images; "
            "train it with --family kd_semcom"
        )
    if not manifest.classes:
        raise ConfigurationError(
            f"data set {manifest.name} has images without classes, but {system} is "
            "trained on classes; "
            "prepare it from class folders"
        )
    base = TrainingSettings(
        name=check_name(name, what="codec's --name"),
        dataset=manifest.name,
        **_fitting(PRESETS[preset](manifest), manifest),
    )
    merged = laid_over(_for_system(base, system).model_dump(), overrides)
    if system == "rkd-sc":
        lay_given_codecs(merged, overrides, manifest)
    elif system == "jscc-teacher":
        lay_frozen_teacher(merged, overrides)
    encoder = merged["architecture"]["encoder"]
    if system == "jscc-teacher":
        if "encoder" in (overrides.get("architecture") or {}):
            raise ConfigurationError(
                "architecture.encoder: the JSCC-teacher sends with teacher.encoder; "
                "change that instead"
            )
        merged["architecture"]["encoder"] = merged["teacher"]["encoder"]
    elif merged["depths"] == "darts":
        encoder["depths"] = TABLE_III_DEPTHS["darts", _stands_for(manifest)]
    return validate(TrainingSettings, merged, where="settings")


def _for_system(settings: TrainingSettings, system: System) -> TrainingSettings:
    """Return the preset for a baseline; the JSCC-teacher starts from trained weights."""
    if system == "rkd-sc":
        return settings
    architecture = settings.architecture
    channel = architecture.channel.model_copy(update={"system": system})
    stages = settings.stages
    if system == "jscc-teacher":
        teacher = stages["teacher"]
        # Fine-tuned: at a tenth of the learning rate, or one that does not harm a pretrained model.
        tuned: Fields = {
            "epochs": max(1, teacher.epochs // 4),
            "lr": round(teacher.lr / 10, 6),
            "warmup": 0.1,
        }
        if isinstance(settings.teacher.encoder, TimmEncoderArchitecture):
            tuned = {"epochs": teacher.epochs, "lr": 1e-5, "lr_end": 0.0, "warmup": 0.1}
        jscc = teacher.model_copy(update={**tuned, "max_gradient_norm": 1.0})
        stages = {**stages, "jscc": jscc}
    architecture = architecture.model_copy(update={"channel": channel})
    return settings.model_copy(
        update={"architecture": architecture, "stages": stages, "depths": "preset"}
    )


def _architecture(
    manifest: DatasetManifest, encoder: EncoderArchitecture, *, ffn_dim: int
) -> CodecArchitecture:
    return CodecArchitecture(
        encoder=encoder,
        channel=ChannelCodecArchitecture(
            feature_dim=encoder.feature_dim,
            ffn_dim=ffn_dim,
            compression_ratio=COMPRESSION_RATIO[_stands_for(manifest)],
        ),
        classes=len(manifest.classes),
    )


def _native(manifest: DatasetManifest) -> InputSpec:
    """Return the stored size of images, within the limits of the compact networks."""
    return InputSpec(size=min(max(manifest.image_size, MIN_INPUT), MAX_INPUT))


def _fitting(fields: Fields, manifest: DatasetManifest) -> Fields:
    """Reduce batches for a set with fewer images than a step of a stage takes.

    They become the largest power of two not above half of the images, as the search needs.
    """
    train = manifest.splits.get("train")
    there = min(train.images if train else CIFAR_IMAGES, fields.get("images") or CIFAR_IMAGES)
    most = max(2, 1 << (there // 2).bit_length() - 1) if there > 1 else 2
    stages = {
        name: stage.model_copy(update={"batch": min(stage.batch, most)})
        if there // 2 < stage.batch
        else stage
        for name, stage in fields["stages"].items()
    }
    return {**fields, "stages": stages}


def _stands_for(manifest: DatasetManifest) -> str:
    """Return the paper's data set whose depths and compression ratio are used."""
    name = STANDS_FOR.get(manifest.name, manifest.name)
    if name in PAPER_CLASSES:
        return name
    classes = len(manifest.classes)
    return next((at for at, most in PAPER_CLASSES.items() if classes <= most), "tiny-imagenet")
