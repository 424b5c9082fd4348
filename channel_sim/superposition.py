"""Superposition: the sum of a slot's frames after their fading, with one noise.

    y = ((sqrt(p_a) (h_a x_a)) + (sqrt(p_b) (h_b x_b)) + ...) + n

in float32 and in this order, members ascending by name. Fading is keyed by each member's link, the
noise by the group, so the order of arrival has no effect. Shape legend: B images (one codeword of
each member), K complex symbols, U members.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from channel_sim.channels import Codewords
from channel_sim.noise import ComplexArray
from channel_sim.noise_engine import NUMPY, Engine
from channel_sim.passing import Passed, fade_by_package
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.points import ChannelSettings
from semcom.wire import fits


def superpose(
    group: Group,
    members: Sequence[Codewords],
    symbols: Sequence[ComplexArray],
    *,
    engine: Engine = NUMPY,
) -> Passed:
    """Pass the frames of a slot through the channel.

    Args:
        group: group of the slot.
        members: frames of the codewords, in the order of the group's links.
        symbols: the codewords of each, complex64 (B, K).
        engine: draws and computes.

    Returns:
        The received symbols (B, K), and the gain of each member as channel state (B, U).

    Raises:
        ProtocolError: a package's channel model fails or has more than one gain per codeword, or
            codewords have several lengths.
    """
    if any(member.used for member in members):
        raise ProtocolError("shape", "codewords of several lengths are not superposed")
    sent: list[ComplexArray] = []
    states: dict[int, ComplexArray] = {}  # of the channels of packages
    for index, (member, symbols_BK) in enumerate(zip(members, symbols, strict=True)):
        sent.append(symbols_BK)
        if not isinstance(member.point.channel, ChannelSettings):
            faded = fade_by_package(member, symbols_BK, engine.normals)
            if isinstance(faded, ProtocolError):
                raise faded
            sent[-1] = faded.symbols_BK
            if faded.csi_BM is not None:
                states[index] = faded.csi_BM
    amplitudes = [float(np.float32(math.sqrt(power))) for power in group.powers]
    through = engine.superposed(members, amplitudes, sent, noise_link=group.name)
    for index, member in enumerate(members):
        if member.has_csi and through.csi_BM is not None:
            states[index] = through.csi_BM[:, index : index + 1]
    first, received_BK = members[0], through.received_BK
    ordered = [states[index] for index in sorted(states)]
    csi_BU = np.concatenate(ordered, axis=1) if ordered else None
    if csi_BU is not None and csi_BU.shape[1] != len(members):
        raise ProtocolError(
            "shape",
            f"channel model {first.point.channel.model} states {csi_BU.shape[1]} columns for "
            f"{len(members)} superposed links; one gain of each is needed",
        )
    if not fits(*received_BK.shape, csi_columns=len(members)):
        raise ProtocolError("shape", "no room for the channel state of all superposed links")
    return Passed(received_BK, csi_BU, "zero_forcing", through.snrs_db[0])
