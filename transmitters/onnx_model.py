"""The transmitting half of a codec as an ONNX model, the counterpart of `codec.py`.

    pixels (N, 3, S, S) in 0..255 -> normalise -> encoder -> features (N, D)
                                               -> channel encoder -> codeword (N, c)

It computes the same as the torch networks, up to rounding: batch norms are folded into the
preceding layers, and adjacent matrix products are merged.

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
from semcom.onnx.blocks import add_one_token_block, add_snr_code
from semcom.onnx.graph import Graph
from semcom.onnx.weight_table import WeightTable
from transmitters.onnx_encoders import add_conv_encoder, add_student

PIXELS, SNR_DB, FEATURES, CODEWORD = "pixels", "snr_db", "features", "codeword"
SMALLEST_POWER = 1e-12  # as semcom.nn.symbols.normalize_power


def build_model(architecture: CodecArchitecture, arrays: Arrays) -> bytes:
    """Return a codec's transmitter, serialised; `snr_db` (N, 1) is an input only if needed.

    Raises:
        CheckpointError: the arrays do not fit the architecture.
        ConfigurationError: the encoder is a timm model, which needs torch.
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
    codeword = _add_normalizations(graph, codeword, channel)
    weights.finish()
    size = encoder.input.size
    inputs: dict[str, list[int | str]] = {PIXELS: ["images", 3, size, size]}
    if needs_snr(channel):
        inputs[SNR_DB] = ["images", 1]
    return graph.model(inputs, {FEATURES: features, CODEWORD: codeword})


def needs_snr(channel: ChannelCodecArchitecture) -> bool:
    """Return whether codewords depend on the SNR."""
    return channel.tx_csi and not channel.is_direct


def _add_normalization(graph: Graph, spec: InputSpec) -> str:
    """Add the normalisation of `prepare_images`."""
    mean, std = (np.array(triple).reshape(3, 1, 1) * 255.0 for triple in (spec.mean, spec.std))
    centred = graph.add("Sub", PIXELS, graph.constant(mean))
    return graph.add("Mul", centred, graph.constant(1.0 / std))


def _add_channel_encoder(graph: Graph, channel: ChannelCodecArchitecture, x: str) -> str:
    """Add `ChannelEncoder` up to its codeword (N, c)."""
    dim = channel.feature_dim
    if channel.tx_csi:
        x = graph.add("Add", x, add_snr_code(graph, SNR_DB, "channel_encoder.snr_code", width=dim))
    x = add_one_token_block(graph, x, "channel_encoder.block", dim=dim, ffn_dim=channel.ffn_dim)
    return graph.linear(x, "channel_encoder.reduce", inputs=dim, outputs=channel.codeword_dim)


def _add_normalizations(graph: Graph, x_Nc: str, channel: ChannelCodecArchitecture) -> str:
    """Add unit power of the codeword, or of each increment (`normalize_increments`)."""
    if channel.increments is None:
        return _add_power_normalization(graph, x_Nc)
    ends = [2 * length for length in channel.lengths]
    parts = [
        graph.add("Slice", x_Nc, graph.integers(first), graph.integers(end), graph.integers(1))
        for first, end in zip([0, *ends], ends, strict=False)
    ]
    scaled = [_add_power_normalization(graph, part) for part in parts]
    return graph.add("Concat", *scaled, axis=1)


def _add_power_normalization(graph: Graph, x_Nc: str) -> str:
    """Add `normalize_power`: mean square 1/2 per real."""
    square = graph.add("Mul", x_Nc, x_Nc)
    mean_N1 = graph.add("ReduceMean", square, graph.integers(1), keepdims=1)
    bounded = graph.add("Max", mean_N1, graph.constant(np.array(SMALLEST_POWER)))
    twice = graph.add("Mul", bounded, graph.constant(np.array(2.0)))
    return graph.add("Div", x_Nc, graph.add("Sqrt", twice))
