"""Answers that no decoder of the codec can give."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.errors import ProtocolError
from semcom.shards import Shard, write_dataset
from semcom.tasks import Task
from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import Reconstruction
from tests.transmitters.sending import CODEC, assignment
from transmitters.frame_encoder import FrameEncoder
from transmitters.frame_plan import FramePlan
from transmitters.settings import TransmitterSettings

ADDRESS = "tcp://127.0.0.1:1"
IMAGES = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), np.uint8)
LABELS = np.arange(9, dtype=np.uint16) % 2


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    splits = {"test": (IMAGES, LABELS)}
    write_dataset(root / "cifar10", name="cifar10", classes=["a", "b"], source="x", splits=splits)
    return root


def plan_of(data: Path, *, images: int = 9) -> FramePlan:
    digest = Shard(data / "cifar10", "test").digest
    return FramePlan(assignment((0, 1), dataset_digest=digest, frame_images=images), 0)


def encoder_of(task: Task, data: Path = Path()) -> FrameEncoder:
    """An encoder that has loaded a codec of this task."""
    settings = TransmitterSettings(
        control=ADDRESS, uplink=ADDRESS, engine="onnxruntime", data_dir=data
    )
    encoder = FrameEncoder(settings)
    encoder._manifests[CODEC] = SimpleNamespace(task=task)  # type: ignore[assignment]
    return encoder


@pytest.mark.parametrize(("classes", "wrong"), [(10, 10), (10, 65535), (65535, 65535), (2, 2)])
def test_class_that_the_codec_does_not_have_is_refused(data, classes: int, wrong: int) -> None:
    encoder = encoder_of(Classification(classes=classes), data)
    right = np.array([0, classes - 1], dtype="<u2").tobytes()
    judged = encoder.judge(plan_of(data, images=2), right)
    assert (judged.score["items"], judged.kept) == (2, right)
    with pytest.raises(ProtocolError, match=f"class {wrong}, its codec has {classes}") as caught:
        encoder.judge(plan_of(data, images=3), right + wrong.to_bytes(2, "little"))
    assert (caught.value.reason, caught.value.exit_code) == ("codec_mismatch", 5)


@pytest.mark.parametrize("items", [0, 1, 3])
@pytest.mark.parametrize("task", [Classification(classes=2), Reconstruction(shape=(16, 16, 3))])
def test_answer_to_another_number_of_images_is_refused(data, task: Task, items: int) -> None:
    with pytest.raises(ProtocolError, match="bytes to 2 items") as caught:
        encoder_of(task, data).judge(plan_of(data, images=2), bytes(items * task.form.item_bytes))
    assert caught.value.reason == "codec_mismatch"


def test_answers_are_judged_by_labels_or_by_the_images_that_were_sent(data) -> None:
    shard, plan = Shard(data / "cifar10", "test"), plan_of(data)
    right = shard.labels_N.astype("<u2").tobytes()
    score = encoder_of(Classification(classes=2), data).judge(plan, right).score
    assert score == {"items": 9, "correct": 9}
    encoder = encoder_of(Reconstruction(shape=(16, 16, 3)), data)
    judged = encoder.judge(plan, shard.images_NHWC.tobytes())
    assert judged.score["mse"] == 0
    assert len(judged.kept) == 32
    assert encoder.judge(plan, bytes(IMAGES.nbytes)).score["mse"] > 0


@given(st.lists(st.integers(0, 65535), min_size=9, max_size=9))
def test_any_answer_is_taken_or_refused(data, predictions: list[int]) -> None:
    encoder = encoder_of(Classification(classes=100), data)
    answer = np.array(predictions, dtype="<u2").tobytes()
    if max(predictions) < 100:
        assert encoder.judge(plan_of(data), answer).kept == answer
    else:
        with pytest.raises(ProtocolError):
            encoder.judge(plan_of(data), answer)
