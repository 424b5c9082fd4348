"""Draw scenes in bulk: one textured shape per image, with clutter and uneven light.

Parameters are float64, one row per image; pixels are float32 and see only operations whose every
bit IEEE 754 defines (see `shapes`), so a scene is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.datasets.dice import Dice, Doubles, Streams
from orchestrator.datasets.palette import colour, three_levels
from orchestrator.datasets.pose import Kinds, Pose, cosine_sine, coverage, depth_inside
from orchestrator.datasets.shapes import OUTLINES, FloatArray
from orchestrator.datasets.textures import Surface, pattern

_LATTICE = 5  # points of the background's clouds, each way


@dataclass(frozen=True, kw_only=True)
class Style:
    """Difficulty of the scenes of a set. Lengths are fractions of the image's side."""

    image_size: int
    radius: tuple[float, float]  # of the shape, at its least and largest
    off_centre: float  # how far the shape's centre may lie from the image's, each way
    tilt: float  # rotation either way, in turns
    stretch: float  # aspect ratio up to 1 + stretch either way
    period: tuple[float, float]  # of the textures
    spread: float  # between the grey levels of background, first and second colour
    clutter: tuple[int, int]  # small shapes behind the shape, and before it
    clutter_radius: tuple[float, float]
    hue_jitter: float  # of a colour family, in turns, either way
    light: float  # brightness change from the middle to a corner
    noise: tuple[float, float]  # peak of the pixel noise


@dataclass(frozen=True)
class Contents:
    """Content of N images by their labels: indices into OUTLINES and PATTERNS, hue of the shape.

    hue_N is in turns; NaN leaves it to chance.
    """

    shape_N: Kinds
    texture_N: Kinds
    hue_N: Doubles


def draw_scenes(style: Style, contents: Contents, streams: Streams) -> npt.NDArray[np.uint8]:
    """Draw the next images of the streams: uint8 (N, H, W, 3)."""
    images, size = len(contents.shape_N), style.image_size
    dice = Dice(streams.uniform("scene", images, 32))
    background_N3, first_N3, second_N3 = _colours(style, contents, dice)
    canvas_N3HW = _background(style, background_N3, dice, streams)
    behind, before = style.clutter
    for one in range(behind):
        _strew(style, canvas_N3HW, Dice(streams.uniform(f"behind {one}", images, 12)))
    _main_shape(style, contents, canvas_N3HW, (first_N3, second_N3), dice, streams)
    for one in range(before):
        _strew(style, canvas_N3HW, Dice(streams.uniform(f"before {one}", images, 12)))
    _light(style, canvas_N3HW, dice)
    return _develop(style, canvas_N3HW, dice, streams.grain("noise", images, size))


def _colours(
    style: Style, contents: Contents, dice: Dice
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Background, first and second colour: three grey levels well apart, each with its tint."""
    order_N = dice.between(0, 1)
    jitter_N3 = np.stack([dice.either_way(style.spread / 4) for _ in range(3)], axis=1)
    level_N3 = three_levels(order_N, style.spread, jitter_N3)
    free_N = np.isnan(contents.hue_N)
    hue_N = np.where(free_N, 0.0, contents.hue_N) + np.where(
        free_N, dice.between(0, 1), dice.either_way(style.hue_jitter)
    )
    # A shape whose colour matters must show it: saturated, and neither near black nor near white.
    chroma_N = np.where(free_N, dice.between(0.1, 0.6), dice.between(0.5, 0.8))
    first_level_N = np.where(free_N, level_N3[:, 1], 0.5 + 0.4 * (level_N3[:, 1] - 0.5))
    background_N3 = colour(level_N3[:, 0], dice.between(0.0, 0.4), dice.between(0, 1))
    first_N3 = colour(first_level_N, chroma_N, hue_N)
    second_N3 = colour(level_N3[:, 2], dice.between(0.0, 0.3), dice.between(0, 1))
    return background_N3, first_N3, second_N3


def _background(
    style: Style, background_N3: FloatArray, dice: Dice, streams: Streams
) -> FloatArray:
    """Clouds between the background colour and a neighbour of it: (N, 3, H, W)."""
    images = len(background_N3)
    lattice = streams.uniform("clouds", images, _LATTICE * _LATTICE).astype(np.float32)
    clouds_NHW = clouds(lattice.reshape(images, _LATTICE, _LATTICE), style.image_size)
    swing_N3 = np.stack([dice.either_way(style.spread * 0.7) for _ in range(3)], axis=1)
    ground_N3 = background_N3 - swing_N3.astype(np.float32) / 2
    step_N311 = swing_N3.astype(np.float32)[:, :, None, None]
    return ground_N3[:, :, None, None] + clouds_NHW[:, None] * step_N311


def _main_shape(
    style: Style,
    contents: Contents,
    canvas_N3HW: FloatArray,
    colours_N3: tuple[FloatArray, FloatArray],
    dice: Dice,
    streams: Streams,
) -> None:
    size = style.image_size
    off, (least, largest) = style.off_centre * size, style.radius
    centre_N2 = size / 2 + np.stack([dice.either_way(off), dice.either_way(off)], axis=1)
    stretch_N = dice.either_way(style.stretch)
    pose = Pose.of(
        centre_N2,
        dice.between(least * size, largest * size),
        dice.either_way(style.tilt),
        np.where(stretch_N < 0, 1 / (1 - stretch_N), 1 + stretch_N),
    )
    x_N1W, y_NH1 = pose.offsets(size)
    depth_NHW = depth_inside(contents.shape_N, pose, x_N1W, y_NH1)
    first_N3, second_N3 = (colour_N3[:, :, None, None] for colour_N3 in colours_N3)
    paint_N3HW = first_N3
    if contents.texture_N.any():
        surface = _surface(style, depth_NHW, (x_N1W, y_NH1), dice, streams)
        share_NHW = pattern(contents.texture_N, surface)
        paint_N3HW = first_N3 + (second_N3 - first_N3) * share_NHW[:, None]
    canvas_N3HW += (paint_N3HW - canvas_N3HW) * coverage(depth_NHW)[:, None]


def _surface(
    style: Style,
    depth_NHW: FloatArray,
    offsets: tuple[FloatArray, FloatArray],
    dice: Dice,
    streams: Streams,
) -> Surface:
    x_N1W, y_NH1 = offsets
    images, size = len(depth_NHW), style.image_size
    cos_N11, sin_N11 = (
        part_N.astype(np.float32)[:, None, None] for part_N in cosine_sine(dice.between(0, 1))
    )
    low, high = style.period
    period_N11 = dice.between(low * size, high * size).astype(np.float32)[:, None, None]
    cells = 16
    grain = streams.grain("grain", images, cells).astype(np.float32) * np.float32(1 / 255)
    return Surface(
        along_NHW=cos_N11 * x_N1W + sin_N11 * y_NH1,
        across_NHW=cos_N11 * y_NH1 - sin_N11 * x_N1W,
        depth_NHW=depth_NHW,
        period_N11=period_N11,
        phase_N11=dice.between(0, 1).astype(np.float32)[:, None, None],
        grain_NHW=grain.repeat(size // cells, axis=1).repeat(size // cells, axis=2),
    )


def _strew(style: Style, canvas_N3HW: FloatArray, dice: Dice) -> None:
    """Draw one small plain shape per image, each inside a window around it."""
    images, size = len(canvas_N3HW), style.image_size
    centre_N2 = np.stack([dice.between(0, size), dice.between(0, size)], axis=1)
    radius_N = dice.between(style.clutter_radius[0] * size, style.clutter_radius[1] * size)
    kind_N = dice.between(0, len(OUTLINES)).astype(np.int64)
    pose = Pose.of(centre_N2, radius_N, dice.between(0, 1), np.ones(images))
    rgb_N3 = colour(dice.between(0.1, 0.9), dice.between(0.0, 0.8), dice.between(0, 1))
    window = min(size, 2 * int(style.clutter_radius[1] * size * 1.1 + 2))
    corner_N2 = np.clip((centre_N2 - window / 2).astype(np.int64), 0, size - window)
    cells_Nw2 = corner_N2[:, None, :] + np.arange(window)[:, None]
    column_N1w, row_Nw1 = cells_Nw2[:, None, :, 0], cells_Nw2[:, :, None, 1]
    shift_N2 = (0.5 - centre_N2)[:, :, None, None]
    x_N1w = (column_N1w + shift_N2[:, 0]).astype(np.float32)
    y_Nw1 = (row_Nw1 + shift_N2[:, 1]).astype(np.float32)
    cover_N1ww = coverage(depth_inside(kind_N, pose, x_N1w, y_Nw1))[:, None]
    where = (
        np.arange(images)[:, None, None, None],
        np.arange(3)[:, None, None],
        row_Nw1[:, None],
        column_N1w[:, None],
    )
    under_N3ww = canvas_N3HW[where]
    canvas_N3HW[where] = under_N3ww + (rgb_N3[:, :, None, None] - under_N3ww) * cover_N1ww


def _light(style: Style, canvas_N3HW: FloatArray, dice: Dice) -> None:
    """Brighten one side and darken the other."""
    line_S = (np.arange(style.image_size) + 0.5) / (style.image_size / 2) - 1
    x_N, y_N = dice.either_way(style.light / 2), dice.either_way(style.light / 2)
    light_NHW = (1 + x_N[:, None] * line_S)[:, None, :] + (y_N[:, None] * line_S)[:, :, None]
    canvas_N3HW *= light_NHW.astype(np.float32)[:, None]


def _develop(
    style: Style, canvas_N3HW: FloatArray, dice: Dice, noise_NHW: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Add the pixel noise, round, and put the colours last: uint8 (N, H, W, 3)."""
    peak_N11 = dice.between(*style.noise).astype(np.float32)[:, None, None]
    grey_NHW = (noise_NHW.astype(np.float32) - np.float32(127.5)) * (2 * peak_N11) + np.float32(0.5)
    canvas_N3HW *= 255
    canvas_N3HW += grey_NHW[:, None]
    np.clip(canvas_N3HW, 0, 255, out=canvas_N3HW)
    pixels_N3HW = canvas_N3HW.astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(pixels_N3HW, 1, 3))


def clouds(lattice_NGG: FloatArray, size: int) -> FloatArray:
    """A coarse lattice of values grown smoothly to (N, size, size)."""
    at_S = (np.arange(size) + 0.5) / size * (lattice_NGG.shape[1] - 1)
    low_S = at_S.astype(np.int64)
    part_S = (at_S - low_S).astype(np.float32)
    part_S = part_S * part_S * (3 - 2 * part_S)
    rise_NGG = lattice_NGG[:, 1:] - lattice_NGG[:, :-1]
    tall_NSG = lattice_NGG[:, low_S] + rise_NGG[:, low_S] * part_S[:, None]
    rise_NSG = tall_NSG[:, :, 1:] - tall_NSG[:, :, :-1]
    grown_NSS: FloatArray = tall_NSG[:, :, low_S] + rise_NSG[:, :, low_S] * part_S
    return grown_NSS
