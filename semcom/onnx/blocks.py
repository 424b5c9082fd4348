"""Blocks that both ends of a link share, the counterpart of `semcom.nn.blocks`.

Shape legend: N images, D feature width, w width of an SNR code.
"""

from __future__ import annotations

import numpy as np

from semcom.onnx.graph import Graph

SNR_LOW_DB, SNR_HIGH_DB, SNR_SCALE_DB = -15.0, 30.0, 20.0  # as semcom.nn.blocks.SnrCode


def add_one_token_block(graph: Graph, x_ND: str, name: str, *, dim: int, ffn_dim: int) -> str:
    """Add the `OneTokenTransformerBlock` of that name: (N, D) -> (N, D)."""
    # x + output(value(x)) is one matrix: there is no operation between the two or before the sum.
    value_DD, value_D = graph.weights.linear(f"{name}.value", inputs=dim, outputs=dim)
    output_DD, output_D = graph.weights.linear(f"{name}.output", inputs=dim, outputs=dim)
    x = graph.dense(x_ND, np.eye(dim) + output_DD @ value_DD, output_D + output_DD @ value_D)
    x = graph.layer_norm(x, f"{name}.norm1", dim=dim)
    y = graph.linear(x, f"{name}.up", inputs=dim, outputs=ffn_dim)
    y = graph.add("Gelu", y)
    y = graph.linear(y, f"{name}.down", inputs=ffn_dim, outputs=dim)
    return graph.layer_norm(graph.add("Add", x, y), f"{name}.norm2", dim=dim)


def add_snr_code(
    graph: Graph, snr_db_N1: str, name: str, *, width: int, come: tuple[str, int] | None = None
) -> str:
    """Add the `SnrCode` of that name: (N, 1) in dB, and `come` (N, I) -> (N, w)."""
    low, high = (graph.constant(np.array(value)) for value in (SNR_LOW_DB, SNR_HIGH_DB))
    state = graph.add("Clip", snr_db_N1, low, high)
    inputs = 1
    if come is not None:
        state, inputs = graph.add("Concat", state, come[0], axis=1), 1 + come[1]
    matrix, bias_w = graph.weights.linear(f"{name}.linear", inputs=inputs, outputs=width)
    scales = np.array([SNR_SCALE_DB, *[1.0] * (inputs - 1)])
    return graph.add("Sigmoid", graph.dense(state, matrix / scales, bias_w))
