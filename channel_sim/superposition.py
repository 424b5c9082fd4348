"""Superposition: the frames of a slot through their channels, added up, and one noise over all.

    y = ((sqrt(p_a) (h_a x_a)) + (sqrt(p_b) (h_b x_b)) + ...) + n

in float32 and in this order, members ascending by name. Fading is keyed by each member's link, the
noise by the group, so nothing depends on who came first.
Shape legend: B images (one codeword of each member), K complex symbols, U members.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from channel_sim.channels import (
    Codewords,
    channel_state,
    draw_fading,
    draw_noise,
    fade,
    parts,
    snr_db,
)
from channel_sim.noise import ComplexArray, Normals, complex_normals_of
from channel_sim.passing import Faded, Passed, fade_by_package
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.points import ChannelSettings
from semcom.wire import fits, mean_power, real_view


def superpose(
    group: Group,
    members: Sequence[Codewords],
    symbols: Sequence[ComplexArray],
    *,
    normals: Normals = complex_normals_of,
) -> Passed:
    """Take the frames of a slot through the channel.

    Args:
        group: whose slot it is.
        members: whose codewords they are, in the order of the group's links.
        symbols: the codewords of each, complex64 (B, K).
        normals: what draws.

    Returns:
        The received symbols (B, K), and as channel state a gain of each member (B, U).

    Raises:
        ProtocolError: a channel model of a package fails, or states more than a gain per codeword;
            or codewords have several lengths.
    """
    if any(member.used for member in members):
        raise ProtocolError("shape", "codewords of several lengths are not superposed")
    summed_BK: ComplexArray | None = None
    states: list[ComplexArray] = []
    for member, power, symbols_BK in zip(members, group.powers, symbols, strict=True):
        faded = _fade(member, symbols_BK, normals)
        scaled_BK = faded.symbols_BK.copy()
        real_view(scaled_BK)[...] *= np.float32(math.sqrt(power))
        summed_BK = scaled_BK if summed_BK is None else summed_BK + scaled_BK
        if faded.csi_BM is not None:
            states.append(faded.csi_BM)
    assert summed_BK is not None
    first = members[0]
    noise_BK = draw_noise(
        [first._replace(link=group.name)], symbols=summed_BK.shape[1], normals=normals
    )
    csi_BU = np.concatenate(states, axis=1) if states else None
    if csi_BU is not None and csi_BU.shape[1] != len(members):
        raise ProtocolError(
            "shape",
            f"channel model {first.point.channel.model} states {csi_BU.shape[1]} columns for "
            f"{len(members)} superposed links; one gain of each is needed",
        )
    if not fits(*summed_BK.shape, csi_columns=len(members)):
        raise ProtocolError("shape", "no room for the channel state of all superposed links")
    signal, noise = (float(mean_power(it).sum(dtype=np.float64)) for it in (summed_BK, noise_BK))
    return Passed(summed_BK + noise_BK, csi_BU, "zero_forcing", snr_db(signal, noise))


def _fade(member: Codewords, symbols_BK: ComplexArray, normals: Normals) -> Faded:
    """Take the frame of one member through its fading, without noise."""
    if not isinstance(member.point.channel, ChannelSettings):
        faded = fade_by_package(member, symbols_BK, normals)
        if isinstance(faded, ProtocolError):
            raise faded
        return faded
    fading_B1 = draw_fading([member], normals)
    csi_B1 = channel_state([member], fading_B1, normals)
    if (fading_B1 == 1).all():
        return Faded(symbols_BK, csi_B1, "zero_forcing")
    faded_BK = np.empty_like(symbols_BK)
    faded_BK.real, faded_BK.imag = fade(parts(symbols_BK), parts(fading_B1))
    return Faded(faded_BK, csi_B1, "zero_forcing")
