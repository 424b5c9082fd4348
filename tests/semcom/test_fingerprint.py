"""How a process rounds: what is said of it, and how two are told apart."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from semcom.fingerprint import Fingerprint, Origin, differences
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


def test_this_machine_names_itself():
    assert processor()
    assert torch_kernels()
    assert vector_extensions() == " ".join(sorted(vector_extensions().split()))
