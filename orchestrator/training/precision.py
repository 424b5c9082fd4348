"""Decide whether a device computes faster in bf16 than in float32."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def has_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bf16 natively, and faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return is_faster_in_bf16(features)  # older releases of torch report none


def is_faster_in_bf16(features: Mapping[str, object]) -> bool:
    """Return whether a processor with these features is faster in bf16 than in float32.

    It is with matrix units (AMX). AVX-512's products in bf16 run at twice the rate of float32 on
    processors of AMD, which `sse4a` identifies. On those of Intel, they run on one port instead of
    two: no more products per cycle, and rounding to bf16 is additional work.

    Args:
        features: names from `torch.cpu.get_capabilities`.
    """
    of_amd = bool(features.get("sse4a"))
    return bool(features.get("amx_bf16")) or (of_amd and bool(features.get("avx512_bf16")))
