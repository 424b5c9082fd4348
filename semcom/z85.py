"""Keys as text (ZeroMQ RFC 32): five characters per four bytes, 40 for a key of 32 bytes."""

from __future__ import annotations

CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
KEY_CHARACTERS = 40
POWERS = (4, 3, 2, 1, 0)


def z85(raw: bytes) -> str:
    """Return bytes, a multiple of four, as text."""
    text = ""
    for start in range(0, len(raw), 4):
        value = int.from_bytes(raw[start : start + 4], "big")
        text += "".join(CHARACTERS[value // 85**power % 85] for power in POWERS)
    return text


def is_key(text: str) -> bool:
    """Return whether a text represents the 32 bytes of a key; not all texts of 40 characters do."""
    if len(text) != KEY_CHARACTERS or not set(text) <= set(CHARACTERS):
        return False
    digits = [CHARACTERS.index(character) for character in text]
    groups = (digits[start : start + 5] for start in range(0, KEY_CHARACTERS, 5))
    return all(
        sum(digit * 85**power for digit, power in zip(group, POWERS, strict=True)) < 1 << 32
        for group in groups
    )
