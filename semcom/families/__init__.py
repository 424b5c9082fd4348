"""Codec families and what the running system needs of each (no torch).

    rkd           the paper's system: semantic encoder, channel-aware transformer, task head
    jscc          its baselines, which send the feature itself
    label         its bound: the transmitter classifies, and sends the class by a code
    kd_semcom     sentences by a transformer codec, eight symbols a token
    semnoma       images, of several users at once over one channel, or over a plain link
    torch-export  two programs of `torch.export`: any two modules of yours

Your own family is a `Family` that an installed package names under the entry-point group
`rkd_sc.families`. A manifest can only name a family; it never names code.
"""

from __future__ import annotations

from semcom.families.family import (
    Family,
    JointReceiverHalf,
    JointTransmitterHalf,
    ReceiverHalf,
    TransmitterHalf,
    VariableLengthReceiverHalf,
    VariableLengthTransmitterHalf,
    used_of,
)
from semcom.families.registry import GROUP, all_families, family_of

__all__ = [
    "GROUP", "Family", "JointReceiverHalf", "JointTransmitterHalf", "ReceiverHalf",
    "TransmitterHalf", "VariableLengthReceiverHalf", "VariableLengthTransmitterHalf",
    "all_families", "family_of", "used_of",
]  # fmt: skip
