"""What a training job is made of; every field can be set from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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
# What each system trains, in order; `search` only where the depths are to be searched.
SYSTEM_STAGES: dict[System, tuple[StageName, ...]] = {
    "rkd-sc": ("teacher", "search", "stage1", "head", "stage2"),
    "jscc-student": ("jscc",),
    "jscc-teacher": ("teacher", "jscc"),
}


class StageSettings(Settings):
    """Optimiser and schedule of one stage.

    The learning rate rises linearly over the first `warmup` share of the steps and falls along a
    half cosine from `lr` to `lr_end`.
    """

    epochs: int = Field(ge=1, le=10_000, description="passes over the images")
    batch: int = Field(default=128, ge=2, le=65536, description="images per step, all ranks")
    optimizer: Literal["adamw", "adam", "sgd", "muon"] = Field(
        default="adamw",
        description="muon: of matrices and kernels, the rest by AdamW at a tenth of the rate",
    )
    lr: float = Field(gt=0, le=10, description="highest learning rate, that of matrices")
    lr_end: float = Field(default=0.0, ge=0, description="where the half cosine ends")
    warmup: float = Field(
        default=0.0, ge=0, lt=1, description="share of the steps in which it rises"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="of matrices and kernels only")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of sgd (Nesterov) and muon")
    beta2: float = Field(
        default=0.999, gt=0, lt=1, description="of adam and adamw: decay of the squares' mean"
    )
    max_gradient_norm: float | None = Field(
        default=None,
        gt=0,
        description="longer gradients are scaled down to it; zero forcing in deep fades makes some",
    )


class TeacherSettings(Settings):
    """The teacher's network and how it starts."""

    encoder: Annotated[
        ConvEncoderArchitecture | TimmEncoderArchitecture | EncoderArchitecture,
        Field(discriminator="kind", description="its network"),
    ]
    codec: Path | None = Field(
        default=None,
        description="name or folder of a codec whose student teaches as it is: no teacher is "
        "trained, and its feature is not whitened unless `distillation.whitening` is set",
    )
    weights: Path | None = Field(
        default=None, description="timm only: a local file of weights, instead of timm's hub"
    )
    pretrained: bool = Field(default=True, description="timm only: start from published weights")
    fine_tune: bool = Field(default=True, description="train the encoder too, not only the head")
    identity_init: bool = Field(default=True, description="convolutions start as the identity")
    label_smoothing: float = Field(
        default=0.1, ge=0, lt=1, description="share of the target that all classes share"
    )
    cutout: int = Field(
        default=0, ge=0, le=512, description="side in pixels of a square left out of each image"
    )

    @model_validator(mode="after")
    def _starts_from_one_thing(self) -> Self:
        if self.weights is not None and self.codec is not None:
            raise ValueError("weights: the teacher is the codec's student; leave one out")
        if self.weights is not None and not isinstance(self.encoder, TimmEncoderArchitecture):
            raise ValueError("weights: only an encoder of kind timm starts from a file")
        if self.codec is None and isinstance(self.encoder, EncoderArchitecture):
            raise ValueError("encoder: a student teaches only as that of a codec (teacher.codec)")
        return self


class AugmentationSettings(Settings):
    """Random crop after reflection padding, and horizontal flips."""

    crop_padding: int = Field(
        default=2,
        ge=0,
        le=32,
        description="pixels that are reflected around an image before the crop",
    )
    flip: Literal["none", "random", "alternating"] = Field(
        default="alternating",
        description="alternating: each image is flipped in every second epoch",
    )
    views: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="augmented views per image that the epochs after the teacher's cycle through, "
        "so that its features are computed once per view; 0: new ones in every epoch",
    )


class DistillationSettings(Settings):
    """Channel conditions and loss weights of stage 2, eq. (26), and of the JSCC baselines.

    `whitening` is of the teacher's feature wherever a student follows it.
    """

    snr_db_low: float = Field(
        default=5.0, ge=-30, le=60, description="each image has an Es/N0 of its own, in dB, from"
    )
    snr_db_high: float = Field(default=20.0, ge=-30, le=60, description="up to, uniformly drawn")
    snr_skew: float = Field(
        default=1.0,
        ge=0.1,
        le=10,
        description="SNR = low + (high - low) u^skew, u uniform: above 1 low SNRs come more often",
    )
    channels: tuple[ChannelModel, ...] = Field(
        default=("awgn", "rayleigh"), min_length=1, description="one of them for every batch"
    )
    rician_k: float = Field(default=4.0, ge=0, le=1e4, description="where one of them is Rician")
    equalizer: Literal["zero_forcing", "mmse"] = Field(
        default="zero_forcing",
        description="of fading channels; train with mmse what is served with it. The others are "
        "zero forcing here: training has a gain per codeword",
    )
    kd_weight: float = Field(default=1.0, ge=0, description="lambda of MSE(h_T, h~)")
    re_weight: float = Field(default=1.0, ge=0, description="lambda of MSE(stop-gradient h, h~)")
    task_weight: float = Field(default=1.0, ge=0, description="lambda of the cross entropy")
    frozen_encoder: bool = Field(
        default=False,
        description="stage 2 trains channel codec and head alone, on features that are computed "
        "once; with init_from",
    )
    whitening: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="students follow the whitened feature of the teacher; the directions that "
        "hold this share of its variance count alike. None: the feature as it is",
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
        description="the encoder stays as it is, and the task head alone learns through the "
        "channel; `teacher.codec` may then be of another data set",
    )


class SearchSettings(Settings):
    """KDL-DARTS of section III-A, Algorithm 1; `darts` leaves teacher and penalty out."""

    method: Literal["kdl-darts", "darts"] = Field(
        default="kdl-darts", description="darts: no teacher, no penalty, selection by alpha"
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**31,
        description="of the search alone, so that several share a teacher; None: the job's",
    )
    kd_weight: float = Field(default=0.5, ge=0, description="of MSE(h_T, h), eq. (18)")
    task_weight: float = Field(default=0.5, ge=0, description="of the cross entropy, eq. (18)")
    penalty_weight: float = Field(default=0.05, ge=0, description="lambda of eq. (18)")
    temperature: float = Field(default=1.0, gt=0, description="T_alpha of eq. (13)")
    penalty_temperature: float = Field(default=2.0, gt=0, description="T_beta of eq. (17)")
    penalized: Literal["alpha", "weights"] = Field(
        default="alpha",
        description="what beta multiplies in eq. (18): alpha as printed, or its softmax weights, "
        "whose sum stays, so that the penalty pulls between depths alone",
    )
    selection: Literal["weights", "alpha"] = Field(
        default="weights",
        description="what (1 - beta) multiplies: the softmax weights, or alpha as the paper "
        "writes; alphas below zero gain by the factor, so that the larger candidate would win",
    )
    optimizer: Literal["adam", "sgd"] = Field(default="adam", description="of alpha")
    lr: float = Field(default=3e-4, gt=0, le=10, description="of alpha")
    lr_end: float | None = Field(default=None, ge=0, description="of alpha; None: constant")
    weight_decay: float = Field(default=1e-5, ge=0, description="of alpha")
    warmup_epochs: int | None = Field(
        default=None,
        ge=1,
        description="epochs in which alpha rests: before deep blocks have learnt anything, the "
        "shallowest candidate wins whatever it is worth; None: it moves from the start, as printed",
    )
    images: int | None = Field(
        default=None,
        ge=4,
        description="search on so many of the images, drawn by the seed, though the teacher has "
        "learnt from all of them; None: on all",
    )
    held_out: float = Field(default=0.5, gt=0, lt=1, description="share of images for alpha")


class JobSettings(Settings):
    """What every training has, of whatever family its codec is."""

    name: str = Field(
        pattern="^[a-z0-9][a-z0-9._-]{0,63}$", description="of the codec; told by `--name`"
    )
    dataset: str = Field(description="a prepared data set; told by the command's first word")
    data_dir: Path = Field(default=Path("data"), description="of data sets; told by `--data`")
    work_dir: Path = Field(default=Path("training"), description="of artefacts; told by `--work`")
    images: int | None = Field(
        default=None, ge=2, description="train on the first so many images; all if none"
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="of all that is random")
    threads: int = Field(default=0, ge=0, le=256, description="0: all cores, shared by the ranks")
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto", description="auto: bf16 where the device multiplies it itself"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto: a GPU where one is"
    )
    checkpoint_s: float = Field(default=300.0, gt=0, description="seconds between saves")

    @property
    def dataset_dir(self) -> Path:
        """Folder of the shards."""
        return self.data_dir / self.dataset


class TrainingSettings(JobSettings):
    """One job: a codec of the paper's systems for one data set."""

    architecture: CodecArchitecture = Field(description="of the link")
    depths: Literal["preset", "search", "darts"] = Field(
        default="preset",
        description="of the student; search: what a search finds; darts: those of plain DARTS in "
        "Table III",
    )
    teacher: TeacherSettings = Field(description="whom the student follows")
    augmentation: AugmentationSettings = Field(
        default=AugmentationSettings(), description="of the training images"
    )
    distillation: DistillationSettings = Field(
        default=DistillationSettings(), description="stage 2 and the baselines"
    )
    jscc_teacher: JsccTeacherSettings = Field(
        default=JsccTeacherSettings(), description="of the system jscc-teacher"
    )
    search: SearchSettings = Field(default=SearchSettings(), description="KDL-DARTS and DARTS")
    stages: dict[StageName, StageSettings] = Field(
        description="`teacher`, `search`, `stage1`, `head`, `stage2`, `jscc`"
    )
    init_from: Path | None = Field(
        default=None,
        description="name or folder of a codec whose student and task head stage 2 starts from, "
        "in place of stages 1 and 1.5; it teaches, too, unless `teacher.codec` names another",
    )

    @property
    def search_seed(self) -> int:
        """What the search's halves, weights and order are drawn from."""
        return self.seed if self.search.seed is None else self.search.seed

    @property
    def system(self) -> System:
        """What is trained."""
        return self.architecture.channel.system

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = set(SYSTEM_STAGES[self.system])
        frozen = self.jscc_teacher.frozen
        if frozen and self.system != "jscc-teacher":
            raise ValueError(f"jscc_teacher.frozen: of jscc-teacher, not of {self.system}")
        if self.system != "rkd-sc" and self.init_from:
            raise ValueError("init_from: of rkd-sc alone, not of a baseline")
        if self.system != "rkd-sc" and self.teacher.codec and not frozen:
            raise ValueError(
                "teacher.codec: of rkd-sc, and of jscc-teacher with jscc_teacher.frozen=true"
            )
        self._check_frozen()
        if self.init_from is not None and self.depths != "preset":
            raise ValueError("depths: init_from has depths of its own; set depths=preset")
        if self.depths == "search" and "search" not in needed:
            raise ValueError(f"depths: system '{self.system}' has no search; give it the depths")
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
        """A frozen encoder is a codec's, and teaches itself: its features are those of the link."""
        if not self.distillation.frozen_encoder:
            return
        if self.init_from is None:
            raise ValueError("distillation.frozen_encoder: needs a codec to start from (init_from)")
        if self.teacher.codec != self.init_from or self.distillation.whitening is not None:
            raise ValueError(
                "distillation.frozen_encoder: the link's own features are followed; leave out "
                "teacher.codec and distillation.whitening"
            )
