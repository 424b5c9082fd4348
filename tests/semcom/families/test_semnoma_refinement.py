"""Refinement of images at the receiver: sizes, steps, and which noise meets which image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from receiver.batcher import Waiting
from receiver.decoding import FrameDecoder
from receiver.semnoma.refinement import (
    amplitudes,
    ddim_steps,
    keyed_noise,
    make_refiner,
)
from receiver.semnoma.unet import UNet
from receiver.settings import ReceiverSettings
from semcom.checkpoints import Checkpoint, open_checkpoint, write_codec
from semcom.errors import CheckpointError
from semcom.families.semnoma import SemnomaCodecArchitecture
from semcom.families.semnoma_refinement import (
    DiffusionRefinement,
    GanRefinement,
    Start,
    UnetArchitecture,
    refinement_specs,
)
from semcom.frame_messages import FrameKey, ReceivedFrame
from semcom.item_keys import ItemKey, keys_of_frame
from tests.properties import examples
from tests.semcom.families.semnoma_codec import CGAN, DIFFUSION, SMALL, make_codec, manifest_of

K = 72
RNG = np.random.default_rng(7)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_unets_have_the_stated_numbers_of_parameters():
    assert parameters(UNet(UnetArchitecture(), timed=True)) == 695_715
    assert parameters(UNet(UnetArchitecture(), timed=False)) == 625_731  # a plane, and no time


@pytest.mark.parametrize(
    "refinement",
    [
        DiffusionRefinement(starts=(Start(snr_db=0, step=5),)),
        GanRefinement(unet=UnetArchitecture(width=16)),
    ],
    ids=["diffusion", "cgan"],
)
def test_files_are_checked_against_the_arrays_that_the_refiner_has(refinement):
    refiner = make_refiner(refinement)
    state = {f"refiner.{name}": tuple(value.shape) for name, value in refiner.state_dict().items()}
    assert {name: spec.shape for name, spec in refinement_specs(refinement)} == state
    pixels = torch.rand(2, 3, 20, 12)
    assert refiner(pixels, torch.zeros(2), torch.randn(2, 3, 20, 12)).shape == pixels.shape


def test_noise_of_step_40_is_about_23_db_and_that_of_10_about_33_db():
    """The scale of the diffusion is -1..1, so its noise is half as large on pixels of 0..1."""
    for step, psnr_db in ((40, 23.1), (10, 33.1)):
        signal, noise = amplitudes(step)
        assert signal**2 + noise**2 == pytest.approx(1.0)
        assert -20 * np.log10(noise / signal / 2) == pytest.approx(psnr_db, abs=0.6)
    assert amplitudes(0) == (1.0, 0.0)


@given(st.integers(1, 1000), st.integers(1, 50))
@examples(60)
def test_steps_fall_from_the_start_and_stay_above_zero(start, most):
    steps = ddim_steps(start, most)
    assert steps[0] == start
    assert len(steps) <= min(start, most)
    assert list(steps) == sorted(set(steps), reverse=True)
    assert steps[-1] > 0


def test_noise_that_the_network_knows_is_removed_wholly():
    """With the true noise as its prediction, any number of steps ends at the clean image."""
    refiner = make_refiner(DiffusionRefinement(starts=(Start(snr_db=0, step=80),)))
    clean, noise = torch.rand(2, 3, 12, 12), torch.randn(2, 3, 12, 12)
    refiner.unet.forward = lambda x, times: noise  # type: ignore[method-assign]
    refined = refiner(clean, torch.zeros(2), noise)
    torch.testing.assert_close(refined, clean, atol=1e-4, rtol=0)


def test_start_is_that_of_the_nearest_snr():
    starts = (Start(snr_db=0, step=40), Start(snr_db=10, step=10), Start(snr_db=20, step=0))
    refinement = DiffusionRefinement(starts=starts)
    asked = (-30.0, 4.9, 5.0, 5.1, 15.0, 15.1, 60.0)
    assert [refinement.start_at(snr_db) for snr_db in asked] == [40, 40, 40, 10, 10, 0, 0]
    with pytest.raises(ValueError, match="SNRs must ascend"):
        DiffusionRefinement(starts=starts[::-1])


def test_image_at_start_zero_stays_as_the_decoder_leaves_it():
    refiner = make_refiner(DiffusionRefinement(starts=DIFFUSION["starts"], unet={"width": 8}))
    pixels = torch.randn(3, 3, 12, 12)  # beyond 0..1, too
    refined = refiner(pixels, torch.tensor([20.0, 0.0, 30.0]), torch.randn(3, 3, 12, 12))
    assert torch.equal(refined[[0, 2]], pixels[[0, 2]])
    assert not torch.equal(refined[1], pixels[1])


def test_noise_depends_on_seed_link_and_item_alone():
    keys = keys_of_frame(3, "east", first=7, count=4)
    whole = keyed_noise(keys, height=12, width=12)
    assert torch.equal(keyed_noise(keys[2:3], height=12, width=12)[0], whole[2])
    others = [ItemKey(4, "east", 9), ItemKey(3, "west", 9), ItemKey(3, "east", 8)]
    for other in others:
        assert not torch.equal(keyed_noise([other], height=12, width=12)[0], whole[2])
    assert ItemKey(3, "east", 9).seed_for("refine") == 14017949932947629305


class TestCodec:
    @pytest.fixture
    def codec(self, tmp_path: Path) -> Checkpoint:
        return make_codec(tmp_path / "refined", refinement=DIFFUSION)

    def test_manifest_states_the_refinement_and_the_digest_covers_it(self, codec, tmp_path):
        stated = json.loads((codec.folder / "manifest.json").read_text())["architecture"]
        assert [each["step"] for each in stated["refinement"]["starts"]] == [40, 5, 0]
        contents = {end: codec.path(end).read_bytes() for end in codec.manifest.weights}
        shifted = {**DIFFUSION, "starts": [{"snr_db": 0.0, "step": 80}]}
        other = SemnomaCodecArchitecture(**SMALL, refinement=shifted)
        written = write_codec(tmp_path / "o", manifest_of(other, contents, "o"), contents)
        assert written.digest != codec.digest
        open_checkpoint(codec.folder, expected_digest=codec.digest).verify()

    def test_codec_without_refinement_states_none(self, tmp_path):
        codec = make_codec(tmp_path / "plain")
        assert "refinement" not in codec.manifest.architecture
        assert not codec.load_receiver().draws  # type: ignore[attr-defined]

    @pytest.mark.parametrize("refinement", [DIFFUSION, CGAN], ids=["diffusion", "cgan"])
    def test_weights_without_the_refiner_are_one_line(self, tmp_path, refinement):
        plain = make_codec(tmp_path / "plain")
        contents = {end: plain.path(end).read_bytes() for end in plain.manifest.weights}
        stated = SemnomaCodecArchitecture(**SMALL, refinement=refinement)
        write_codec(tmp_path / "x", manifest_of(stated, contents, "x"), contents)
        with pytest.raises(CheckpointError, match=r"refiner\.unet\.\S+ is missing") as refused:
            open_checkpoint(tmp_path / "x").load_receiver()
        assert "\n" not in str(refused.value)

    def test_images_without_keys_are_refused_in_one_line(self, codec):
        with pytest.raises(CheckpointError, match="give the keys of the items"):
            codec.load_receiver().decode_users(noise(2), None, snr_db_N=np.zeros(2, np.float32))  # type: ignore[attr-defined]

    def test_gan_takes_no_keys(self, tmp_path):
        receiver = make_codec(tmp_path / "gan", users=1, refinement=CGAN).load_receiver()
        plain = make_codec(tmp_path / "plain", users=1).load_receiver()
        symbols, snr_db = noise(3), np.full(3, 5, np.float32)
        told = {"snr_db_N": snr_db, "equalizer": "zero_forcing"}
        assert not np.array_equal(
            receiver.decode(symbols, None, **told), plain.decode(symbols, None, **told)
        )


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> tuple[FrameDecoder, dict[str, str]]:
    """A receiver's decoder that holds a refined codec of slots and one of plain links."""
    root = tmp_path_factory.mktemp("codecs")
    digests = {
        name: make_codec(root / name, users=users, refinement=DIFFUSION).digest
        for name, users in (("joint", 2), ("plain", 1))
    }
    decoder = FrameDecoder(ReceiverSettings(downlink="tcp://127.0.0.1:1", codec_dir=root))
    for name in digests:
        decoder.load(name)
    return decoder, digests


class TestFrames:
    """An image's answer is the same whatever shares its frame, batch or receiver."""

    def answers(self, decoder: FrameDecoder, *batch: Waiting) -> dict[tuple[str, int], bytes]:
        found = {}
        for each in decoder.decode(list(batch)):
            size = len(each.answer) // each.images
            frame = each.result.key.frame
            for row in range(each.images):
                part = each.answer[row * size : (row + 1) * size]
                found[each.result.key.link, frame + row] = part
        return found

    def test_of_a_plain_link(self, serving):
        decoder, digests = serving
        symbols = noise(4)
        whole = self.answers(decoder, waiting(digests["plain"], symbols, first=5))
        parts = [waiting(digests["plain"], symbols[at : at + 2], first=5 + at) for at in (2, 0)]
        assert self.answers(decoder, *parts) == whole
        repeated = waiting(digests["plain"], symbols[:1].repeat(2, axis=0), first=5)
        one, other = self.answers(decoder, repeated).values()
        assert one == whole["east", 5]
        assert one != other  # the same symbols, another item

    def test_of_superposed_links(self, serving):
        decoder, digests = serving
        symbols, links = noise(3), ["east", "west"]
        whole = self.answers(decoder, waiting(digests["joint"], symbols, first=5, links=links))
        assert set(whole) == {(link, item) for link in links for item in (5, 6, 7)}
        singles = [
            waiting(digests["joint"], symbols[at : at + 1], first=5 + at, links=links)
            for at in (2, 0, 1)
        ]
        assert self.answers(decoder, *singles) == whole
        other_seed = waiting(digests["joint"], symbols, first=5, links=links, seed=1)
        assert self.answers(decoder, other_seed) != whole


def waiting(
    codec: str, payload: np.ndarray, *, first: int, links: list[str] | None = None, seed: int = 0
) -> Waiting:
    message = ReceivedFrame(
        key=FrameKey(run="demo", point=0, link="east", frame=first), images=len(payload),
        symbols=K, codec=codec, csi_columns=0, snr_db=3.0, equalizer="zero_forcing",
        channel_ms=0.0, first_image=first, seed=seed, links=links or [],
    )  # fmt: skip
    return Waiting(message, payload, 0.0)


def noise(items: int) -> np.ndarray:
    parts = RNG.standard_normal((items, K, 2)).astype(np.float32) / np.sqrt(np.float32(2))
    return np.ascontiguousarray(parts).view(np.complex64)[:, :, 0]
