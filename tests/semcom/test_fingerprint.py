"""How a process rounds: what is said of it, and how two are told apart."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from semcom import machine
from semcom.fingerprint import EngineRounding, Fingerprint, Origin, differences, own_origin
from semcom.machine import processor, vector_extensions
from semcom.nn import rounding
from semcom.nn.rounding import torch_kernels, torch_rounding
from semcom.onnx.rounding import onnx_rounding

STORED = {
    "format": 1,
    "machine": "x86_64",
    "device": "cpu",
    "kernels": {"torch": "AVX512"},
    "threads": {"transmitter": 1, "receiver": 1},
    "versions": {"torch": "2.15.0", "numpy": "2.3.0"},
    "rounding": {"torch on 1": "ab" * 32},
}
DIGEST = "0abd8b75830283e2"  # its first letters; it must not change


def test_a_stored_fingerprint_is_read_and_keeps_its_digest():
    assert Fingerprint.model_validate(STORED).digest.startswith(DIGEST)


def test_another_format_is_refused():
    with pytest.raises(ValidationError):
        Fingerprint.model_validate(STORED | {"format": 2})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"machine": "aarch64"}, "machine aarch64, not x86_64"),
        ({"device": "H200"}, "device H200, not cpu"),
        ({"kernels": {"torch": "AVX2"}}, "kernels torch AVX2, not AVX512"),
        ({"versions": {"torch": "2.15.0", "numpy": "2.4.0"}}, "numpy 2.4.0, not 2.3.0"),
        ({"versions": {"torch": "2.15.0"}}, "numpy none, not 2.3.0"),
        ({"threads": {"transmitter": 2, "receiver": 1}}, "threads of transmitter 2, not 1"),
        (
            {"rounding": {"torch on 1": "cd" * 32}},
            "results of known operations by torch on 1 cdcdcdcdcdcd, not abababababab",
        ),
        (
            {"kernels": {"torch": "AVX2"}, "rounding": {"torch on 1": "cd" * 32}},
            "kernels torch AVX2, not AVX512",
        ),
    ],
)
def test_what_differs_is_said_in_a_few_words(changes, said):
    other = Fingerprint.model_validate(STORED)
    assert differences(Fingerprint.model_validate(STORED | changes), other) == said


def test_names_of_hosts_stay_on_one_line():
    origin = Origin(host="a\nb", processor="c", fingerprint=Fingerprint.model_validate(STORED))
    assert "\n" not in origin.words
    assert Origin.model_validate_json(json.dumps(origin.model_dump())) == origin


def test_known_operations_give_the_same_again_and_notice_a_last_bit(monkeypatch):
    assert torch_rounding() == torch_rounding()
    before, known = torch_rounding(), rounding._known_operations

    def altered(device):
        results = known(device)
        results[0].view(-1)[0] *= 1 + 2**-23
        return results

    monkeypatch.setattr(rounding, "_known_operations", altered)
    assert torch_rounding() != before


def test_onnx_runtime_gives_the_same_again():
    assert onnx_rounding() == onnx_rounding()
    assert len(onnx_rounding()) == 64


# The vector extensions of a Xeon of the fourth generation, which are longer than 200 characters.
XEON = (
    "amx_bf16 amx_int8 amx_tile avx avx2 avx512_bf16 avx512_bitalg avx512_fp16 avx512_vbmi2 "
    "avx512_vnni avx512_vpopcntdq avx512bw avx512cd avx512dq avx512f avx512ifma avx512vbmi "
    "avx512vl avx_vnni fma sse4_2"
)


def engine(kernels: str, version: str = "1.23") -> EngineRounding:
    return EngineRounding("onnxruntime", version, kernels, "ab" * 32, threads=1)


def test_all_vector_extensions_of_a_processor_are_stated(monkeypatch):
    flags = f"fpu vme {XEON} sse4_1 tsc"
    monkeypatch.setattr(machine, "_cpu_lines", lambda: [("flags", flags)])
    assert vector_extensions() == XEON
    origin = own_origin({"receiver": engine(vector_extensions())})
    assert origin.fingerprint.kernels == {"onnxruntime": XEON}


def test_no_host_is_refused_for_the_length_of_its_names(monkeypatch):
    long = "x" * 5000
    monkeypatch.setattr("socket.gethostname", lambda: long)
    monkeypatch.setattr("semcom.fingerprint.processor", lambda: long)
    origin = own_origin({"receiver": engine(long, version=long)})
    assert origin.host == origin.processor == f"{long[:197]}..."
    assert Origin.model_validate_json(origin.stored()) == origin


def test_this_machine_names_itself():
    assert processor()
    assert torch_kernels()
    assert vector_extensions() == " ".join(sorted(vector_extensions().split()))
