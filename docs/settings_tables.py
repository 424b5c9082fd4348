"""Tables of settings, made from the pydantic models that read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from channel_sim.models.clipping import ClippingChannel
from channel_sim.models.jakes import JakesChannel
from channel_sim.models.oscillator import OscillatorChannel
from channel_sim.models.tdl import TdlChannel
from channel_sim.models.tr38901 import SionnaChannel
from channel_sim.models.trace import TraceChannel
from channel_sim.settings import BrokerSettings
from orchestrator.jobs.settings import JobsSettings
from orchestrator.live.live_interference import LiveInterference
from orchestrator.live.live_scenario import LiveLink, LiveScenario
from orchestrator.plan.groups import GroupSettings
from orchestrator.plan.interference_points import InterferenceSettings
from orchestrator.plan.rates import ConfidenceSettings
from orchestrator.plan.scenario import LinkSettings, Ports, Scenario, Threads
from orchestrator.plan.snr_points import SnrRange
from orchestrator.training.kd_semcom.settings import (
    DistillationTerms,
    SentenceTrainingSettings,
    TextChannelSettings,
)
from orchestrator.training.semnoma.refinement.settings import (
    DiffusionSettings,
    GanSettings,
    RefinementSettings,
)
from orchestrator.training.semnoma.settings import LossSettings, SemnomaSettings
from orchestrator.training.settings import (
    AugmentationSettings,
    DistillationSettings,
    JsccTeacherSettings,
    SearchSettings,
    StageSettings,
    TeacherSettings,
    TrainingSettings,
)
from orchestrator.training.vit.settings import VitSettings
from receiver.settings import ReceiverSettings
from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    InputSpec,
    TimmEncoderArchitecture,
)
from semcom.channel_choice import AwgnChannel, RayleighChannel, RicianChannel
from semcom.families.digital import ImageSource, Mode, SentenceSource
from semcom.families.kd_semcom import KdSemcomArchitecture
from semcom.families.semnoma import SemnomaArchitecture
from semcom.families.semnoma_refinement import UnetArchitecture
from semcom.families.vit import VitArchitecture
from semcom.settings import SecuritySettings
from transmitters.settings import TransmitterSettings

HEAD = ("key", "default", "allowed", "means")
# Headings of docs/settings.md that "see NAME" leads to.
NAMED = {
    "AugmentationSettings": "augmentation",
    "ChannelCodecArchitecture": "channel codec",
    "AwgnChannel": "channel awgn",
    "RayleighChannel": "channel rayleigh",
    "RicianChannel": "channel rician",
    "CodecArchitecture": "codec",
    "ConfidenceSettings": "rate of ordered codewords",
    "ConvEncoderArchitecture": "encoder of kind conv",
    "DiffusionSettings": "diffusion",
    "DistillationSettings": "distillation",
    "DistillationTerms": "distillation of sentences",
    "GanSettings": "conditional GAN",
    "GroupSettings": "group of links",
    "EncoderArchitecture": "encoder of kind student",
    "InputSpec": "input of an encoder",
    "InterferenceSettings": "interference",
    "KdSemcomArchitecture": "codec of kd_semcom",
    "LinkSettings": "link of a sweep",
    "LiveInterference": "interference of a live system",
    "LiveLink": "link of a live system",
    "Mode": "mode of an SNR",
    "LossSettings": "losses of semnoma",
    "Ports": "ports",
    "JsccTeacherSettings": "JSCC-teacher",
    "SearchSettings": "search",
    "SemnomaArchitecture": "codec of semnoma",
    "SnrRange": "range",
    "StageSettings": "stage",
    "TeacherSettings": "teacher",
    "TextChannelSettings": "channel of a stage",
    "Threads": "threads",
    "TimmEncoderArchitecture": "encoder of kind timm",
    "UnetArchitecture": "network of a refinement",
    "VitArchitecture": "codec of vit",
}
MODELS: dict[str, type[BaseModel]] = {
    "scenario": Scenario,
    "link": LinkSettings,
    "group": GroupSettings,
    "awgn": AwgnChannel,
    "rayleigh": RayleighChannel,
    "rician": RicianChannel,
    "tdl": TdlChannel,
    "jakes": JakesChannel,
    "oscillator": OscillatorChannel,
    "clipping": ClippingChannel,
    "sionna": SionnaChannel,
    "trace": TraceChannel,
    "range": SnrRange,
    "interference": InterferenceSettings,
    "confidence": ConfidenceSettings,
    "threads": Threads,
    "ports": Ports,
    "live": LiveScenario,
    "live-interference": LiveInterference,
    "live-link": LiveLink,
    "transmitter": TransmitterSettings,
    "channel-process": BrokerSettings,
    "receiver": ReceiverSettings,
    "training": TrainingSettings,
    "stage": StageSettings,
    "teacher": TeacherSettings,
    "augmentation": AugmentationSettings,
    "distillation": DistillationSettings,
    "jscc-teacher": JsccTeacherSettings,
    "search": SearchSettings,
    "codec": CodecArchitecture,
    "student": EncoderArchitecture,
    "conv": ConvEncoderArchitecture,
    "timm": TimmEncoderArchitecture,
    "input": InputSpec,
    "channel-codec": ChannelCodecArchitecture,
    "semnoma": SemnomaSettings,
    "semnoma-losses": LossSettings,
    "semnoma-codec": SemnomaArchitecture,
    "refinement": RefinementSettings,
    "refinement-unet": UnetArchitecture,
    "refinement-diffusion": DiffusionSettings,
    "refinement-cgan": GanSettings,
    "vit": VitSettings,
    "vit-codec": VitArchitecture,
    "kd-semcom": SentenceTrainingSettings,
    "kd-semcom-channel": TextChannelSettings,
    "kd-semcom-distillation": DistillationTerms,
    "kd-semcom-codec": KdSemcomArchitecture,
    "digital-sentences": SentenceSource,
    "digital-images": ImageSource,
    "digital-mode": Mode,
    "jobs": JobsSettings,
}
# A preset fills in what the files of a training leave out.
OF_PRESET = (
    "training", "stage", "teacher", "codec", "student", "conv", "timm", "input", "semnoma",
    "refinement", "vit", "vit-codec", "kd-semcom", "kd-semcom-channel", "kd-semcom-codec",
)  # fmt: skip
DEFAULTS = dict.fromkeys(OF_PRESET, "the preset's")
PATHS = {"path": "folder", "file-path": "file"}
SHARED_WITH = {"live": Scenario}  # keys that another table has already
NOT_FOR_HAND = {"parent_pid", "static"}  # what processes tell each other


def settings_rows(name: str) -> Iterator[tuple[str, ...]]:
    """(key, default, what is allowed, meaning) of every setting of a model."""
    schema = MODELS[name].model_json_schema()
    shared = SHARED_WITH.get(name)
    known = shared.model_fields if shared is not None else {}
    for key, field in schema["properties"].items():
        model_field = MODELS[name].model_fields[key]
        if key in NOT_FOR_HAND or (
            key in known and known[key].annotation == model_field.annotation
        ):
            continue
        required = key in schema.get("required", ())
        default = DEFAULTS.get(name, "required") if required else _default(field.get("default"))
        yield f"`{key}`", default, _allowed(field), field.get("description", "")


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return "its defaults" if value else "none"
    if isinstance(value, list):
        return f"`{_plain(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _plain(values: list[Any]) -> str:
    shown = ("defaults" if isinstance(value, dict) else str(value) for value in values)
    return f"[{', '.join(shown)}]"


def _allowed(field: dict[str, Any]) -> str:
    """What a JSON schema lets through, in words."""
    if "$ref" in field:
        return _reference(field["$ref"])
    if "anyOf" in field:
        kinds = [_allowed(kind) for kind in field["anyOf"] if kind.get("type") != "null"]
        return " or ".join(kinds)
    if "oneOf" in field:
        return _one_of(field["oneOf"])
    if "enum" in field or "const" in field:
        values = field.get("enum", [field.get("const")])
        return ", ".join(f"`{value}`" for value in values)
    kind = field.get("type")
    if kind == "array" and "prefixItems" in field:
        items = [_allowed(item) for item in field["prefixItems"]]
        return f"{len(items)} of: {items[0]}"
    if kind == "array":
        return f"list: {_allowed(field['items'])}"
    if kind == "object":
        (values,) = field.get("patternProperties", {"": field.get("additionalProperties")}).values()
        return f"NAME: {_allowed(values)}"
    if kind in {"integer", "number"}:
        return _bounds(field, "whole number" if kind == "integer" else "number")
    return {"boolean": "`true`, `false`", "string": _text(field)}.get(str(kind), "")


def _one_of(kinds: list[dict[str, Any]]) -> str:
    """Members of a union; those that are models by their headings."""
    if not all("$ref" in kind for kind in kinds):
        return " or ".join(_allowed(kind) for kind in kinds)
    models = [kind["$ref"].rpartition("/")[2] for kind in kinds]
    if not all(model in NAMED for model in models):
        return "see [live.md](live.md)"
    return f"see {', '.join(NAMED[model] for model in models)}"


def _reference(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return "`{keys: DIR}`" if name == SecuritySettings.__name__ else f"see {NAMED[name]}"


def _bounds(field: dict[str, Any], kind: str) -> str:
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in field else ""
    if low is None:
        return kind
    if high is None:
        return f"{above or 'from '}{_number(low)}"
    if high >= 2**62:
        return f"{kind}, {_number(low)} or more"
    below = ""
    if "exclusiveMaximum" in field:
        if kind == "whole number":
            high -= 1
        else:
            below = "below "
    return f"{above}{_number(low)} to {below}{_number(high)}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _text(field: dict[str, Any]) -> str:
    if field.get("format") in PATHS:
        return PATHS[field["format"]]
    pattern = field.get("pattern", "")
    if pattern.startswith("^tcp"):
        return "`tcp://HOST:PORT`"
    return {r"^(auto|cpu|cuda(:\d+)?)$": "`auto`, `cpu`, `cuda`, `cuda:N`"}.get(pattern, "name")
