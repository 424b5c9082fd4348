"""Sessions of ONNX Runtime with reproducible answers."""

from __future__ import annotations

from typing import Any

import onnxruntime

ERRORS_ONLY = 3


def make_session(model: bytes, *, threads: int) -> Any:
    """Return a session that computes a model on `threads` threads of the processor."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = ERRORS_ONLY
    # Idle threads wait instead of spinning, because the cores are shared.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def version() -> str:
    """Return the version of ONNX Runtime."""
    return str(onnxruntime.__version__)
