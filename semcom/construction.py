"""Construction of a codec's networks, in words and formulas, as its manifest states it by part.

With these texts, the architecture and the arrays of both files, a codec can be computed without
this project; a test does so with numpy alone (tests/semcom/plain_codec.py). They are for
information and not part of a codec's identity.
"""

from __future__ import annotations

from typing import assert_never

from semcom.architecture import (
    STAGE_STRIDES,
    ChannelCodecArchitecture,
    CodecArchitecture,
    ConvEncoderArchitecture,
    EncoderArchitecture,
    InputSpec,
    TimmEncoderArchitecture,
)

Construction = dict[str, str]
EPSILON = "1e-5"  # of batch and layer norms, torch's default

NOTATION = (
    "arrays are named part.layer.weight and part.layer.bias, stored as float16 and computed with "
    "as float32; linear(x) = x W^T + b; images are channels x rows x columns; in service batch "
    f"norms use their running statistics: (x - running_mean) / sqrt(running_var + {EPSILON}) * "
    "weight + bias"
)
BOTTLENECK = (
    "y = relu(bn1(conv1(x))), 1x1; y = relu(bn2(conv2(y))), 3x3 with padding 1; "
    "y = bn3(conv3(mean over s x s of y)), 1x1; "
    "out = relu(y + shortcut), where the shortcut is x, or shortcut.2(shortcut.1(mean over s x s "
    "of x)), a 1x1 convolution and its batch norm, where those arrays are; s is the stage's stride "
    "in its first block, else 1; no convolution has a bias"
)
BLOCK = (
    "post-norm transformer encoder block over one token: x = norm1(x + output(value(x))); "
    "x = norm2(x + down(gelu(up(x)))); the softmax over one key is 1, so that there is no query "
    "and no key, and the number of heads does not matter; gelu(x) = x (1 + erf(x / sqrt 2)) / 2; "
    f"layer norms: (x - mean) / sqrt(variance + {EPSILON}) * weight + bias, the variance over n"
)
SNR_CODE = "sigmoid(linear(s)), s = clip(SNR in dB, -15, 30) / 20"


def construction_of(architecture: CodecArchitecture) -> Construction:
    """Return how each part of a codec is built, by the part's name."""
    encoder, channel = architecture.encoder, architecture.channel
    parts: Construction = {"notation": NOTATION, "input": _input(encoder.input)}
    match encoder:
        case EncoderArchitecture():
            parts |= _student(encoder)
        case ConvEncoderArchitecture():
            parts["encoder"] = _conv_encoder(encoder)
        case TimmEncoderArchitecture():
            parts["encoder"] = (
                f"timm.create_model('{encoder.model}', num_classes={encoder.feature_dim})"
            )
        case _:
            assert_never(encoder)
    parts |= _channel_codec(channel)
    parts["head"] = "logits = head.linear(feature); the answer is the class of the largest one"
    return parts


def _input(spec: InputSpec) -> str:
    return (
        f"pixels 0..255 of {spec.size} x {spec.size} (others resized bicubically with antialiasing "
        "and clipped), by colour (pixel / 255 - mean) / std"
    )


def _student(encoder: EncoderArchitecture) -> Construction:
    strides = ", ".join(map(str, STAGE_STRIDES))
    side, heads = encoder.last_map_size, encoder.heads
    return {
        "encoder.stem": (
            "relu(bn(conv(x))) three times, 3x3 with padding 1 and no bias, the first one with "
            f"stride {encoder.stem_conv_stride}; then the mean over 2 x 2"
        ),
        "encoder.stages": f"bottlenecks; strides of the four stages {strides}. {BOTTLENECK}",
        "encoder.pool": (
            f"attention pooling: tokens are the mean of the {side} x {side} map and its positions "
            "row by row, plus `position`; the first token asks: softmax(q k^T / sqrt(channels / "
            f"{heads})) v with {heads} heads, each a run of adjacent channels; output(all heads "
            "side by side) is the feature"
        ),
    }


def _conv_encoder(encoder: ConvEncoderArchitecture) -> str:
    start = ""
    if encoder.whiten:
        start = (
            f"relu of a convolution of {2 * encoder.first_stride} x {2 * encoder.first_stride}, "
            f"stride {encoder.first_stride}, padding {encoder.first_stride // 2 or 1}; "
        )
    dense = "flattened, relu(bn(linear without bias)); " if encoder.hidden else "mean of the map; "
    return (
        f"trunk: {start}per width of each block relu(bn(3x3 convolution, padding 1, no bias)), 2x2 "
        "max pooling after each block but the last, after a block of `residual_after` x plus two "
        f"such convolutions; {dense}project, a linear layer; standardize, a batch norm without "
        "weight and bias"
    )


def _channel_codec(channel: ChannelCodecArchitecture) -> Construction:
    reals = channel.codeword_dim
    sent = (
        f"codeword of {reals} reals / sqrt(2 mean square), at least 1e-12 below the root of the "
        "mean square; adjacent reals are I and Q of one symbol, an odd last one has Q = 0"
    )
    if channel.is_direct:
        return {
            "channel_encoder": f"the feature itself; {sent}",
            "decoder": "the equalised reals themselves are the feature",
        }
    told = "snr_code of the SNR added to the feature first; " if channel.tx_csi else ""
    return {
        "block": BLOCK,
        "snr_code": SNR_CODE,
        "channel_encoder": f"{told}block, then the linear layer reduce; {sent}",
        "decoder": (
            f"feature = output(block1([reduce(block0([z, snr_code0])), snr_code1])), z the {reals} "
            "equalised reals, [,] side by side; the SNR is that of the point"
        ),
    }
