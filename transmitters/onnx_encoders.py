"""The semantic encoders as ONNX graphs: `encoder.py` and `conv_encoder.py` without torch.

Shape legend: N images, C channels, S positions of a map, D feature width, H heads, w width of a
head.
"""

from __future__ import annotations

import numpy as np

from semcom.architecture import (
    EXPANSION,
    STAGE_STRIDES,
    ConvEncoderArchitecture,
    EncoderArchitecture,
)
from semcom.onnx.graph import Graph


def add_student(graph: Graph, x: str, architecture: EncoderArchitecture) -> str:
    """Add `SemanticEncoder`: normalised images (N, 3, H, W) -> features (N, D)."""
    channels, strides = 3, (architecture.stem_conv_stride, 1, 1)
    for number, (width, stride) in enumerate(
        zip(architecture.stem_channels, strides, strict=True), 1
    ):
        names = (f"encoder.stem.conv{number}", f"encoder.stem.bn{number}")
        x = graph.conv_norm(x, names, (width, channels, 3), stride=stride)
        x, channels = graph.add("Relu", x), width
    x = graph.average_pool(x, 2)
    for stage, depth in enumerate(architecture.depths):
        planes = architecture.stage_planes[stage]
        for block in range(depth):
            name = f"encoder.stages.{stage}.{block}"
            by = STAGE_STRIDES[stage] if block == 0 else 1
            x = _add_bottleneck(graph, x, name, (channels, planes), stride=by)
            channels = planes * EXPANSION
    return _add_attention_pool(graph, x, architecture, channels)


def _add_bottleneck(
    graph: Graph, x: str, name: str, widths: tuple[int, int], *, stride: int
) -> str:
    """Add `Bottleneck`: 1x1, 3x3 and 1x1 convolutions parallel to the shortcut."""
    channels, planes = widths
    outputs = planes * EXPANSION
    y = graph.conv_norm(x, (f"{name}.conv1", f"{name}.bn1"), (planes, channels, 1))
    y = graph.add("Relu", y)
    y = graph.conv_norm(y, (f"{name}.conv2", f"{name}.bn2"), (planes, planes, 3))
    y = graph.average_pool(graph.add("Relu", y), stride)
    y = graph.conv_norm(y, (f"{name}.conv3", f"{name}.bn3"), (outputs, planes, 1))
    if stride > 1 or channels != outputs:
        names = (f"{name}.shortcut.1", f"{name}.shortcut.2")
        x = graph.conv_norm(graph.average_pool(x, stride), names, (outputs, channels, 1))
    return graph.add("Relu", graph.add("Add", y, x))


def _add_attention_pool(
    graph: Graph, x_NCHW: str, architecture: EncoderArchitecture, channels: int
) -> str:
    """Add `AttentionPool`, with the key and value matrices moved to the only query.

    A score is q (K t + k) = (q K) t + q k, and the softmax cancels the last term. Attention weights
    sum to 1, so the mean of V t + v is V (mean of t) + v. K and V are thus multiplied by one vector
    per head instead of every position.
    """
    weights, name = graph.weights, "encoder.pool"
    heads, positions = architecture.heads, architecture.last_map_size**2
    width, dim = channels // heads, architecture.feature_dim
    place_SC = weights.take(f"{name}.position", positions + 1, channels)
    query_CC, query_C = weights.linear(f"{name}.query", inputs=channels, outputs=channels)
    key_CC, _ = weights.linear(f"{name}.key", inputs=channels, outputs=channels)
    value_CC, value_C = weights.linear(f"{name}.value", inputs=channels, outputs=channels)
    output_DC, output_D = weights.linear(f"{name}.output", inputs=channels, outputs=dim)

    map_NCS = graph.add("Reshape", x_NCHW, graph.integers(0, channels, positions))
    mean_NC1 = graph.add("ReduceMean", map_NCS, graph.integers(2), keepdims=1)
    tokens_NCS = graph.add("Concat", mean_NC1, map_NCS, axis=2)
    tokens_NCS = graph.add("Add", tokens_NCS, graph.constant(place_SC.T))
    tokens_NSC = graph.add("Transpose", tokens_NCS, perm=[0, 2, 1])
    first_NC = graph.add("Reshape", mean_NC1, graph.integers(0, channels))
    # The first token's position is multiplied by the query matrix in advance.
    query_C = query_C + query_CC @ place_SC[0]
    scale = width**-0.5
    query_NC = graph.dense(first_NC, scale * query_CC, scale * query_C)
    asked_NHC = graph.per_head(query_NC, key_CC.reshape(heads, width, channels))
    scores_NHS = graph.add("MatMul", asked_NHC, tokens_NCS)
    attended_NHC = graph.add("MatMul", graph.add("Softmax", scores_NHS, axis=-1), tokens_NSC)
    value_HCw = value_CC.reshape(heads, width, channels).transpose(0, 2, 1)
    values_NHw = graph.by_head(attended_NHC, value_HCw)
    values_NC = graph.add("Reshape", values_NHw, graph.integers(0, channels))
    return graph.dense(values_NC, output_DC, output_D + output_DC @ value_C)


def add_conv_encoder(graph: Graph, x: str, architecture: ConvEncoderArchitecture) -> str:
    """Add `ConvEncoder`: normalised images (N, 3, S, S) -> standardised features (N, D)."""
    channels, stride, layer = 3, architecture.first_stride, 0
    if architecture.whiten:
        x, channels = _add_whitening(graph, x, stride)
        stride, layer = 1, 1
    for index, widths in enumerate(architecture.blocks):
        for width in widths:
            x = _add_trunk_conv(graph, x, f"{layer}", (width, channels), stride=stride)
            channels, stride, layer = width, 1, layer + 1
        if index < len(architecture.blocks) - 1:
            x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            layer += 1
        if index in architecture.residual_after:
            y = x
            for number in range(2):
                y = _add_trunk_conv(graph, y, f"{layer}.body.{number}", (channels, channels))
            x, layer = graph.add("Add", x, y), layer + 1
    if architecture.hidden:
        inputs, layer = channels * architecture.last_map_size**2, layer + 1
        channels = architecture.hidden
        matrix = graph.weights.take(f"encoder.trunk.{layer}.weight", channels, inputs)
        x = graph.add("Flatten", x)
        x = graph.dense_norm(x, f"encoder.trunk.{layer + 1}", matrix, affine=True)
        x = graph.add("Relu", x)
    else:
        x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    project = graph.weights.linear(
        "encoder.project", inputs=channels, outputs=architecture.feature_dim
    )
    return graph.dense_norm(x, "encoder.standardize", *project, affine=False)


def _add_whitening(graph: Graph, x: str, stride: int) -> tuple[str, int]:
    """Add `Whitening`; also return its number of channels."""
    size, width, padding = 2 * stride, 24 * stride**2, stride // 2 or 1
    kernel = graph.weights.take("encoder.trunk.0.weight", width, 3, size, size)
    x = graph.convolution(x, kernel, np.zeros(width), strides=[stride, stride], pads=[padding] * 4)
    return graph.add("Relu", x), width


def _add_trunk_conv(
    graph: Graph, x: str, layer: str, widths: tuple[int, int], *, stride: int = 1
) -> str:
    """Add a 3x3 convolution, its norm and ReLU."""
    names = (f"encoder.trunk.{layer}.0", f"encoder.trunk.{layer}.1")
    return graph.add("Relu", graph.conv_norm(x, names, (*widths, 3), stride=stride))
