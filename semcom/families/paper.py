"""The families of the paper: RKD-SC, and the JSCC baselines that send the feature itself."""

from __future__ import annotations

from dataclasses import replace

from semcom.architecture import CodecArchitecture
from semcom.codec_arrays import End
from semcom.families.family import Family

FILES: dict[End, str] = {
    "transmitter": "transmitter.safetensors",
    "receiver": "receiver.safetensors",
}
RKD = Family(
    name="rkd",
    title="RKD-SC",
    architecture=CodecArchitecture,
    files=FILES,
    transmitter="transmitters.engine:load_transmitter",
    receiver="receiver.engine:load_receiver",
    check="semcom.codec_arrays:check_content",
)
JSCC = replace(RKD, name="jscc", title="JSCC")
