"""Channel decoder and head: rows that never meet, an SNR code that ends at its bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from receiver.channel_decoder import ChannelDecoder, DirectChannelDecoder, make_channel_decoder
from receiver.codec import ReceiverCodec
from semcom.architecture import (
    ChannelCodecArchitecture,
    CodecArchitecture,
    EncoderArchitecture,
    InputSpec,
)
from semcom.nn.symbols import reals_to_symbols

WIDTH = 64
SMALL = ChannelCodecArchitecture(feature_dim=WIDTH, ffn_dim=64, compression_ratio=0.2)
CODEC = CodecArchitecture(
    encoder=EncoderArchitecture(
        input=InputSpec(size=32), depths=(1, 1, 1, 1), stem_conv_stride=1, feature_dim=WIDTH
    ),
    channel=SMALL,
    classes=10,
)


def symbols(rows: int, architecture: ChannelCodecArchitecture = SMALL) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(rows, architecture.symbols, dtype=torch.complex64, generator=generator)


@pytest.fixture(scope="module")
def decoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ChannelDecoder(SMALL).eval().requires_grad_(False)


SNR_DB_B = torch.tensor([-10.0, -2.5, 0.0, 5.0, 12.5, 25.0])


@pytest.mark.parametrize("ratio", [0.8, 0.2, 0.1])
def test_symbols_of_the_paper_become_features_of_the_paper(ratio):
    architecture = ChannelCodecArchitecture(compression_ratio=ratio)
    features = make_channel_decoder(architecture)(symbols(2, architecture), torch.zeros(2))
    assert features.shape == (2, 512)
    assert features.dtype == torch.float32


def test_splitting_a_batch_changes_no_row(decoder):
    received = symbols(6)
    whole = decoder(received, SNR_DB_B)
    for sizes in ([1] * 6, [2, 4], [5, 1]):
        cut = zip(received.split(sizes), SNR_DB_B.split(sizes), strict=True)
        parts = torch.cat([decoder(*part) for part in cut])
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)


def test_permuting_a_batch_permutes_its_rows(decoder):
    received, order = symbols(6), torch.tensor([3, 0, 5, 1, 4, 2])
    permuted = decoder(received[order], SNR_DB_B[order])
    torch.testing.assert_close(permuted, decoder(received, SNR_DB_B)[order], rtol=0, atol=1e-5)


def test_neighbours_and_their_snr_change_nothing_of_a_row(decoder):
    received = symbols(6)
    loud, other_snr_db_B = received.clone(), SNR_DB_B.flip(0)
    loud[1:] *= 100
    other_snr_db_B[0] = SNR_DB_B[0]
    row, other = decoder(received, SNR_DB_B), decoder(loud, other_snr_db_B)
    torch.testing.assert_close(row[0], other[0], rtol=0, atol=1e-5)
    assert not torch.allclose(row[1], other[1], atol=1e-2)


def test_snr_changes_what_is_recovered(decoder):
    received = symbols(1).expand(3, -1)
    rows = decoder(received, torch.tensor([-15.0, 0.0, 30.0]))
    assert torch.pdist(rows).min() > 1e-2


@pytest.mark.parametrize(("beyond_db", "bound_db"), [(-30.0, -15.0), (-15.1, -15.0), (60.0, 30.0)])
def test_snr_beyond_the_bounds_of_its_code_counts_as_the_bound(decoder, beyond_db, bound_db):
    received = symbols(1)
    beyond, bound = (decoder(received, torch.tensor([db])) for db in (beyond_db, bound_db))
    assert beyond.equal(bound)


def test_snr_within_the_bounds_is_told_apart_up_to_them(decoder):
    received = symbols(1)
    for inside_db, bound_db in ((-14.0, -15.0), (29.0, 30.0)):
        inside, bound = (decoder(received, torch.tensor([db])) for db in (inside_db, bound_db))
        assert not inside.equal(bound)


def test_padding_of_an_odd_codeword_plays_no_part(decoder):
    assert SMALL.codeword_dim == 51
    received = symbols(2)
    padded = received.clone()
    padded[:, -1] += 1000j
    assert decoder(padded, SNR_DB_B[:2]).equal(decoder(received, SNR_DB_B[:2]))
    padded[:, -1] += 1
    assert not decoder(padded, SNR_DB_B[:2]).equal(decoder(received, SNR_DB_B[:2]))


@pytest.mark.parametrize("system", ["jscc-student", "jscc-teacher"])
def test_direct_link_takes_what_was_received_as_the_feature(system):
    architecture = ChannelCodecArchitecture(system=system, feature_dim=WIDTH)
    direct = make_channel_decoder(architecture)
    assert isinstance(direct, DirectChannelDecoder)
    feature_BD = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(0))
    assert direct(reals_to_symbols(feature_BD), torch.zeros(3)).equal(feature_BD)


def decoded(codec: ReceiverCodec, csi: bool = True, rows: slice = slice(None)) -> np.ndarray:
    """Logits of six images over a fading channel."""
    received_NK = symbols(6).numpy()
    csi_N1 = np.exp(1j * np.arange(6)).astype(np.complex64).reshape(6, 1)
    return codec.decode(
        np.array((received_NK * csi_N1)[rows]),
        np.array(csi_N1[rows]) if csi else None,
        snr_db_N=SNR_DB_B.numpy()[rows].copy(),
        equalizer="mmse",
    )


@pytest.fixture(scope="module")
def codec():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        codec = ReceiverCodec(CODEC)
    for module in codec.modules.values():
        module.eval()
    return codec


def test_codec_answers_with_a_logit_per_class(codec):
    logits = decoded(codec)
    assert logits.shape == (6, 10)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_codec_answers_each_image_alone(codec):
    whole = decoded(codec)
    alone = np.concatenate([decoded(codec, rows=slice(row, row + 1)) for row in range(6)])
    np.testing.assert_allclose(alone, whole, rtol=0, atol=1e-5)


def test_codec_equalises_with_the_state_and_the_snr_that_it_is_told(codec):
    with torch.inference_mode():
        noise_power = torch.pow(10.0, -SNR_DB_B / 10).unsqueeze(1)
        features, logits = codec.forward(symbols(6) / (1 + noise_power), SNR_DB_B)
    np.testing.assert_allclose(decoded(codec), logits.numpy(), rtol=0, atol=1e-4)
    assert features.shape == (6, WIDTH)
    assert np.abs(decoded(codec) - decoded(codec, csi=False)).max() > 0.01


def test_codec_takes_a_gain_of_every_symbol_and_any_other_number_of_columns(codec):
    received_NK = symbols(6).numpy()
    gains_NK = np.exp(1j * np.arange(received_NK.size)).astype(np.complex64)
    gains_NK = gains_NK.reshape(received_NK.shape)

    def logits(received: np.ndarray, csi: np.ndarray | None) -> np.ndarray:
        snr_db_N = SNR_DB_B.numpy().copy()
        return codec.decode(received, csi, snr_db_N=snr_db_N, equalizer="zero_forcing")

    expected = logits(received_NK, None)
    found = logits(received_NK * gains_NK, gains_NK)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    taps_N3 = np.full((6, 3), 2.0 + 0j, dtype=np.complex64)
    found = logits(received_NK * np.float32(2.0), taps_N3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_codec_repeats_itself_bit_for_bit(codec):
    assert decoded(codec).tobytes() == decoded(codec).tobytes()
