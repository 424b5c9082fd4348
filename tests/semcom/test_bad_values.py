"""Values that look right until they are used: refused in one line, never a raw exception."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from semcom import wire
from semcom.architecture import EncoderArchitecture, InputSpec
from semcom.errors import CheckpointError, ConfigurationError, ProtocolError
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.messages import RETRIABLE
from semcom.nn.weights import load_arrays, to_arrays
from semcom.settings import ProcessSettings, read_yaml, validate
from semcom.shards import Shard, read_manifest, write_dataset
from semcom.telemetry import JsonLines
from tests.semcom.small_codec import fitting_arrays, write_small_codec
from transmitters.encoder import SemanticEncoder

IMAGES = np.zeros((3, 8, 8, 3), np.uint8)
LABELS = np.array([0, 1, 0], np.uint16)


def test_key_that_is_given_twice_is_refused(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(ConfigurationError, match="twice"):
        read_yaml(path)


@pytest.mark.parametrize(
    "settings",
    [
        {"a\nb": 1},
        {"metrics_port": 10**5000},
        {"metrics_port": "x" * 100_000},
        {"control": "tcp://127.0.0.1:65536"},
        {"control": "tcp://127.0.0.1:99999"},
    ],
    ids=["line-break", "digits", "long", "port-65536", "port-99999"],
)
def test_settings_error_is_one_short_line(settings):
    with pytest.raises(ConfigurationError) as caught:
        validate(ProcessSettings, settings, where="f")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_power_beyond_all_floats_is_refused_without_a_warning():
    with pytest.raises(ProtocolError) as caught:
        wire.check_power(wire.mean_power(np.full((1, 2), 3e38, dtype=np.complex64)).max())
    assert caught.value.reason == "over_power"


def test_frame_too_large_for_the_channel_state_is_refused_for_good():
    key = FrameKey(run="demo", point=0, link="c", frame=0)
    message = SymbolFrame(key=key, first_image=0, images=512, symbols=4096, codec="ab" * 32)
    with pytest.raises(ProtocolError) as caught:
        wire.decode(wire.encode(message, np.zeros((512, 4096), dtype=np.complex64)))
    assert caught.value.reason not in RETRIABLE
    assert caught.value.key == key


def test_refusal_is_known_as_one_even_where_it_cannot_be_read():
    error = ProtocolError("checksum", "x")
    prefix, header, body = wire.encode(wire.refusal(error))
    other_version = prefix[:4] + b"\2\0" + prefix[6:]
    assert wire.is_refusal([prefix, header, body])
    assert wire.is_refusal([other_version, b"what", b""])
    assert not wire.is_refusal([b"GET / HTTP/1.1"])
    assert not wire.is_refusal([])


def test_weights_above_half_precision_are_refused_without_a_warning():
    linear = nn.Linear(2, 1)
    nn.init.constant_(linear.bias, 70_000.0)
    with pytest.raises(CheckpointError, match=r"head\.bias does not fit into float16"):
        to_arrays({"head": linear})


@pytest.mark.parametrize(
    "array",
    [np.full((1, 2), 1e300), np.zeros((1, 2), np.int8), np.zeros((1, 2), np.complex64)],
    ids=["overflows", "integer", "complex"],
)
def test_refuses_weights_of_another_type(array):
    linear = nn.Linear(2, 1)
    with pytest.raises(CheckpointError, match="weight"):
        load_arrays({"head": linear}, {**to_arrays({"head": linear}), "head.weight": array})


def test_complex_weights_are_refused(tmp_path):
    bias = np.full(10, np.nan + 0j, np.complex64)
    codec = write_small_codec(
        tmp_path, receiver={**fitting_arrays("receiver"), "head.linear.bias": bias}
    )
    with pytest.raises(CheckpointError, match="is complex64"):
        codec.verify()


def make(root: Path, **changes: object) -> None:
    fields = {"classes": ["a", "b"], "splits": {"test": (IMAGES, LABELS)}, **changes}
    write_dataset(root, name="insects", source="s", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip"], ids=["empty", "zip"])
def test_unreadable_array_says_to_prepare_again(content, tmp_path):
    make(tmp_path)
    (tmp_path / "test" / "images.npy").write_bytes(content)
    with pytest.raises(ConfigurationError, match="semcom data prepare insects"):
        Shard(tmp_path, "test")


@pytest.mark.parametrize(("name", "dtype"), [("images", np.float64), ("labels", np.int64)])
def test_array_of_another_type_says_to_prepare_again(name, dtype, tmp_path):
    make(tmp_path)
    path = tmp_path / "test" / f"{name}.npy"
    np.save(path, np.load(path).astype(dtype))
    with pytest.raises(ConfigurationError, match="semcom data prepare insects"):
        Shard(tmp_path, "test")


def test_manifest_error_is_one_line(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(ConfigurationError) as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"splits": {}},
        {"splits": {"test": (IMAGES[..., :1], LABELS)}},
        {"splits": {"test": (IMAGES[:, :4, :4], LABELS)}},
        {"classes": ["one"], "splits": {"test": (IMAGES, LABELS * 0)}},
        {"splits": {"train": (np.zeros((3, 16, 16, 3), np.uint8), LABELS),
                    "test": (IMAGES, LABELS)}},
        {"splits": {"test": (IMAGES, np.array([0, -1, 0]))}},
    ],
    ids=["none", "grey", "tiny", "one-class", "two-sizes", "negative"],
)  # fmt: skip
def test_refuses_splits_that_make_no_data_set(changes, tmp_path):
    with pytest.raises(ConfigurationError):
        make(tmp_path, **changes)


def record_with(fields: dict[str, object]) -> dict[str, object]:
    record = logging.LogRecord("a", logging.INFO, "p", 1, "hi", (), None)
    record.fields = fields
    return json.loads(JsonLines().format(record))


def test_event_may_hold_a_path():
    assert record_with({"path": Path("/x")})["path"] == "/x"


def test_field_never_hides_the_event():
    line = record_with({"event": "x", "level": "y"})
    assert (line["event"], line["level"]) == ("hi", "info")


@pytest.mark.parametrize(("size", "stride"), [(63, 2), (95, 2), (127, 2), (65, 2), (33, 1)])
def test_any_input_size_that_is_taken_can_be_encoded(size, stride):
    architecture = EncoderArchitecture(
        input=InputSpec(size=size), depths=(1, 1, 1, 1), stem_conv_stride=stride
    )
    with torch.device("meta"):
        features = SemanticEncoder(architecture).eval()(torch.empty(1, 3, size, size))
    assert features.shape == (1, 512)
