"""The label bound: the accuracy of a link that classifies at the transmitter and sends the class.

With M classes, K complex symbols, the accuracy A of the classifier, and coherent maximum likelihood
over a simplex code of energy K Es:

    P(right class received) = E[ Phi(n + sqrt(2 E g))^(M-1) ],   E = K Es/N0 M / (M - 1)
    accuracy = A P + (1 - A) (1 - P) / (M - 1)

n ~ N(0, 1); g = 1 over AWGN, and exponential of mean 1 over Rayleigh fading with one gain per
codeword that the receiver knows. Both expectations are integrals by numerical quadrature.
A codec may exceed it, because soft information has a value.
"""

from __future__ import annotations

from functools import cache
from math import erf, sqrt
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

from semcom.points import AnyChannel, ChannelSettings

BoundChannel = Literal["awgn", "rayleigh"]
Values = npt.NDArray[np.float64]
# Nodes of the quadratures; doubling them changes no printed digit (a test).
NOISE_NODES, NOISE_RANGE = 160, 9.0
TABLE_POINTS = 20_001
FADE_NODES, FADE_RANGE = 160, (-16.0, 1.8)  # of ln sqrt(g)


def label_bound(
    noise_free: float,
    snr_db: float,
    *,
    classes: int,
    symbols: int,
    channel: BoundChannel = "awgn",
) -> float:
    """Return the accuracy, 0..1, of sending the class with a simplex code.

    Args:
        noise_free: A, the accuracy of the classifier at the transmitter, 0..1.
        snr_db: Es/N0 per complex symbol; over Rayleigh fading its mean.
        classes: M, at least 2.
        symbols: K of a codeword.
        channel: `awgn`, or `rayleigh` with one gain per codeword, known to the receiver.

    Raises:
        ValueError: an argument is out of range.
    """
    if classes < 2 or symbols < 1 or not 0.0 <= noise_free <= 1.0:
        raise ValueError(f"{classes} classes, {symbols} symbols, noise-free {noise_free}")
    energy = symbols * 10.0 ** (snr_db / 10.0) * classes / (classes - 1)
    match channel:
        case "awgn":
            received = float(_received(np.array([energy]), classes)[0])
        case "rayleigh":
            gains, weights = _fades()
            received = float(_received(energy * gains, classes) @ weights)
        case _:
            assert_never(channel)
    return noise_free * received + (1.0 - noise_free) * (1.0 - received) / (classes - 1)


def bound_channel(channel: AnyChannel) -> BoundChannel | None:
    """Return the channel of a point for which the bound is known; None if it is not."""
    if not isinstance(channel, ChannelSettings):
        return None
    if channel.model == "rayleigh":
        return "rayleigh" if channel.csi == "perfect" else None
    return "awgn" if channel.model == "awgn" else None


def _received(energies_E: Values, classes: int) -> Values:
    """Return P for each energy over N0: (E,)."""
    nodes, weights = _noise()
    shifted_EN = nodes + np.sqrt(2.0 * energies_E)[:, None]
    received: Values = _phi(shifted_EN) ** (classes - 1) @ weights
    return received


@cache
def _noise() -> tuple[Values, Values]:
    """Return nodes n and weights of the normal density."""
    nodes, weights = np.polynomial.legendre.leggauss(NOISE_NODES)
    at = NOISE_RANGE * nodes
    density = np.exp(-0.5 * at * at) / sqrt(2.0 * np.pi)
    return at, weights * NOISE_RANGE * density


@cache
def _fades() -> tuple[Values, Values]:
    """Return gains g and weights of the exponential density; even in ln sqrt(g)."""
    nodes, weights = np.polynomial.legendre.leggauss(FADE_NODES)
    low, high = FADE_RANGE
    gains = np.exp(low + high + (high - low) * nodes)  # the square of exp of the middle of both
    return gains, weights * (high - low) * gains * np.exp(-gains)


def _phi(x: Values) -> Values:
    """Return the distribution function of N(0, 1), to 1e-8."""
    return np.interp(x, *_table())


@cache
def _table() -> tuple[Values, Values]:
    """Return points and the distribution function of N(0, 1) there; numpy has no erf."""
    at = np.linspace(-NOISE_RANGE, NOISE_RANGE, TABLE_POINTS)
    return at, np.array([0.5 * (1.0 + erf(x / sqrt(2.0))) for x in at])
