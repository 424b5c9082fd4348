"""Codec families, and what the running system needs from each (no torch).

    rkd           the paper's system: semantic encoder, channel-aware transformer, task head
    jscc          its baselines, which send the feature itself
    label         its bound: the transmitter classifies and sends the class with a code
    digital       its baselines: a source code or an image format, a channel code and QAM
    kd_semcom     sentences with a transformer codec, eight symbols per token
    semnoma       images, of several users at the same time over one channel, or over a plain link
    vit           T-DeepSC and RTSC: features of a vision transformer
    torch-export  two programs of `torch.export`: any two of your modules

Your own family is a `Family` that an installed package registers under the entry-point group
`rkd_sc.families`. A manifest can only name a family; it never names code.
"""

from __future__ import annotations

from semcom.families.family import (
    DrawingReceiverHalf,
    Family,
    JointReceiverHalf,
    JointTransmitterHalf,
    ReceiverHalf,
    TransmitterHalf,
    VariableLengthReceiverHalf,
    VariableLengthTransmitterHalf,
    used_of,
)
from semcom.families.registry import GROUP, all_families, family_of, our_families

__all__ = [
    "GROUP", "DrawingReceiverHalf", "Family", "JointReceiverHalf", "JointTransmitterHalf",
    "ReceiverHalf", "TransmitterHalf", "VariableLengthReceiverHalf",
    "VariableLengthTransmitterHalf", "all_families", "family_of", "our_families", "used_of",
]  # fmt: skip
