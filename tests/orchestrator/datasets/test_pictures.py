"""Images of every kind: converted as one expects and counted, or one line that names the file."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orchestrator.datasets.pictures import note_lines, read_pictures
from semcom.errors import ConfigurationError
from tests.properties import examples

RAMP = np.arange(32 * 32, dtype=np.uint32).reshape(32, 32) // 4
RGB = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2).astype(np.uint8)
GREY = "image converted from grey to RGB"
DEEP = "image converted from 16 bit to 8 bit"
WHITE = "image with transparency composited on white"


def png(
    depth: int, colour: int, rows: np.ndarray, *chunks: tuple[bytes, bytes], side: int = 32
) -> bytes:
    """A PNG of any depth: Pillow does not write them all. rows (H, values), big endian."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    body = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in body)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def read(folder: Path, *contents: bytes, name: str = "x.png") -> tuple[np.ndarray, tuple[str, ...]]:
    notes: Counter[str] = Counter()
    paths = [folder / f"{number}{name}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    images_NHWC, _ = read_pictures([(path, 0) for path in paths], notes)
    return images_NHWC, note_lines(notes)


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("factor", [256, 257])
def test_16_bit_grey_keeps_its_8_upper_bits(tmp_path, factor):
    found, notes = read(tmp_path, png(16, 0, (RAMP * factor).astype(">u2")))
    assert np.array_equal(found[0], grey(RAMP))
    assert notes == (f"1 {DEEP}", f"1 {GREY}")


def test_16_bit_grey_with_a_transparent_value_is_laid_on_white(tmp_path):
    values = (RAMP * 257).astype(">u2")
    found, notes = read(tmp_path, png(16, 0, values, (b"tRNS", struct.pack(">H", 7 * 257))))
    assert np.array_equal(found[0], grey(np.where(RAMP == 7, 255, RAMP)))
    assert notes[-1] == f"1 {WHITE}"


@pytest.mark.parametrize(("colour", "alpha"), [(2, False), (6, True)])
def test_16_bit_colour_keeps_its_8_upper_bits(tmp_path, colour, alpha):
    values = (RGB.astype(np.uint32) * 257).astype(">u2")
    if alpha:
        values = np.concatenate([values, np.full((32, 32, 1), 65535, ">u2")], axis=2)
    found, notes = read(tmp_path, png(16, colour, values.astype(">u2").reshape(32, -1)))
    assert np.array_equal(found[0], RGB)
    assert notes == (f"1 {DEEP}",)


def test_16_bit_colour_with_a_transparent_colour_is_laid_on_white(tmp_path):
    values = (RGB.astype(np.uint32) * 257).astype(">u2").reshape(32, -1)
    key = [int(value) * 257 for value in RGB[3, 4]]
    found, notes = read(tmp_path, png(16, 2, values, (b"tRNS", struct.pack(">HHH", *key))))
    hidden = (RGB[3, 4] == RGB).all(axis=2)
    assert np.array_equal(found[0], np.where(hidden[..., None], 255, RGB))
    assert notes == (f"1 {DEEP}", f"1 {WHITE}")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("cover", [0, 128, 255])
def test_transparency_is_laid_on_white(tmp_path, mode, cover):
    image = Image.fromarray(RGB).convert(mode)
    image.putalpha(cover)
    found, notes = read(tmp_path, saved(image))
    seen = RGB if mode == "RGBA" else np.asarray(Image.fromarray(RGB).convert("L").convert("RGB"))
    expected = np.rint(seen * (cover / 255) + 255 * (1 - cover / 255))
    assert np.array_equal(found[0], expected)
    assert (f"1 {WHITE}" in notes) == (cover < 255)


def test_palettes_are_colours_and_their_transparency_is_laid_on_white(tmp_path):
    image = Image.fromarray(RGB).quantize(16)
    plain, notes = read(tmp_path, saved(image))
    assert np.array_equal(plain[0], np.asarray(image.convert("RGB")))
    assert notes == ("1 image converted from a palette to RGB",)
    for transparency in (3, bytes([0, 255, 100, 0])):
        found, notes = read(tmp_path, saved(image, transparency=transparency))
        hidden = np.asarray(image) == (3 if transparency == 3 else 0)
        assert (found[0][hidden] == 255).all()
        assert f"1 {WHITE}" in notes


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_of_grey_are_spread(tmp_path, depth):
    values = np.tile(np.arange(32) % 2 * (2**depth - 1), (32, 1)).astype(np.uint8)
    bits = np.unpackbits(values[..., None], axis=2)[..., -depth:].reshape(32, -1)
    found, notes = read(tmp_path, png(depth, 0, np.packbits(bits, axis=1)))
    assert np.array_equal(found[0], grey(np.tile(np.arange(32) % 2 * 255, (32, 1))))
    assert notes == (f"1 {GREY}",)


def test_cmyk_becomes_rgb(tmp_path):
    image = Image.fromarray(RGB).convert("CMYK")
    found, notes = read(tmp_path, saved(image, "JPEG", quality=100), name="x.jpg")
    assert np.abs(found[0].astype(int) - RGB).mean() < 4
    assert notes == ("1 image converted from CMYK to RGB",)


def test_an_exif_orientation_is_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    found, notes = read(tmp_path, saved(Image.fromarray(RGB), exif=exif))
    assert np.array_equal(found[0], np.rot90(RGB, -1))
    assert notes == ("1 image rotated by EXIF orientation",)
    exif[0x0112] = 1
    found, notes = read(tmp_path, saved(Image.fromarray(RGB), exif=exif))
    assert np.array_equal(found[0], RGB)
    assert notes == ()


def test_images_are_counted_by_kind(tmp_path):
    deep, plain = png(16, 0, (RAMP * 257).astype(">u2")), saved(Image.fromarray(RGB))
    images_NHWC, notes = read(tmp_path, deep, plain, deep, saved(Image.fromarray(RGB).convert("L")))
    assert len(images_NHWC) == 4
    assert notes == (
        "2 images converted from 16 bit to 8 bit",
        "3 images converted from grey to RGB",
    )


def many(kind: str) -> bytes:
    """An image of several frames."""
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


def bomb(side: int) -> bytes:
    """A PNG that claims to be so large."""
    return png(8, 2, RGB.reshape(32, -1), side=side)


PLAIN = saved(Image.fromarray(RGB))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda: b"", "is empty; copy it again or remove it"),
        (lambda: b"Thumbs", "is not a PNG or JPEG image; convert or remove it"),
        (lambda: saved(Image.fromarray(RGB), "GIF"), "is not a PNG or JPEG image"),
        (lambda: saved(Image.fromarray(RGB), "WEBP"), "is not a PNG or JPEG image"),
        (lambda: saved(Image.fromarray(RAMP.astype(np.float32)), "TIFF"), "is not a PNG or JPEG"),
        (lambda: many("GIF"), "is not a PNG or JPEG image"),
        (lambda: many("PNG"), "holds 2 images; save one of them"),
        (lambda: many("MPO"), "holds 2 images; save one of them"),
        (lambda: PLAIN[:30], "header is damaged"),
        (lambda: PLAIN[:-40], "cannot read image"),
        (lambda: saved(Image.fromarray(RGB), "JPEG")[:500], "cannot read image"),
        (lambda: bomb(2000), "is 2000x2000; images have 8 to 1024 pixels per side"),
        (lambda: bomb(60000), "cannot read image"),
        (lambda: bomb(4), "is 4x4; images have 8 to 1024 pixels per side"),
    ],
)
def test_what_is_no_such_image_is_one_line_with_the_file(tmp_path, content, told):
    with pytest.raises(ConfigurationError, match=told) as error:
        read(tmp_path, content())
    assert "0x.png" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("what", ["fifo", "link to nothing", "link to a fifo", "folder"])
def test_what_is_no_file_is_told_at_once(tmp_path, what):
    path = tmp_path / "x.png"
    if what == "link to nothing":
        path.symlink_to("absent")
    elif what == "folder":
        path.mkdir()
    else:
        fifo = path if what == "fifo" else tmp_path / "fifo"
        os.mkfifo(fifo)
        if fifo != path:
            path.symlink_to(fifo)
    with pytest.raises(ConfigurationError, match=rf"^cannot read {path}: [^\n]*$"):
        read_pictures([(path, 0)], Counter())


def test_a_link_to_an_image_is_an_image(tmp_path):
    (tmp_path / "real").write_bytes(PLAIN)
    (tmp_path / "x.png").symlink_to("real")
    images_NHWC, _ = read_pictures([(tmp_path / "x.png", 0)], Counter())
    assert np.array_equal(images_NHWC[0], RGB)


KINDS = [PLAIN, png(16, 0, RAMP.astype(">u2")), saved(Image.fromarray(RGB), "JPEG"), many("PNG")]
KINDS.append(saved(Image.fromarray(RGB).quantize(16), transparency=3))
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6)


@examples(200)
@given(kind=st.sampled_from(KINDS), damage=DAMAGE, keep=st.floats(0.5, 1.5), early=st.booleans())
def test_any_damage_is_read_or_told_in_one_line(tmp_path_factory, kind, damage, keep, early):
    content = bytearray(kind[: int(keep * len(kind))])
    for place, value in damage:  # the headers lie in the first bytes
        content[int(place * (min(100, len(content)) if early else len(content)))] = value
    told = ""
    try:
        read(tmp_path_factory.mktemp("fuzz"), bytes(content))
    except ConfigurationError as error:
        told = str(error)
    assert "\n" not in told
    assert not told or "0x.png" in told
