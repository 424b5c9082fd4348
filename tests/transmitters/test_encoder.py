"""Semantic encoder and channel encoder: sizes of the paper, unit power, rows that never meet."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from orchestrator.training.presets import COMPRESSION_RATIO, PRESETS, STANDS_FOR
from semcom import wire
from semcom.architecture import (
    STAGE_PLANES,
    STAGE_STRIDES,
    TABLE_III_DEPTHS,
    ChannelCodecArchitecture,
    CodecArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.nn.blocks import OneTokenTransformerBlock, SnrCode
from semcom.nn.symbols import normalize_power, reals_to_symbols, symbols_to_reals
from semcom.shards import DatasetManifest, SplitManifest
from transmitters.channel_encoder import ChannelEncoder, make_channel_encoder
from transmitters.codec import TransmitterCodec
from transmitters.encoder import SemanticEncoder, make_stage

RATIOS = {0.8: (102, 51), 0.2: (409, 205), 0.1: (460, 230)}
STAGE_PARAMETERS = {1: (4_544, 4_544), 2: (24_192, 17_792), 3: (95_488, 70_400)}
STAGE_PARAMETERS[4] = (379_392, 280_064)


def parameters(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


def paper_encoder(depths: tuple[int, int, int, int]) -> SemanticEncoder:
    """The student at 224x224; on no device, to be counted and not to be computed."""
    with torch.device("meta"):
        return SemanticEncoder(EncoderArchitecture(input=InputSpec(size=224), depths=depths)).eval()


def randomized(module: nn.Module) -> nn.Module:
    """A network whose norms are not the identity, in evaluation."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.add_(0.2 * torch.rand(tensor.shape, generator=generator) - 0.1)
    return module.eval()


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("stage", STAGE_PARAMETERS)
@pytest.mark.parametrize("depth", range(1, 6))
def test_stage_has_the_parameters_of_table_i(stage, depth):
    planes = STAGE_PLANES[stage - 1]
    in_channels = 64 if stage == 1 else 4 * STAGE_PLANES[stage - 2]
    first, further = STAGE_PARAMETERS[stage]
    made = make_stage(in_channels, planes, stride=STAGE_STRIDES[stage - 1], depth=depth)
    assert parameters(made) == first + further * (depth - 1)


@pytest.mark.parametrize(
    ("search", "dataset", "total"),
    [
        ("kdl-darts", "cifar10", 777_280),
        ("kdl-darts", "cifar100", 1_430_144),
        ("kdl-darts", "tiny-imagenet", 1_434_688),
        ("darts", "cifar10", 1_101_248),
        ("darts", "cifar100", 1_674_624),
        ("darts", "tiny-imagenet", 1_990_272),
    ],
)
def test_searched_stages_have_the_totals_of_table_iii(search, dataset, total):
    assert parameters(paper_encoder(TABLE_III_DEPTHS[search, dataset]).stages) == total


@pytest.mark.parametrize(
    ("dataset", "millions"), [("cifar10", 5.21), ("cifar100", 5.91), ("tiny-imagenet", 5.92)]
)
def test_student_and_channel_encoder_have_the_size_that_the_paper_reports(dataset, millions):
    """Counting query and key of the one-token block, which the paper builds and we do not."""
    student = paper_encoder(TABLE_III_DEPTHS["kdl-darts", dataset])
    codec = ChannelCodecArchitecture(compression_ratio=COMPRESSION_RATIO[dataset])
    channel_encoder = ChannelEncoder(codec)
    total = parameters(student, channel_encoder) + channel_encoder.block.idle_parameters
    assert total == pytest.approx(1e6 * millions, rel=0.05)


def test_channel_encoder_adds_at_most_a_hundredth_of_the_work():
    student = paper_encoder(TABLE_III_DEPTHS["kdl-darts", "cifar10"])
    with torch.device("meta"):
        channel_encoder = ChannelEncoder(ChannelCodecArchitecture(compression_ratio=0.1)).eval()
        image = torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as student_flops:
        feature = student(image)
    with FlopCounterMode(display=False) as channel_flops:
        channel_encoder(feature)
    assert student_flops.get_total_flops() > 1e9
    assert 0 < channel_flops.get_total_flops() < 0.01 * student_flops.get_total_flops()


def test_maps_shrink_by_the_strides_of_table_i():
    student = paper_encoder((1, 1, 1, 1))
    maps = student.stem(torch.empty(2, 3, 224, 224, device="meta"))
    shapes = [tuple(maps.shape)]
    for stage in student.stages:
        maps = stage(maps)
        shapes.append(tuple(maps.shape))
    assert shapes == [
        (2, 64, 56, 56), (2, 64, 56, 56), (2, 128, 28, 28), (2, 256, 14, 14), (2, 512, 7, 7),
    ]  # fmt: skip
    assert student.pool(maps).shape == (2, 512)


SIZES = {"cifar10": 32, "cifar100": 32, "tiny-imagenet": 64}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("dataset", [*SIZES, *STANDS_FOR])
def test_every_preset_keeps_a_last_map_of_at_least_two_by_two(preset, dataset):
    manifest = DatasetManifest(
        name=dataset,
        image_size=SIZES[STANDS_FOR.get(dataset, dataset)],
        classes=["a", "b"],
        source="a test",
        splits={"train": SplitManifest(images=1, sha256="0" * 64)},
    )
    architecture: CodecArchitecture = PRESETS[preset](manifest)["architecture"]
    with torch.device("meta"):
        encoder = SemanticEncoder(architecture.encoder).eval()
        maps = encoder.stem(torch.empty(1, 3, *2 * [architecture.encoder.input.size]))
    for stage in encoder.stages:
        maps = stage(maps)
    assert maps.shape[2] == maps.shape[3] == architecture.encoder.last_map_size >= 2
    assert encoder.pool(maps).shape == (1, architecture.encoder.feature_dim)


@pytest.mark.parametrize(("size", "stride"), [(16, 1), (31, 1), (32, 2), (62, 2)])
def test_refuses_input_whose_last_map_would_be_a_point(size, stride):
    with pytest.raises(ValueError, match="last feature map smaller than 2x2"):
        EncoderArchitecture(
            input=InputSpec(size=size), depths=(1, 1, 1, 1), stem_conv_stride=stride
        )


def test_refuses_heads_that_do_not_divide_the_channels():
    with pytest.raises(ValueError, match="512 channels cannot be split evenly over 7 heads"):
        EncoderArchitecture(input=InputSpec(size=224), depths=(1, 1, 1, 1), heads=7)


@pytest.mark.parametrize("ratio", RATIOS)
def test_codeword_has_the_dimensions_of_the_paper(ratio):
    architecture = ChannelCodecArchitecture(compression_ratio=ratio)
    dims, symbols = RATIOS[ratio]
    assert (architecture.codeword_dim, architecture.symbols) == (dims, symbols)
    sent = ChannelEncoder(architecture)(randn(3, 512))
    assert sent.shape == (3, symbols)
    assert sent.dtype == torch.complex64


@pytest.mark.parametrize("dims", [102, 409, 460, 2, 3])
def test_every_codeword_has_unit_power_per_symbol_whatever_its_neighbours(dims):
    codeword_Bc = randn(4, dims) * torch.tensor([[1e-3], [1.0], [50.0], [1e4]])
    symbols_BK = reals_to_symbols(normalize_power(codeword_Bc))
    energy_B = symbols_BK.abs().square().sum(dim=1)
    torch.testing.assert_close(energy_B, torch.full((4,), dims / 2))
    wire.check_power(wire.mean_power(symbols_BK.numpy()).max())


def test_odd_codeword_is_padded_with_one_zero_that_is_dropped_again():
    codeword_Bc = randn(2, 409)
    symbols_BK = reals_to_symbols(codeword_Bc)
    assert symbols_BK.shape == (2, 205)
    assert symbols_BK[:, -1].imag.tolist() == [0.0, 0.0]
    assert symbols_to_reals(symbols_BK, 409).equal(codeword_Bc)


def test_adjacent_reals_are_in_phase_and_quadrature_of_one_symbol():
    symbols = reals_to_symbols(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert symbols.tolist() == [[1 + 2j, 3 + 4j]]


def test_silent_codeword_stays_silent_and_finite():
    assert normalize_power(torch.zeros(1, 8)).equal(torch.zeros(1, 8))


@pytest.mark.parametrize("system", ["rkd-sc", "jscc-student", "jscc-teacher"])
@pytest.mark.parametrize("ratio", RATIOS)
def test_what_is_sent_keeps_the_promise_of_power(system, ratio):
    architecture = ChannelCodecArchitecture(system=system, compression_ratio=ratio)
    encoder = make_channel_encoder(architecture)
    symbols_BK = encoder(100 * randn(5, 512)).detach()
    assert symbols_BK.shape == (5, architecture.symbols)
    energy_B = symbols_BK.abs().square().sum(dim=1)
    torch.testing.assert_close(energy_B, torch.full((5,), architecture.codeword_dim / 2))


def test_direct_link_sends_the_feature_itself():
    feature_BD = randn(2, 512)
    architecture = ChannelCodecArchitecture(system="jscc-student")
    assert (architecture.codeword_dim, architecture.symbols) == (512, 256)
    sent_BD = symbols_to_reals(make_channel_encoder(architecture)(feature_BD), 512)
    torch.testing.assert_close(
        sent_BD / feature_BD, (sent_BD / feature_BD)[:, :1].expand(2, 512), rtol=1e-4, atol=0
    )


def test_power_is_kept_in_single_precision_under_autocast():
    encoder = ChannelEncoder(ChannelCodecArchitecture())
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        sent = encoder(randn(3, 512))
    assert sent.dtype == torch.complex64
    torch.testing.assert_close(sent.abs().square().mean(dim=1), torch.ones(3))


SMALL = CodecArchitecture(
    encoder=EncoderArchitecture(
        input=InputSpec(size=32), depths=(1, 2, 1, 1), width=0.25, stem_conv_stride=1,
        feature_dim=64, heads=2,
    ),
    channel=ChannelCodecArchitecture(feature_dim=64, ffn_dim=64, compression_ratio=0.2),
    classes=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def codec():
    """A codec whose batch norms have seen images, so that what it sends tells them apart."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        codec = TransmitterCodec(SMALL)
    for module in codec.encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        codec.forward(randn(32, 3, 32, 32, seed=9))
    for module in codec.modules.values():
        module.eval()
    return codec


@torch.inference_mode()
def encoded(codec: TransmitterCodec, images: Tensor) -> Tensor:
    return torch.view_as_real(codec.forward(images)[1])


def test_splitting_a_batch_changes_no_row(codec):
    images = randn(6, 3, 32, 32)
    whole = encoded(codec, images)
    for sizes in ([1] * 6, [2, 4], [5, 1]):
        parts = torch.cat([encoded(codec, part) for part in images.split(sizes)])
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)


def test_permuting_a_batch_permutes_its_rows(codec):
    images, order = randn(6, 3, 32, 32), torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        encoded(codec, images[order]), encoded(codec, images)[order], rtol=0, atol=1e-5
    )


def test_neighbours_of_an_image_change_nothing_of_it(codec):
    images = randn(4, 3, 32, 32)
    loud = images.clone()
    loud[1:] = 100 * randn(3, 3, 32, 32, seed=1)
    row, other = encoded(codec, images), encoded(codec, loud)
    torch.testing.assert_close(row[0], other[0], rtol=0, atol=1e-5)
    assert not torch.allclose(row[1], other[1], atol=0.1)


def test_other_images_are_other_codewords(codec):
    rows = encoded(codec, randn(4, 3, 32, 32)).flatten(1)
    assert torch.pdist(rows).min() > 1


def test_frame_of_stored_pixels_becomes_symbols(codec):
    images = np.random.default_rng(0).integers(0, 256, size=(3, 32, 32, 3), dtype=np.uint8)
    images.setflags(write=False)
    symbols_NK = codec.encode(images, snr_db=5.0)
    assert symbols_NK.dtype == np.complex64
    assert symbols_NK.shape == (3, SMALL.channel.symbols)
    wire.check_power(wire.mean_power(symbols_NK).max())
    assert np.array_equal(symbols_NK, codec.encode(images, snr_db=-10.0)), "SNR is not seen"
    assert np.array_equal(symbols_NK, codec.encode(images, snr_db=5.0))


def test_transmitter_sees_the_snr_only_where_its_codec_says_so():
    encoder = randomized(ChannelEncoder(ChannelCodecArchitecture(tx_csi=True)))
    plain = randomized(ChannelEncoder(ChannelCodecArchitecture()))
    feature, low, high = randn(1, 512), torch.tensor([-10.0]), torch.tensor([20.0])
    assert not torch.allclose(encoder(feature, low), encoder(feature, high), atol=1e-3)
    assert plain(feature, low).equal(plain(feature, high))
    assert plain(feature).equal(plain(feature, low))
    with pytest.raises(AssertionError, match="needs the SNR"):
        encoder(feature)


def test_code_of_the_snr_is_the_sigmoid_of_the_clipped_and_scaled_snr():
    code = SnrCode(7)
    weight, bias = code.linear.weight.detach()[:, 0], code.linear.bias.detach()
    for snr_db, scaled in ((-30, -0.75), (-15, -0.75), (0, 0.0), (10, 0.5), (30, 1.5), (60, 1.5)):
        found = code(torch.tensor([float(snr_db)])).detach()[0]
        torch.testing.assert_close(found, torch.sigmoid(scaled * weight + bias))


def test_one_token_block_is_the_transformer_block_of_the_paper():
    """For one token, whatever query and key are: so they are not built."""
    block = OneTokenTransformerBlock(dim=64, ffn_dim=128)
    layer = nn.TransformerEncoderLayer(
        64, 8, 128, dropout=0.0, activation="gelu", batch_first=True, norm_first=False
    )
    value_rows = slice(128, 192)
    with torch.no_grad():
        layer.self_attn.in_proj_weight[value_rows] = block.value.weight
        layer.self_attn.in_proj_bias[value_rows] = block.value.bias
    pairs = [
        (layer.self_attn.out_proj, block.output), (layer.linear1, block.up),
        (layer.linear2, block.down), (layer.norm1, block.norm1), (layer.norm2, block.norm2),
    ]  # fmt: skip
    for theirs, ours in pairs:
        theirs.load_state_dict(randomized(ours).state_dict())
    x_BD = randn(5, 64)
    torch.testing.assert_close(block(x_BD), layer(x_BD.unsqueeze(1)).squeeze(1))
    assert parameters(block) + block.idle_parameters == parameters(layer)
