"""T-DeepSC and RTSC: counts and shapes as specified, indices and their symbols, independence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from receiver.vit.codec import VitReceiver
from semcom.architecture import InputSpec
from semcom.checkpoints import weight_files, write_codec
from semcom.codec_arrays import format_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families import family_of
from semcom.families.vit import VIT, VitArchitecture, array_specs
from semcom.nn.square_qam import bytes_to_symbols, symbols_to_bytes
from semcom.nn.weights import to_arrays
from semcom.tasks.classification import Classification
from transmitters.vit.codec import VitTransmitter

LINKS = ("indices", "class-token", "tokens")
Halves = tuple[VitTransmitter, VitReceiver]


def architecture(link: str = "indices", **changes: object) -> VitArchitecture:
    """A small one of any link."""
    made_of = {
        "input": InputSpec(size=16), "item": (16, 16, 3), "classes": 5, "link": link, "patch": 4,
        "width": 24, "layers": 1, "heads": 3, "inner": 48, "receiver_width": 16,
        "receiver_layers": 1, "receiver_inner": 32, **changes,
    }  # fmt: skip
    return VitArchitecture.model_validate(made_of)


def published(link: str) -> VitArchitecture:
    """T-DeepSC at 224 pixels, as the source has it."""
    return VitArchitecture(
        input=InputSpec(size=224), item=(224, 224, 3), classes=10, link=link, patch=32, width=384,
        layers=4, heads=6, inner=1536, receiver_layers=2,
    )  # fmt: skip


def rtsc() -> VitArchitecture:
    return VitArchitecture(
        input=InputSpec(size=32), item=(32, 32, 3), classes=10, link="tokens", patch=4, width=128,
        layers=3, heads=4, inner=512, receiver_layers=1,
    )  # fmt: skip


def halves(made_of: VitArchitecture) -> Halves:
    torch.manual_seed(1)
    both = VitTransmitter(made_of), VitReceiver(made_of)
    if made_of.link == "indices":
        with torch.no_grad():
            both[1].decoder.codebook.copy_(both[0].channel_encoder.codebook)
    for half in both:
        for module in half.modules.values():
            module.eval().requires_grad_(False)
    return both


def parameters(made_of: VitArchitecture) -> int:
    """Parameters of the networks as they are built; the codebook of both ends once."""
    counted = sum(
        each.numel()
        for half in halves(made_of)
        for module in half.modules.values()
        for each in module.parameters()
    )
    return counted - (256 * 16 if made_of.link == "indices" else 0)


def test_t_deepsc_without_a_codebook_has_the_parameters_that_its_structure_counts() -> None:
    made_of = published("class-token")
    assert parameters(made_of) == sum(made_of.counted().values()) == 8_821_018
    assert made_of.symbols == 8


def test_t_deepsc_with_indices_is_within_a_percent_of_the_published_number() -> None:
    made_of = published("indices")
    assert parameters(made_of) == sum(made_of.counted().values()) == 8_880_554
    assert abs(8_880_554 / 8_900_000 - 1) < 0.01


def test_rtsc_has_256_symbols_and_a_transmitter_of_0_61_million_parameters() -> None:
    made_of = rtsc()
    assert made_of.symbols == 256
    counted = made_of.counted()
    assert counted["encoder"] + counted["channel_encoder"] == 610_568
    assert parameters(made_of) == sum(counted.values()) == 811_282


@pytest.mark.parametrize("link", LINKS)
def test_arrays_of_an_end_are_those_that_its_modules_hold(link: str) -> None:
    made_of = architecture(link)
    for end, half in zip(("transmitter", "receiver"), halves(made_of), strict=True):
        held = {name: array.shape for name, array in to_arrays(half.modules).items()}
        assert held == {name: spec.shape for name, spec in array_specs(made_of, end).items()}


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3), np.uint8)


@pytest.mark.parametrize("link", LINKS)
def test_codewords_have_unit_power_and_no_image_depends_on_its_neighbours(link: str) -> None:
    made_of = architecture(link)
    transmitter, receiver = halves(made_of)
    together = transmitter.encode(images(12), snr_db=0.0)
    assert together.shape == (12, made_of.symbols)
    assert together.dtype == np.complex64
    np.testing.assert_allclose(np.square(np.abs(together)).mean(axis=1), 1.0, atol=1e-5)
    alone = [transmitter.encode(images(12)[n : n + 1], snr_db=9.0) for n in range(12)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=2e-5)
    snr_db = np.full(12, 10, np.float32)
    logits = receiver.decode(together, None, snr_db_N=snr_db, equalizer="zero_forcing")
    assert logits.shape == (12, 5)
    one = receiver.decode(together[3:4], None, snr_db_N=snr_db[:1], equalizer="zero_forcing")
    np.testing.assert_allclose(logits[3:4], one, atol=2e-5)


def test_ten_indices_are_80_bits_in_20_symbols() -> None:
    made_of = architecture()
    transmitter, receiver = halves(made_of)
    assert made_of.symbols == 20
    symbols = torch.from_numpy(transmitter.encode(images(6), snr_db=0.0))
    read = symbols_to_bytes(symbols)
    assert read.shape == (6, 10)
    assert int(read.max()) < 256
    codewords = receiver.decoder.codewords(symbols)
    assert torch.equal(codewords, transmitter.channel_encoder.codebook[read])


@pytest.mark.parametrize("bit", range(80))
def test_index_flipped_in_one_bit_moves_one_token_only(bit: int) -> None:
    made_of = architecture()
    transmitter, receiver = halves(made_of)
    with torch.inference_mode():
        sent = torch.arange(10).unsqueeze(0) * 23 % 256
        flipped = sent.clone()
        flipped[0, bit // 8] ^= 1 << (bit % 8)
        whole, moved = (
            receiver.decoder.codewords(bytes_to_symbols(each)) for each in (sent, flipped)
        )
    changed = [n for n in range(10) if not torch.equal(whole[0, n], moved[0, n])]
    assert changed == [bit // 8]
    assert transmitter.architecture.symbols == 20


@given(content=st.lists(st.integers(0, 255), min_size=1, max_size=12))
def test_bytes_come_back_from_their_symbols_whatever_their_power_was(content: list[int]) -> None:
    sent = torch.tensor([content])
    symbols = bytes_to_symbols(sent)
    assert symbols.abs().square().mean().item() == pytest.approx(1.0, abs=1e-5)
    assert torch.equal(symbols_to_bytes(symbols), sent) or _all_alike(content)


def _all_alike(content: list[int]) -> bool:
    """All levels inner, or all outer: scaled to unit power the two are one codeword."""
    inner = {(each >> shift) & 1 for each in content for shift in (0, 2, 4, 6)}
    return len(inner) == 1


def test_decision_takes_the_most_likely_of_all_codewords() -> None:
    generator = torch.Generator().manual_seed(5)
    every = torch.arange(256).unsqueeze(1)
    codebook = torch.view_as_real(bytes_to_symbols(every)).flatten(1)
    received = torch.randn(400, 4, generator=generator)
    symbols = torch.view_as_complex(received.reshape(400, 2, 2))
    chosen = symbols_to_bytes(symbols)
    apart = torch.cdist(received, codebook)
    best = apart.min(dim=1).values
    taken = apart.gather(1, chosen)[:, 0]
    np.testing.assert_allclose(taken.numpy(), best.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"patch": 5}, "do not fill"),
        ({"heads": 5}, "width 24 over 5 heads"),
        ({"receiver_heads": 3}, "receiver_width 16 over 3 heads"),
        ({"item": (8, 8, 3)}, "item"),
    ],
)
def test_architecture_that_does_not_fit_is_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        architecture(**changes)


def written(folder: Path, link: str = "indices", **changes: object):
    made_of = architecture(link)
    transmitter, receiver = halves(made_of)
    contents = {
        "transmitter": format_arrays(to_arrays(transmitter.modules)),
        "receiver": format_arrays(to_arrays(receiver.modules)),
    }
    fields = {
        "name": folder.name, "family": "vit", "system": made_of.system, "dataset": "shapes10",
        "task": Classification(classes=5), "symbols": made_of.symbols,
        "architecture": made_of.model_dump(mode="json"), "weights": weight_files(contents),
        **changes,
    }  # fmt: skip
    return write_codec(folder, FamilyManifest(**fields), contents)


@pytest.mark.parametrize("link", LINKS)
def test_codec_on_disk_computes_as_its_networks(tmp_path: Path, link: str) -> None:
    codec = written(tmp_path / "codec", link)
    codec.verify()
    transmitter = codec.load_transmitter()
    plain, _ = halves(architecture(link))
    symbols = transmitter.encode(images(4), snr_db=0.0)
    np.testing.assert_allclose(symbols, plain.encode(images(4), snr_db=0.0), atol=0.2)
    snr_db = np.full(4, 10, np.float32)
    logits = codec.load_receiver().decode(symbols, None, snr_db_N=snr_db, equalizer="zero_forcing")
    assert logits.shape == (4, 5)
    assert family_of("vit") is VIT


@pytest.mark.parametrize(
    "changes",
    [
        {"symbols": 21},
        {"system": "rtsc"},
        {"needs_snr": True},
        {"task": Classification(classes=6)},
    ],
)
def test_manifest_that_contradicts_its_architecture_is_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    codec = written(tmp_path / "codec", **changes)
    with pytest.raises(CheckpointError, match=next(iter(changes))):
        codec.verify()


def test_onnx_is_refused_in_one_line(tmp_path: Path) -> None:
    codec = written(tmp_path / "codec")
    with pytest.raises(ConfigurationError, match="is of the family vit: set engine: torch"):
        codec.load_transmitter(engine="onnxruntime")
