"""The channel's random numbers, recomputed from docs/protocol.md section 10, one by one.

No import of the project's packages: slow and plain on purpose.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

MASK = 2**64 - 1
TURN = 65536
_ANGLES = np.arange(TURN, dtype=np.float64) * (2 * math.pi / TURN)
COS = np.cos(_ANGLES).astype("<f4")
SIN = np.sin(_ANGLES).astype("<f4")

Pair = tuple[np.float32, np.float32]
ZERO, ONE = np.float32(0), np.float32(1)


def decimal(value: float) -> str:
    """A float as the key's text writes it; both zeros are `0.0`."""
    return repr(float(value) + 0.0)


def key_text(
    seed: int, link: str, snr_db: float, purpose: str, channel: Mapping[str, Any] | None = None
) -> str:
    """What is hashed to the key of a stream."""
    channel = channel or {}
    model = channel.get("model", "awgn")
    ratio = f"k={decimal(channel.get('rician_k', 4.0))}:" if model == "rician" else ""
    state = f"{model}:{ratio}coherence={channel.get('coherence', 1)}:snr_db={decimal(snr_db)}"
    return f"{seed}\n{link}\n{state}\n{purpose}"


def digest_of(text: str) -> bytes:
    """K of section 10."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def halves(digest: bytes) -> tuple[int, int]:
    """key0 and key1."""
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


def philox_block(key: tuple[int, int], counter: int) -> list[int]:
    """Philox4x64-10 on the counter (counter, 0, 0, 0)."""
    c0, c1, c2, c3 = counter, 0, 0, 0
    k0, k1 = key
    for _ in range(10):
        a = c0 * 0xD2E7470EE14C6C93
        b = c2 * 0xCA5A826395121157
        c0, c1, c2, c3 = (b >> 64) ^ c1 ^ k0, b & MASK, (a >> 64) ^ c3 ^ k1, a & MASK
        k0 = (k0 + 0x9E3779B97F4A7C15) & MASK
        k1 = (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]


def item_words(key: tuple[int, int], item: int, samples: int) -> list[int]:
    """The words of an item that has so many samples."""
    blocks = -(-samples // 4)
    first = item * blocks + 1
    words = [word for c in range(first, first + blocks) for word in philox_block(key, c)]
    return words[:samples]


def sample(word: int) -> Pair:
    """One CN(0, 1) sample of one word."""
    u = ((word >> 16) + 1) * 2.0**-48
    k = word % TURN
    m, e = math.frexp(u)
    if m < 0.7071067811865476:
        m, e = 2 * m, e - 1
    s = (m - 1) / (m + 1)
    q = s * s
    p = 2 / 15
    for d in (13, 11, 9, 7, 5, 3, 1):
        p = p * q + 2 / d
    r = np.float32(math.sqrt(-min(e * 0.6931471805599453 + s * p, 0.0)))
    return r * COS[k], r * SIN[k]


def channel_of_image(
    spec: Mapping[str, Any], link: str, image: int, sent: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray]:
    """Channel state (nil where none is sent) and received symbols of one image, complex64."""
    channel: Mapping[str, Any] = spec.get("channel", {})
    model, csi = channel.get("model", "awgn"), channel.get("csi", "perfect")
    seed, snr_db = spec.get("seed", 0), spec["snr_db"]

    def draw(purpose: str, item: int, samples: int) -> list[Pair]:
        key = halves(digest_of(key_text(seed, link, snr_db, purpose, channel)))
        return [sample(word) for word in item_words(key, item, samples)]

    h: Pair = (ONE, ZERO)
    if model != "awgn":
        ((h_re, h_im),) = draw("fading", image // channel.get("coherence", 1), 1)
        if model == "rician":
            ratio = channel.get("rician_k", 4.0)
            scatter = np.float32(math.sqrt(1 / (ratio + 1)))
            direct = np.float32(math.sqrt(ratio / (ratio + 1)))
            h_re, h_im = h_re * scatter + direct, h_im * scatter
        h = h_re, h_im

    scale = np.float32(math.sqrt(10 ** (-snr_db / 10)))
    received = np.empty(len(sent), dtype="<c8")
    for place, (x_re, x_im) in enumerate(draw("noise", image, len(sent))):
        z_re, z_im = sent[place].real, sent[place].imag
        re = (h[0] * z_re - h[1] * z_im) + x_re * scale
        im = (h[0] * z_im + h[1] * z_re) + x_im * scale
        received[place] = complex(re, im)

    if model == "awgn" or csi == "none":
        return None, received
    if csi == "mismatch":
        error = np.float32(math.sqrt(channel.get("csi_error_variance", 0.0)))
        ((x_re, x_im),) = draw("csi", image, 1)
        h = h[0] + x_re * error, h[1] + x_im * error
    return np.array([complex(*h)], dtype="<c8"), received
