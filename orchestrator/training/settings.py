"""The settings of a training job; every field can be set from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.training.published_weights import PublishedName, check_published
from semcom.architecture import (
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    System,
    TimmEncoderArchitecture,
)
from semcom.points import ChannelModel
from semcom.settings import Settings

StageName = Literal["teacher", "search", "stage1", "head", "stage2", "jscc"]
# Stages of each system in order; `search` only if the depths are to be searched.
SYSTEM_STAGES: dict[System, tuple[StageName, ...]] = {
    "rkd-sc": ("teacher", "search", "stage1", "head", "stage2"),
    "cat-student": ("jscc",),
    "jscc-student": ("jscc",),
    "jscc-teacher": ("teacher", "jscc"),
}


class StageSettings(Settings):
    """Optimiser and schedule of one stage.

    The learning rate rises linearly over the first `warmup` share of the steps and falls along a
    half cosine from `lr` to `lr_end`.
    """

    epochs: int = Field(ge=1, le=10_000, description="passes over the images")
    batch: int = Field(default=128, ge=2, le=65536, description="images per step, over all ranks")
    optimizer: Literal["adamw", "adam", "sgd", "muon"] = Field(
        default="adamw",
        description="muon: for matrices and kernels; AdamW trains the rest at a tenth of the "
        "learning rate",
    )
    lr: float = Field(gt=0, le=10, description="peak learning rate (of matrices, with muon)")
    lr_end: float = Field(
        default=0.0, ge=0, description="final learning rate, where the half cosine ends"
    )
    warmup: float = Field(
        default=0.0, ge=0, lt=1, description="share of the steps in which the learning rate rises"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="for matrices and kernels only")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="for sgd (Nesterov) and muon")
    beta1: float = Field(
        default=0.9, ge=0, lt=1, description="for adam and adamw: decay rate of the mean gradient"
    )
    beta2: float = Field(
        default=0.999,
        gt=0,
        lt=1,
        description="for adam and adamw: decay rate of the mean squared gradient",
    )
    max_gradient_norm: float | None = Field(
        default=None,
        gt=0,
        description="gradients with a larger norm are scaled down to this norm; zero forcing in "
        "deep fades can cause such gradients",
    )


class TeacherSettings(Settings):
    """The teacher's network and how it starts."""

    encoder: Annotated[
        ConvEncoderArchitecture | TimmEncoderArchitecture | EncoderArchitecture,
        Field(discriminator="kind", description="the teacher's network"),
    ]
    codec: Path | None = Field(
        default=None,
        description="name or folder of a codec whose student is the teacher, unchanged; no teacher "
        "is trained, and the feature is not whitened unless `distillation.whitening` is set",
    )
    weights: Path | None = Field(
        default=None,
        description="timm only: a local file of weights, instead of timm's hub",
        json_schema_extra={"format": "file-path"},
    )
    pretrained: bool | PublishedName = Field(
        default=True,
        description="timm only: start from published weights: those of timm's hub (true), or those "
        "that `semcom weights` fetches under this name",
    )
    backbone: Literal["tuned", "frozen"] = Field(
        default="tuned",
        description="timm only; frozen: only the last layer, whose output is the feature, and the "
        "head are trained, on outputs of the earlier layers that are computed once per "
        "view",
    )
    fine_tune: bool = Field(default=True, description="train the encoder too, not only the head")
    identity_init: bool = Field(default=True, description="conv only: initialise as the identity")
    label_smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="target probability spread over all classes"
    )
    cutout: int = Field(
        default=0,
        ge=0,
        le=512,
        description="side in pixels of a square that is blanked out in each image",
    )

    @model_validator(mode="after")
    def _starts_from_one_thing(self) -> Self:
        if self.weights is not None and self.codec is not None:
            raise ValueError("weights: the teacher is the codec's student; omit one of them")
        if self.weights is not None and not isinstance(self.encoder, TimmEncoderArchitecture):
            raise ValueError("weights: only an encoder of kind timm can start from a file")
        self._check_backbone()
        if self.codec is None and isinstance(self.encoder, EncoderArchitecture):
            raise ValueError("encoder: a student can teach only as part of a codec (teacher.codec)")
        return self

    def _check_backbone(self) -> None:
        model = self.encoder.model if isinstance(self.encoder, TimmEncoderArchitecture) else None
        check_published(self.pretrained, model=model, weights=self.weights)
        if self.backbone == "frozen" and (model is None or self.codec or not self.fine_tune):
            raise ValueError("backbone: frozen needs a timm encoder whose last layer is trained")


class AugmentationSettings(Settings):
    """Random crop after reflection padding, and horizontal flips."""

    crop_padding: int = Field(
        default=2,
        ge=0,
        le=32,
        description="pixels by which an image is padded by reflection before the random crop",
    )
    flip: Literal["none", "random", "alternating"] = Field(
        default="alternating",
        description="alternating: each image is flipped in every second epoch",
    )
    views: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="number of fixed augmented views per image. Stages that follow the teacher's "
        "feature cycle through them, so that this feature is computed once per view; 0:"
        " new views in every epoch",
    )


class DistillationSettings(Settings):
    """Channel conditions and loss weights of stage 2, eq. (26), and of the JSCC baselines.

    `whitening` applies to the teacher's feature wherever a student follows it.
    """

    snr_db_low: float = Field(
        default=5.0,
        ge=-30,
        le=60,
        description="lower end of the range, in dB, from which the Es/N0 of each image is drawn",
    )
    snr_db_high: float = Field(
        default=20.0, ge=-30, le=60, description="upper end of that range, in dB"
    )
    snr_skew: float = Field(
        default=1.0,
        ge=0.1,
        le=10,
        description="SNR = low + (high - low) u^skew, u uniform: above 1, low SNRs are drawn more"
        " often",
    )
    channels: tuple[ChannelModel, ...] = Field(
        default=("awgn", "rayleigh"),
        min_length=1,
        description="one of them is drawn for every batch",
    )
    rician_k: float = Field(default=4.0, ge=0, le=1e4, description="K factor of the Rician channel")
    equalizer: Literal["zero_forcing", "mmse"] = Field(
        default="zero_forcing",
        description="for fading channels; train with mmse if receivers use it. The other "
        "equalisers equal zero forcing here, since training has one gain per codeword",
    )
    kd_weight: float = Field(default=1.0, ge=0, description="weight lambda of MSE(h_T, h~)")
    re_weight: float = Field(
        default=1.0, ge=0, description="weight lambda of MSE(stop-gradient h, h~)"
    )
    task_weight: float = Field(default=1.0, ge=0, description="weight lambda of the cross entropy")
    logit_weight: float = Field(
        default=0.0, ge=0, description="weight of T^2 KL divergence from the noise-free logits"
    )
    logit_temperature: float = Field(default=2.0, gt=0, le=100, description="T of the softmax")
    frozen_encoder: bool = Field(
        default=False,
        description="stage 2 trains only the channel codec and the head, on features that are "
        "computed once; needs init_from",
    )
    whitening: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="students follow the whitened feature of the teacher; the directions that "
        "hold this share of its variance have equal weight. None: the raw feature",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.snr_db_low > self.snr_db_high:
            raise ValueError("snr_db_low is above snr_db_high")
        return self


class JsccTeacherSettings(Settings):
    """The baseline that sends the teacher's feature."""

    frozen: bool = Field(
        default=False,
        description="the encoder is frozen, and only the task head is trained through the "
        "channel; `teacher.codec` may then belong to another data set",
    )


class SearchSettings(Settings):
    """KDL-DARTS of section III-A, Algorithm 1; `darts` omits teacher and penalty."""

    method: Literal["kdl-darts", "darts"] = Field(
        default="kdl-darts", description="darts: no teacher, no penalty, selection by alpha"
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**31,
        description="seed of the search alone, so that several searches can share a teacher; None: "
        "the job's seed",
    )
    kd_weight: float = Field(default=0.5, ge=0, description="weight of MSE(h_T, h), eq. (18)")
    task_weight: float = Field(
        default=0.5, ge=0, description="weight of the cross entropy, eq. (18)"
    )
    penalty_weight: float = Field(default=0.05, ge=0, description="lambda of eq. (18)")
    temperature: float = Field(default=1.0, gt=0, description="T_alpha of eq. (13)")
    penalty_temperature: float = Field(default=2.0, gt=0, description="T_beta of eq. (17)")
    penalized: Literal["alpha", "weights"] = Field(
        default="alpha",
        description="what beta multiplies in eq. (18): alpha, as printed, or the softmax weights of"
        " alpha; their sum is constant, so that the penalty then acts only between "
        "depths",
    )
    selection: Literal["weights", "alpha"] = Field(
        default="weights",
        description="what (1 - beta) multiplies: the softmax weights, or alpha, as printed in the "
        "paper; (1 - beta) raises a negative alpha, so that the larger candidate would "
        "win",
    )
    optimizer: Literal["adam", "sgd"] = Field(default="adam", description="optimiser of alpha")
    lr: float = Field(default=3e-4, gt=0, le=10, description="learning rate of alpha")
    lr_end: float | None = Field(
        default=None, ge=0, description="final learning rate of alpha; None: constant"
    )
    weight_decay: float = Field(default=1e-5, ge=0, description="weight decay of alpha")
    warmup_epochs: int | None = Field(
        default=None,
        ge=1,
        description="number of epochs at the start in which alpha is frozen; without them, the "
        "shallowest candidate wins before deep blocks have learnt anything. None: alpha"
        " is trained from the start, as printed",
    )
    images: int | None = Field(
        default=None,
        ge=4,
        description="number of images for the search, selected by the seed (the teacher is trained "
        "on all images); None: all",
    )
    held_out: float = Field(
        default=0.5, gt=0, lt=1, description="share of the images on which alpha is trained"
    )


class JobSettings(Settings):
    """The settings common to all trainings, whatever the family of the codec."""

    name: str = Field(
        pattern="^[a-z0-9][a-z0-9._-]{0,63}$", description="name of the codec; set by `--name`"
    )
    dataset: str = Field(description="a prepared data set; set by the command's first argument")
    data_dir: Path = Field(
        default=Path("data"), description="folder of the data sets; set by `--data`"
    )
    work_dir: Path = Field(
        default=Path("training"), description="folder of the artefacts; set by `--work`"
    )
    images: int | None = Field(
        default=None,
        ge=2,
        description="number of training images used, beginning with the first; None: all",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of all random values")
    threads: int = Field(default=0, ge=0, le=256, description="0: all cores, shared by the ranks")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="auto: bf16 where it is faster, which is on GPUs with bf16, processors with "
        "AMX, and AMD processors with AVX512-BF16",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: a GPU if there is one"
    )
    checkpoint_s: float = Field(default=300.0, gt=0, description="seconds between checkpoints")

    @property
    def dataset_dir(self) -> Path:
        """Return the folder of the shards."""
        return self.data_dir / self.dataset


class TrainingSettings(JobSettings):
    """A job: a codec of the paper's systems for one data set."""

    architecture: CodecArchitecture = Field(description="architecture of the link")
    depths: Literal["preset", "search", "darts"] = Field(
        default="preset",
        description="depths of the student; search: found by a search; darts: those of plain "
        "DARTS in Table III",
    )
    teacher: TeacherSettings = Field(description="the teacher that the student follows")
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(), description="augmentation of the training images"
    )
    distillation: DistillationSettings = Field(
        default=DistillationSettings(),
        description="losses and channels of stage 2 and of the baselines",
    )
    jscc_teacher: JsccTeacherSettings = Field(
        default=JsccTeacherSettings(), description="settings of the system jscc-teacher"
    )
    search: SearchSettings = Field(
        default=SearchSettings(), description="settings of KDL-DARTS and DARTS"
    )
    stages: dict[StageName, StageSettings] = Field(
        description="`teacher`, `search`, `stage1`, `head`, `stage2`, `jscc`"
    )
    init_from: Path | None = Field(
        default=None,
        description="name or folder of a codec. The stage `stage2` starts from its student and "
        "task head, and `stage1` and `head` are not run; the codec is also the teacher unless "
        "`teacher.codec` is given",
    )

    @property
    def search_seed(self) -> int:
        """Return the seed of the search's halves, weights and order."""
        return self.seed if self.search.seed is None else self.search.seed

    @property
    def system(self) -> System:
        """Return the system to train."""
        return self.architecture.channel.system

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = set(SYSTEM_STAGES[self.system])
        frozen = self.jscc_teacher.frozen
        if frozen and self.system != "jscc-teacher":
            raise ValueError(f"jscc_teacher.frozen: only for jscc-teacher, not for {self.system}")
        if self.system != "rkd-sc" and self.init_from:
            raise ValueError("init_from: only for rkd-sc, not for a baseline")
        if self.system != "rkd-sc" and self.teacher.codec and not frozen:
            raise ValueError(
                "teacher.codec: only for rkd-sc, and for jscc-teacher with jscc_teacher.frozen=true"
            )
        self._check_frozen()
        if self.teacher.backbone == "frozen" and not self.augmentation.views:
            raise ValueError("teacher.backbone: frozen keeps views; set augmentation.views")
        if self.init_from is not None and self.depths != "preset":
            raise ValueError("depths: init_from has its own depths; set depths=preset")
        if self.depths == "search" and "search" not in needed:
            raise ValueError(f"depths: system '{self.system}' has no search; give the depths")
        if self.depths != "search":
            needed.discard("search")
        if missing := sorted(needed - set(self.stages)):
            raise ValueError(f"system '{self.system}' needs settings of stage {missing[0]}")
        search = self.stages.get("search")
        if search is not None and (self.search.warmup_epochs or 0) >= search.epochs:
            raise ValueError(
                f"search.warmup_epochs: leaves alpha none of the {search.epochs} epochs "
                "(stages.search.epochs)"
            )
        if self.teacher.encoder.feature_dim != self.architecture.channel.feature_dim:
            raise ValueError("teacher and student differ in feature_dim")
        return self

    def _check_frozen(self) -> None:
        """Check that a frozen encoder comes from a codec; it is its own teacher."""
        if not self.distillation.frozen_encoder:
            return
        if self.init_from is None:
            raise ValueError("distillation.frozen_encoder: needs a codec to start from (init_from)")
        if self.teacher.codec != self.init_from or self.distillation.whitening is not None:
            what = "distillation.frozen_encoder: the student follows the link's own features"
            raise ValueError(f"{what}; omit teacher.codec and distillation.whitening")
