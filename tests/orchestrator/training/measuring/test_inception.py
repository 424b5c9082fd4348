"""The network of FID: its pooling, and which files of weights it takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from torchvision.models import inception

from orchestrator.training.measuring.frechet import gaussian_of
from orchestrator.training.measuring.inception import (
    FILE,
    BlockA,
    BlockC,
    BlockE,
    load_inception,
    new_inception,
)
from semcom.errors import ConfigurationError


@pytest.fixture(scope="module")
def weights():
    """Drawn weights under the names of the published file, which lacks the counts of batches."""
    torch.manual_seed(0)
    network = new_inception()
    for layer in (each for each in network.modules() if isinstance(each, torch.nn.Conv2d)):
        torch.nn.init.kaiming_normal_(layer.weight)  # so that features do not vanish
    state = network.state_dict()
    return {name: each for name, each in state.items() if "num_batches" not in name}


@pytest.mark.parametrize(
    ("block", "other", "arguments"),
    [
        (BlockA, inception.InceptionA, {"in_channels": 16, "pool_features": 8}),
        (BlockC, inception.InceptionC, {"in_channels": 16, "channels_7x7": 8}),
        (BlockE, inception.InceptionE, {"in_channels": 16}),
    ],
)
def test_averages_leave_padding_out(block, other, arguments):
    torch.manual_seed(0)
    mine, theirs = block(**arguments).eval(), other(**arguments).eval()
    theirs.load_state_dict(mine.state_dict())
    x = torch.rand(1, 16, 9, 9)
    with torch.inference_mode():
        found, usual = mine(x), theirs(x)
    pooled = len(found[0]) - mine.branch_pool.conv.out_channels
    torch.testing.assert_close(found[:, :pooled], usual[:, :pooled])
    # In the middle nothing is padded; at the edge, torchvision's averages are smaller.
    torch.testing.assert_close(found[:, pooled:, 1:-1, 1:-1], usual[:, pooled:, 1:-1, 1:-1])
    edge = F.avg_pool2d(x[:, :, :3, :2], (2, 2), stride=1)[:, :, 0, 0]
    with torch.inference_mode():
        wanted = mine.branch_pool(edge[:, :, None, None])
    torch.testing.assert_close(found[:, pooled:, 0, 0], wanted[:, :, 0, 0])


def test_the_last_block_takes_maxima():
    torch.manual_seed(0)
    block = BlockE(2048).eval()
    x = torch.rand(1, 2048, 3, 3)
    with torch.inference_mode():
        found = block(x)[:, -192:]
        wanted = block.branch_pool(F.max_pool2d(x, 3, stride=1, padding=1))
    torch.testing.assert_close(found, wanted)


def test_drawn_weights_give_2048_features(tmp_path, weights):
    torch.save(weights, tmp_path / FILE)
    network = load_inception(tmp_path)
    rng = np.random.default_rng(0)
    sent = rng.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    one = gaussian_of(network, sent)
    assert one.mean_D.shape == (2048,)
    assert one.covariance_DD.shape == (2048, 2048)
    assert (one.mean_D >= 0).all()  # behind ReLU and a mean
    assert one.mean_D.max() > 0.1


def test_safetensors_hold_the_same_network(tmp_path, weights):
    save_file(weights, tmp_path / FILE)
    x = torch.zeros(1, 3, 75, 75)
    torch.save(weights, (tmp_path / "other").with_suffix(".pth"))
    with torch.inference_mode():
        found = load_inception(tmp_path).network(x)
        (tmp_path / "other.pth").replace(tmp_path / FILE)
        torch.testing.assert_close(load_inception(tmp_path).network(x), found)


class Code:
    """Anything that is no array."""


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no weights at all", "it is neither safetensors nor arrays as torch saves them"),
        (b"12345678{damaged", "it is neither safetensors nor arrays as torch saves them"),
        ([1, 2], "it holds no weights by their names"),
        ({"x": Code()}, "it is neither safetensors nor arrays as torch saves them"),
        ({"fc.weight": torch.zeros(10, 2048)}, "Conv2d_1a_3x3.conv.weight is missing"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, content, told):
    if isinstance(content, bytes):
        (tmp_path / FILE).write_bytes(content)
    else:
        torch.save(content, tmp_path / FILE)
    with pytest.raises(ConfigurationError, match="no weights of the Inception network") as refused:
        load_inception(tmp_path)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_torchvisions_own_weights_are_refused(tmp_path, weights):
    other = weights | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    torch.save(other, tmp_path / FILE)
    with pytest.raises(
        ConfigurationError, match=r"fc\.weight has \(1000, 2048\), not \(1008, 2048"
    ):
        load_inception(tmp_path)
    torch.save(weights | {"AuxLogits.fc.bias": torch.zeros(1000)}, tmp_path / FILE)
    with pytest.raises(ConfigurationError, match=r"it has AuxLogits\.fc\.bias, too"):
        load_inception(tmp_path)
