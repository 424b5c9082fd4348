"""Image formats at a budget: what fits, what fills a block up, and what holds no image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import features

from semcom.errors import ConfigurationError
from semcom.families.image_formats import (
    WRITERS,
    check_format,
    compress,
    compress_to_fit,
    decompress,
)
from tests.properties import examples

FORMATS = ("webp", "vp8", "jpeg", "avif")
BUDGETS = {"webp": 200, "vp8": 200, "jpeg": 420, "avif": 420}


def smooth_image() -> np.ndarray:
    y, x = np.mgrid[:32, :32]
    waves = [np.sin(x / 5) + np.cos(y / 7), np.cos(x / 9), np.sin((x + y) / 6)]
    return (127 + 60 * np.stack(waves, axis=-1)).clip(0, 255).astype(np.uint8)


def available(kind: str) -> None:
    if not features.check(WRITERS[kind].feature):
        pytest.skip(f"this Pillow has no {kind}")


@pytest.mark.parametrize("kind", FORMATS)
def test_best_file_fits_and_is_read_whatever_zeros_follow(kind):
    available(kind)
    image, size = smooth_image(), BUDGETS[kind]
    content = compress_to_fit(image, kind, size)
    assert content is not None
    assert len(content) <= size
    read = decompress(content, kind, (32, 32))
    assert read is not None
    error = np.square(read.astype(float) - image).mean()
    assert 10 * np.log10(255**2 / error) > 22
    for zeros in (1, 2, 50):
        np.testing.assert_array_equal(decompress(content + bytes(zeros), kind, (32, 32)), read)
    assert compress_to_fit(image, kind, size) == content, "written twice, the same bytes"


def test_more_bytes_are_a_better_image():
    image, errors = smooth_image(), []
    for size in (100, 150, 300):
        content = compress_to_fit(image, "webp", size)
        assert content is not None
        read = decompress(content, "webp", (32, 32))
        assert read is not None
        errors.append(float(np.square(read.astype(float) - image).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > errors[-1]


def test_colours_are_kept_where_that_is_better():
    """Coloured stripes one pixel wide are lost in 4:2:0, at any quality."""
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2, 0] = 255
    stripes[:, 1::2, 2] = 255
    kept = compress_to_fit(stripes, "jpeg", 1500)
    assert kept is not None
    read = decompress(kept, "jpeg", (32, 32))
    subsampled = decompress(compress(stripes, "jpeg", 100, 0), "jpeg", (32, 32))
    errors = [np.square(each.astype(float) - stripes).mean() for each in (read, subsampled)]
    assert errors[0] < errors[1] / 2


def test_frame_alone_is_the_file_without_27_bytes():
    image = smooth_image()
    whole, frame = (compress(image, kind, 40) for kind in ("webp", "vp8"))
    assert len(whole) - len(frame) == 27
    read = (
        decompress(content, kind, (32, 32)) for content, kind in ((whole, "webp"), (frame, "vp8"))
    )
    np.testing.assert_array_equal(*read)


@pytest.mark.parametrize("kind", FORMATS)
def test_no_file_fits_into_nothing(kind):
    available(kind)
    assert compress_to_fit(smooth_image(), kind, 10) is None
    assert decompress(bytes(64), kind, (32, 32)) is None


def test_image_of_another_size_is_none():
    content = compress(smooth_image(), "webp", 50)
    assert decompress(content, "webp", (16, 32)) is None


@pytest.mark.parametrize("kind", ["webp", "vp8", "jpeg"])
@examples(60)
@given(data=st.binary(max_size=120), at=st.integers(0, 60))
@example(data=b" \x00+", at=27)  # a size of 90 million pixels: Pillow warns
@example(data=b"\xff\xff\xff", at=26)
def test_any_bytes_are_an_image_or_none(kind, data, at):
    content = compress(smooth_image(), kind, 30)
    for block in (data, content[:at] + data + content[at + len(data) :]):
        read = decompress(block, kind, (32, 32))
        assert read is None or (read.shape, read.dtype) == ((32, 32, 3), np.uint8)


def test_missing_format_is_named(monkeypatch):
    assert check_format("webp").startswith("Pillow ")
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(ConfigurationError, match="is built without avif"):
        check_format("avif")
