"""Which precision `auto` chooses, by what a processor has."""

from __future__ import annotations

import pytest
import torch

from orchestrator.training import precision
from orchestrator.training.precision import has_bf16, is_faster_in_bf16

AVX512 = {"avx512_f": True, "avx512_bf16": True, "amx_bf16": False, "sse4a": False}


@pytest.mark.parametrize(
    ("features", "chosen"),
    [
        ({**AVX512, "amx_bf16": True}, True),  # Intel with AMX
        ({**AVX512, "sse4a": True}, True),  # AMD from its fourth generation of EPYC on
        ({**AVX512, "avx512_fp16": True, "cpu_name": "Intel Xeon"}, False),  # AMX is hidden
        ({"avx2": True, "sse4a": True, "avx512_bf16": False}, False),  # AMD before
        ({"amx_tile": True, "amx_int8": True}, False),
        ({"architecture": "aarch64", "bf16": True}, False),  # not measured
        ({}, False),
    ],
)
def test_bf16_is_chosen_where_it_is_faster(features: dict[str, object], chosen: bool) -> None:
    assert is_faster_in_bf16(features) is chosen


@pytest.mark.parametrize("amx", [True, False])
def test_features_are_those_of_this_processor(amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    features = {**AVX512, "amx_bf16": amx}
    monkeypatch.setattr(precision.torch.cpu, "get_capabilities", lambda: features)
    assert has_bf16(torch.device("cpu")) is amx
