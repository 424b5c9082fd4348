"""The family `semnoma`: sizes of its networks, its files, and both halves of a codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrator.training.semnoma.link import SlotLink
from orchestrator.training.semnoma.presets import compact, embedded, published
from receiver.semnoma.decoder import ImageDecoder
from semcom.checkpoints import Checkpoint, open_checkpoint, write_codec
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families.semnoma import SemnomaArchitecture, SemnomaCodecArchitecture
from semcom.families.semnoma_arrays import array_specs
from tests.semcom.families.semnoma_codec import SMALL, make_codec, manifest_of
from transmitters.semnoma.encoder import ImageEncoder

CIFAR = (32, 32, 3)
RNG = np.random.default_rng(5)
IMAGES = RNG.integers(0, 256, (5, 12, 12, 3), np.uint8)


def parameters(module: torch.nn.Module) -> int:
    """All but the users' planes, whose number follows from users and image."""
    return sum(p.numel() for name, p in module.named_parameters() if name != "planes")


@pytest.mark.parametrize(
    ("preset", "encoder", "decoder"),
    [(compact, 279_056, 507_971), (published, 3_519_952, 4_436_547)],
)
def test_presets_have_the_stated_numbers_of_parameters(preset, encoder, decoder):
    architecture = preset(CIFAR)["architecture"]
    assert parameters(ImageEncoder(architecture)) == encoder
    assert parameters(ImageDecoder(architecture)) == decoder


@pytest.mark.parametrize("side", [12, 32, 36, 64])
@pytest.mark.parametrize("users", [1, 3])
def test_any_side_that_is_a_multiple_of_four_comes_back_in_its_size(side, users):
    architecture = SemnomaArchitecture(**{**SMALL, "item": (side, side, 3), "users": users})
    encoder, decoder = ImageEncoder(architecture), ImageDecoder(architecture)
    with torch.no_grad():
        symbols = encoder(
            torch.rand(2, 3, side, side), torch.tensor([0, users - 1]), torch.tensor([0.0, 20.0])
        )
        feature = torch.randn(2, *architecture.feature)
        pixels = decoder(feature, torch.rand(2, architecture.decoder_side_values))
    assert symbols.shape == (2, architecture.symbols) == (2, 16 * side * side // 32)
    torch.testing.assert_close(symbols.abs().square().mean(1), torch.ones(2), rtol=1e-4, atol=0)
    assert pixels.shape == (2, 3, side, side)


def test_another_side_is_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        SemnomaArchitecture(item=(30, 30, 3))


@pytest.mark.parametrize(
    "architecture",
    [
        compact(CIFAR)["architecture"],
        published(CIFAR)["architecture"],
        embedded(CIFAR)["architecture"].model_copy(update={"users": 3, "channels": 6}),
    ],
    ids=["compact", "published", "embedded of three"],
)
def test_files_are_checked_against_the_arrays_that_the_networks_have(architecture):
    link = SlotLink(architecture, users=architecture.users)
    state = {name: tuple(value.shape) for name, value in link.state_dict().items()}
    specs = array_specs(architecture, "transmitter") | array_specs(architecture, "receiver")
    assert {name: spec.shape for name, spec in specs.items()} == state


def test_codec_on_disk_is_read_back_verified_and_loads(tmp_path):
    written = make_codec(tmp_path / "mine")
    codec = open_checkpoint(tmp_path / "mine", expected_digest=written.digest)
    codec.verify()
    manifest = codec.manifest
    assert (manifest.symbols, manifest.needs_snr, manifest.task.kind) == (
        72,
        True,
        "reconstruction",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"symbols": 71}, "the manifest has 71 symbols, the architecture 72"),
        ({"needs_snr": False}, "needs_snr: false"),
        ({"task": {"kind": "classification", "classes": 10}}, "the manifest's task is not"),
    ],
)
def test_manifest_that_contradicts_its_architecture_is_one_line(tmp_path, changes, message):
    codec = make_codec(tmp_path / "mine")
    contents = {end: codec.path(end).read_bytes() for end in codec.manifest.weights}
    architecture = SemnomaCodecArchitecture(**SMALL)
    write_codec(tmp_path / "mine", manifest_of(architecture, contents, "mine", **changes), contents)
    with pytest.raises(CheckpointError, match=message) as refused:
        open_checkpoint(tmp_path / "mine").verify()
    assert "\n" not in str(refused.value)


def test_weights_of_another_architecture_are_one_line(tmp_path):
    codec = make_codec(tmp_path / "mine", users=1)
    contents = {end: codec.path(end).read_bytes() for end in codec.manifest.weights}
    other = manifest_of(SemnomaCodecArchitecture(**SMALL), contents, "mine")
    write_codec(tmp_path / "mine", other, contents)
    with pytest.raises(CheckpointError, match=r"decoders\.1\.input\.weight is missing"):
        open_checkpoint(tmp_path / "mine").load_receiver()


@pytest.mark.parametrize("half", ["transmitter", "receiver"])
def test_another_engine_is_refused_in_one_line(tmp_path, half):
    codec = make_codec(tmp_path / "mine", users=1)
    load = codec.load_transmitter if half == "transmitter" else codec.load_receiver
    with pytest.raises(ConfigurationError, match=r"family semnoma: set \w*engine: torch"):
        load(engine="onnxruntime")


class TestPlainLink:
    @pytest.fixture
    def codec(self, tmp_path: Path) -> Checkpoint:
        return make_codec(tmp_path / "plain", users=1)

    def test_frame_is_encoded_and_decoded(self, codec):
        symbols = codec.load_transmitter().encode(IMAGES, snr_db=10.0)
        assert (symbols.shape, symbols.dtype) == ((5, 72), np.complex64)
        assert np.abs(np.square(np.abs(symbols)).mean(axis=1) - 1.0).max() < 1e-4
        decoded = decode(codec.load_receiver(), symbols, None)
        assert (decoded.shape, decoded.dtype) == ((5, 12, 12, 3), np.float32)

    def test_images_of_another_size_are_refused(self, codec):
        with pytest.raises(CheckpointError, match="takes images of 12 x 12 x 3, not 16 x 16 x 3"):
            codec.load_transmitter().encode(np.zeros((1, 16, 16, 3), np.uint8), snr_db=10.0)

    def test_phase_of_a_known_gain_changes_no_image(self, codec):
        symbols, receiver = noise(5, 72), codec.load_receiver()
        gains = np.exp(1j * np.linspace(0, 6, 5)).astype(np.complex64)[:, None]
        plain, turned = decode(receiver, symbols, None), decode(receiver, symbols * gains, gains)
        np.testing.assert_allclose(turned, plain, atol=1e-4)

    def test_gains_of_every_symbol_are_turned_one_by_one(self, codec):
        symbols, receiver = noise(5, 72), codec.load_receiver()
        gains = np.exp(1j * RNG.uniform(0, 6, (5, 72))).astype(np.complex64)
        plain, turned = decode(receiver, symbols, None), decode(receiver, symbols * gains, gains)
        np.testing.assert_allclose(turned, plain, atol=1e-4)

    def test_gain_of_zero_gives_numbers(self, codec):
        none = np.zeros((5, 1), np.complex64)
        assert np.isfinite(decode(codec.load_receiver(), noise(5, 72), none)).all()

    def test_no_snr_beyond_the_training_is_seen(self, codec):
        symbols, receiver = noise(5, 72), codec.load_receiver()
        highest, beyond = (decode(receiver, symbols, None, snr_db=each) for each in (20.0, 60.0))
        np.testing.assert_array_equal(beyond, highest)
        assert not np.array_equal(decode(receiver, symbols, None, snr_db=10.0), highest)


class TestSlots:
    @pytest.fixture
    def codec(self, tmp_path: Path) -> Checkpoint:
        return make_codec(tmp_path / "joint")

    def test_each_user_has_an_image_of_every_slot(self, codec):
        receiver, gains = codec.load_receiver(), noise(5, 2)
        decoded = decode_users(receiver, noise(5, 72), gains)
        assert (decoded.shape, decoded.dtype) == ((2, 5, 12, 12, 3), np.float32)
        assert not np.array_equal(decoded[0], decoded[1])

    def test_no_gains_are_gains_of_one(self, codec):
        symbols, receiver = noise(5, 72), codec.load_receiver()
        ones = np.ones((5, 2), np.complex64)
        without, given = (decode_users(receiver, symbols, gains) for gains in (None, ones))
        np.testing.assert_array_equal(without, given)

    def test_users_differ_in_what_they_send_of_one_image(self, codec):
        transmitter = codec.load_transmitter()
        one, other = (transmitter.as_user(user).encode(IMAGES, snr_db=10.0) for user in (0, 1))
        assert np.abs(one - other).max() > 1e-3

    @pytest.mark.parametrize(
        "call",
        [
            lambda codec: codec.load_transmitter().encode(IMAGES, snr_db=10.0),
            lambda codec: decode(codec.load_receiver(), noise(5, 72), None),
        ],
        ids=["encode", "decode"],
    )
    def test_plain_link_is_refused_in_one_line(self, codec, call):
        with pytest.raises(CheckpointError, match="is for slots of 2 users, not for a plain link"):
            call(codec)

    def test_what_does_not_fit_the_users_is_refused(self, codec):
        with pytest.raises(CheckpointError, match="has 2 users, and no user 2"):
            codec.load_transmitter().as_user(2)
        with pytest.raises(CheckpointError, match="is for slots of 2 users, not of 3"):
            decode_users(codec.load_receiver(), noise(5, 72), noise(5, 3))


class TestItemsAlone:
    """Neither codewords nor images depend on what else is in a frame, bit for bit."""

    def test_codewords_of_a_permuted_and_of_a_split_frame(self, tmp_path):
        sender = make_codec(tmp_path / "joint").load_transmitter().as_user(1)
        whole = sender.encode(IMAGES, snr_db=5.0)
        order = RNG.permutation(5)
        np.testing.assert_array_equal(sender.encode(IMAGES[order], snr_db=5.0), whole[order])
        parts = [sender.encode(part, snr_db=5.0) for part in (IMAGES[:1], IMAGES[1:])]
        np.testing.assert_array_equal(np.concatenate(parts), whole)

    def test_images_of_permuted_split_and_repeated_slots(self, tmp_path):
        codec = make_codec(tmp_path / "joint", widths=(24, 48))
        receiver, task = codec.load_receiver(), codec.manifest.task
        symbols, gains, order = noise(5, 72), noise(5, 2), RNG.permutation(5)
        whole = decode_users(receiver, symbols, gains)
        answers = task.answers(whole[0])
        np.testing.assert_array_equal(decode_users(receiver, symbols, gains), whole)
        permuted = decode_users(receiver, symbols[order], gains[order])
        np.testing.assert_array_equal(task.answers(permuted[0]), answers[order])
        np.testing.assert_array_equal(permuted, whole[:, order])
        parts = [
            decode_users(receiver, symbols[at], gains[at]) for at in np.split(np.arange(5), [2])
        ]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def noise(items: int, columns: int) -> np.ndarray:
    parts = RNG.standard_normal((items, columns, 2)).astype(np.float32) / np.sqrt(np.float32(2))
    return np.ascontiguousarray(parts).view(np.complex64)[:, :, 0]


def decode(receiver, symbols, gains, *, snr_db: float = 10.0) -> np.ndarray:
    return receiver.decode(
        symbols, gains, snr_db_N=np.full(len(symbols), snr_db, np.float32), equalizer="zero_forcing"
    )


def decode_users(receiver, symbols, gains) -> np.ndarray:
    return receiver.decode_users(symbols, gains, snr_db_N=np.full(len(symbols), 8.0, np.float32))
