"""The transmitting half of a codec as a model of ONNX: what `codec.py` is to torch.

    pixels (N, 3, S, S) in 0..255 -> normalise -> encoder -> features (N, D)
                                               -> channel encoder -> codeword (N, c)

It computes what the networks of torch compute, up to rounding: batch norms lie in the layers before
them, and products of matrices with nothing between them are one.

Shape legend: N images, S image size, D feature width, c reals of a codeword.
"""

from __future__ import annotations

import numpy as np

from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    InputSpec,
    TimmEncoderArchitecture,
)
from semcom.codec_arrays import Arrays, check_arrays
from semcom.errors import ConfigurationError
from transmitters.onnx_encoders import add_conv_encoder, add_student
from transmitters.onnx_graph import Graph
from transmitters.weight_table import WeightTable

PIXELS, SNR_DB, FEATURES, CODEWORD = "pixels", "snr_db", "features", "codeword"
SNR_LOW_DB, SNR_HIGH_DB, SNR_SCALE_DB = -15.0, 30.0, 20.0  # as semcom.nn.blocks.SnrCode
SMALLEST_POWER = 1e-12  # as semcom.nn.symbols.normalize_power


def build_model(architecture: CodecArchitecture, arrays: Arrays) -> bytes:
    """A codec's transmitter, serialized; `snr_db` (N, 1) is an input only where it is needed.

    Raises:
        CheckpointError: arrays that do not fit the architecture.
        ConfigurationError: a model of timm, which torch runs.
    """
    if isinstance(architecture.encoder, TimmEncoderArchitecture):
        raise ConfigurationError(
            f"encoder '{architecture.encoder.model}' is a model of timm: set engine torch"
        )
    check_arrays(architecture, "transmitter", arrays)
    weights = WeightTable(arrays)
    graph = Graph(weights)
    encoder, channel = architecture.encoder, architecture.channel
    images = _add_normalization(graph, encoder.input)
    match encoder:
        case EncoderArchitecture():
            features = add_student(graph, images, encoder)
        case ConvEncoderArchitecture():
            features = add_conv_encoder(graph, images, encoder)
    codeword = features if channel.is_direct else _add_channel_encoder(graph, channel, features)
    codeword = _add_power_normalization(graph, codeword)
    weights.finish()
    size = encoder.input.size
    inputs: dict[str, list[int | str]] = {PIXELS: ["images", 3, size, size]}
    if needs_snr(channel):
        inputs[SNR_DB] = ["images", 1]
    return graph.model(inputs, {FEATURES: features, CODEWORD: codeword})


def needs_snr(channel: ChannelCodecArchitecture) -> bool:
    """Whether what is sent depends on the SNR."""
    return channel.tx_csi and not channel.is_direct


def _add_normalization(graph: Graph, spec: InputSpec) -> str:
    """The last line of `prepare_images`."""
    mean, std = (np.array(triple).reshape(3, 1, 1) * 255.0 for triple in (spec.mean, spec.std))
    centred = graph.add("Sub", PIXELS, graph.constant(mean))
    return graph.add("Mul", centred, graph.constant(1.0 / std))


def _add_channel_encoder(graph: Graph, channel: ChannelCodecArchitecture, x: str) -> str:
    """`ChannelEncoder` up to its codeword (N, c)."""
    dim, name = channel.feature_dim, "channel_encoder.block"
    if channel.tx_csi:
        x = graph.add("Add", x, _add_snr_code(graph, dim))
    # x + output(value(x)) is one matrix: nothing lies between the two, nor before the sum.
    value_DD, value_D = graph.weights.linear(f"{name}.value", inputs=dim, outputs=dim)
    output_DD, output_D = graph.weights.linear(f"{name}.output", inputs=dim, outputs=dim)
    x = graph.dense(x, np.eye(dim) + output_DD @ value_DD, output_D + output_DD @ value_D)
    x = graph.layer_norm(x, f"{name}.norm1", dim=dim)
    y = graph.linear(x, f"{name}.up", inputs=dim, outputs=channel.ffn_dim)
    y = graph.add("Gelu", y)
    y = graph.linear(y, f"{name}.down", inputs=channel.ffn_dim, outputs=dim)
    x = graph.layer_norm(graph.add("Add", x, y), f"{name}.norm2", dim=dim)
    return graph.linear(x, "channel_encoder.reduce", inputs=dim, outputs=channel.codeword_dim)


def _add_snr_code(graph: Graph, dim: int) -> str:
    """`SnrCode`."""
    low, high = (graph.constant(np.array(value)) for value in (SNR_LOW_DB, SNR_HIGH_DB))
    clipped = graph.add("Clip", SNR_DB, low, high)
    matrix_D1, bias_D = graph.weights.linear(
        "channel_encoder.snr_code.linear", inputs=1, outputs=dim
    )
    return graph.add("Sigmoid", graph.dense(clipped, matrix_D1 / SNR_SCALE_DB, bias_D))


def _add_power_normalization(graph: Graph, x_Nc: str) -> str:
    """`normalize_power`: mean square 1/2 per real."""
    square = graph.add("Mul", x_Nc, x_Nc)
    mean_N1 = graph.add("ReduceMean", square, graph.integers(1), keepdims=1)
    bounded = graph.add("Max", mean_N1, graph.constant(np.array(SMALLEST_POWER)))
    twice = graph.add("Mul", bounded, graph.constant(np.array(2.0)))
    return graph.add("Div", x_Nc, graph.add("Sqrt", twice))
