"""Makes a little folder of images of three classes, in every mode that a user's folder may hold.

    python make_images.py photos

A class is a colour in the middle of noise. Files are 48-pixel RGB, 28-pixel grey, CMYK JPEG,
16-bit grey and palette PNG; one file is damaged, and one is no image.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = {"class 1": (210, 60, 50), "class 2": (60, 190, 70), "class 10": (60, 80, 220)}
IMAGES = 16  # of each class
SIDE = 48


def draw(colour: tuple[int, int, int], dice: np.random.Generator) -> Image.Image:
    """Return a square of a colour on noise, somewhere near the middle."""
    pixels_HW3 = dice.integers(60, 190, (SIDE, SIDE, 3))
    top, left = dice.integers(6, 18, 2)
    pixels_HW3[top : top + 24, left : left + 24] = np.array(colour) + dice.integers(-20, 20, 3)
    return Image.fromarray(pixels_HW3.astype(np.uint8))


def save(image: Image.Image, place: Path, number: int) -> None:
    """Write an image in the mode that its number chooses."""
    path = place / f"{number}.png"
    match number % 8:
        case 0:
            image.convert("L").resize((28, 28)).save(path)
        case 1:
            image.convert("CMYK").save(path.with_suffix(".jpg"))
        case 2:
            Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) << 8).save(path)
        case 3:
            image.quantize(64).save(path)
        case _:
            image.save(path)


def main(folder: Path) -> None:
    """Make the class folders, and two files that cannot be used."""
    dice = np.random.default_rng(0)
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(IMAGES):
            save(draw(colour, dice), folder / name, number)
    (folder / "class 1" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "class 1" / "notes.txt").write_text("not an image\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
