"""Answers that no decoder of the codec can give."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.errors import ProtocolError
from tests.transmitters.sending import CODEC, assignment
from transmitters.service import FrameEncoder
from transmitters.settings import TransmitterSettings

ADDRESS = "tcp://127.0.0.1:1"


def encoder_of(classes: int) -> FrameEncoder:
    """An encoder that has loaded a codec of so many classes."""
    settings = TransmitterSettings(
        control=ADDRESS, uplink=ADDRESS, engine="onnxruntime", data_dir=Path()
    )
    encoder = FrameEncoder(settings)
    codec = SimpleNamespace(architecture=SimpleNamespace(classes=classes))
    encoder._codecs[CODEC] = codec  # type: ignore[assignment]
    return encoder


@pytest.mark.parametrize(("classes", "wrong"), [(10, 10), (10, 65535), (65535, 65535), (2, 2)])
def test_class_that_the_codec_does_not_have_is_refused(classes: int, wrong: int) -> None:
    predictions = np.array([0, classes - 1, wrong], dtype="<u2")
    encoder = encoder_of(classes)
    encoder.check_classes(assignment(), predictions[:2])
    with pytest.raises(ProtocolError, match=f"class {wrong}, the codec has {classes}") as caught:
        encoder.check_classes(assignment(), predictions)
    assert (caught.value.reason, caught.value.exit_code) == ("codec_mismatch", 5)


ENCODER = encoder_of(100)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50))
def test_any_answer_is_taken_or_refused(predictions: list[int]) -> None:
    answer = np.array(predictions, dtype="<u2")
    if max(predictions) < 100:
        ENCODER.check_classes(assignment(), answer)
    else:
        with pytest.raises(ProtocolError):
            ENCODER.check_classes(assignment(), answer)
