"""Rounding of ONNX Runtime on this machine: known operations, as in `semcom/nn/rounding.py`.

It does not report its instruction set, so the processor's vector extensions are used instead.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from semcom.fingerprint import EngineRounding
from semcom.machine import vector_extensions
from semcom.onnx.graph import Graph
from semcom.onnx.session import make_session, version
from semcom.onnx.weight_table import WeightTable

SEED = 1
STEPS = 1 << 12


def onnx_part(*, threads: int = 1) -> EngineRounding:
    """Return how ONNX Runtime rounds here."""
    return EngineRounding(
        engine="onnxruntime",
        version=version(),
        kernels=vector_extensions() or "not told",
        rounding=onnx_rounding(threads=threads),
        threads=threads,
    )


def onnx_rounding(*, threads: int = 1) -> str:
    """Return the SHA-256 over the results of typical network operations on known numbers."""
    graph = Graph(WeightTable({}))
    dense = graph.dense("rows", _numbers(384, 512), _numbers(384))
    convolved = graph.convolution("images", _numbers(48, 32, 3, 3), _numbers(48), pads=[1] * 4)
    scale, shift = graph.constant(_numbers(384)), graph.constant(_numbers(384))
    outputs = {
        "dense": dense,
        "convolved": convolved,
        "normed": graph.add("LayerNormalization", dense, scale, shift, axis=-1),
        "softmax": graph.add("Softmax", dense, axis=-1),
        "erf": graph.add("Erf", dense),
        "sigmoid": graph.add("Sigmoid", "rows"),
    }
    model = graph.model({"rows": ["N", 512], "images": ["N", 32, 16, 16]}, outputs)
    session = make_session(model, threads=threads)
    given = {
        "rows": _numbers(64, 512).astype(np.float32),
        "images": _numbers(16, 32, 16, 16).astype(np.float32),
    }
    digest = hashlib.sha256()
    for result in session.run(list(outputs), given):
        digest.update(np.ascontiguousarray(result).tobytes())
    return digest.hexdigest()


def _numbers(*shape: int) -> npt.NDArray[np.float64]:
    """Return numbers between -1 and 1 that float32 holds exactly."""
    drawn = np.random.Generator(np.random.PCG64(SEED)).integers(-STEPS, STEPS, shape)
    return drawn / float(STEPS)
