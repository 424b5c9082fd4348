"""Digests that identify plans, codecs and training stages by what determines their answers.

A digest is the SHA-256 of JSON with sorted keys. The fields of a settings model that are in that
JSON are defined here and never change for existing content:

* Fields of a *frozen list* are always included, whatever their value: existing digests depend on
  them.
* A field that is added later is included only if it differs from its default. Content written
  before the field existed keeps its name, and content that uses the field gets a new one.
* A field that states the kind of a model (a `Literal` with one value) is always included.

A default must therefore mean "as before this field existed", and must never change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

# The frozen fields of a model, each with those of the models that it contains.
Fields = Mapping[str, "Fields"]
NONE: Fields = {}


def fields(*names: str, **inner: Fields) -> Fields:
    """Return a frozen list: `names`, and fields that contain models, with the fields of these."""
    return {**dict.fromkeys(names, NONE), **inner}


# A channel model in a plan.
CHANNEL = fields(
    "model", "rician_k", "coherence", "csi", "csi_error_variance", "equalizer"
)  # fmt: skip
# A plan: orchestrator.plan.plan.Plan without `run`, which makes it unique on the wire.
PLAN = fields(
    "frame_images",
    "decoding",
    threads=fields("transmitter", "receiver"),
    links=fields("dataset", "dataset_digest", "images", codecs=fields("name", "digest", "system")),
    points=fields("variant", spec=fields("snr_db", "seed", channel=CHANNEL)),
)
# A codec's architecture. The three kinds of encoder share one list; each has some of the fields.
ENCODER = fields(
    "kind", "feature_dim",
    "depths", "width", "stem_conv_stride", "heads",  # student
    "blocks", "residual_after", "whiten", "hidden",  # conv
    "model",  # timm
    input=fields("size", "mean", "std"),
)  # fmt: skip
CHANNEL_CODEC = fields("system", "feature_dim", "ffn_dim", "compression_ratio", "tx_csi")
ARCHITECTURE = fields("classes", encoder=ENCODER, channel=CHANNEL_CODEC)


def content(model: BaseModel, frozen: Fields) -> dict[str, Any]:
    """Return the fields of a model that its digest covers, as JSON values."""
    dumped = model.model_dump(mode="json")
    return {
        name: _content(getattr(model, name), dumped[name], frozen.get(name, NONE))
        for name, field in type(model).model_fields.items()
        if name in frozen or _is_kind(field) or getattr(model, name) != _default(field)
    }


def plan_digest(plan: BaseModel) -> str:
    """Return the digest of a plan, hexadecimal; the name of the run does not affect it."""
    return _sha256({name: value for name, value in content(plan, PLAN).items() if name != "run"})


def codec_digest(architecture: BaseModel, weights: Mapping[str, str]) -> str:
    """Return the digest of a codec, hexadecimal.

    Args:
        architecture: of both ends.
        weights: SHA-256 of each end's file.
    """
    identity = {"architecture": content(architecture, ARCHITECTURE), "weights": dict(weights)}
    return _sha256(identity, separators=(",", ":"))


def family_codec_digest(decides: Mapping[str, Any], weights: Mapping[str, str]) -> str:
    """Return the digest of a codec of format 2, hexadecimal.

    Its architecture is hashed as its manifest states it: a field that a family adds later is not in
    earlier manifests, and so not in their digests.

    Args:
        decides: family, task, symbols and architecture, as JSON values.
        weights: SHA-256 of each end's file.
    """
    return _sha256({"format": 2, **decides, "weights": dict(weights)}, separators=(",", ":"))


def _content(value: Any, dumped: Any, frozen: Fields) -> Any:
    """Return the covered part of a value; items of lists and maps are treated alike."""
    if isinstance(value, BaseModel):
        return content(value, frozen)
    if isinstance(value, Mapping):
        return {
            key: _content(item, dumped_item, frozen)
            for (key, dumped_item), item in zip(dumped.items(), value.values(), strict=True)
        }
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [
            _content(item, dumped_item, frozen)
            for item, dumped_item in zip(value, dumped, strict=True)
        ]
    return dumped


def _is_kind(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _sha256(identity: object, *, separators: tuple[str, str] | None = None) -> str:
    text = json.dumps(identity, sort_keys=True, separators=separators)
    return hashlib.sha256(text.encode()).hexdigest()
