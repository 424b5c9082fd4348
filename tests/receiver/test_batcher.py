"""Which frames share a forward pass: none in exact mode, those of one kind in throughput mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.batcher import Batcher, Waiting
from semcom.errors import ProtocolError
from semcom.frame_messages import FrameKey, ReceivedFrame
from tests.properties import examples

fuzz = examples(100)

CODEC, OTHER_CODEC = "ab" * 32, "cd" * 32


def waiting(frame: int, arrived_s: float = 0.0, *, images: int = 10, **changed: Any) -> Waiting:
    fields: dict[str, Any] = {
        "key": FrameKey(run="demo", point=0, link="cifar10", frame=frame),
        "images": images,
        "symbols": 2,
        "codec": CODEC,
        "csi_columns": 0,
        "snr_db": 5.0,
        "equalizer": "zero_forcing",
        "channel_ms": 0.0,
    }
    message = ReceivedFrame(**{**fields, **changed})
    payload = np.zeros((images, 2 + message.csi_columns), dtype=np.complex64)
    return Waiting(message, payload, arrived_s)


def batcher_of(*frames: Waiting, exact: bool = False) -> Batcher:
    batcher = Batcher(exact=exact, max_images=40, max_delay_s=0.5)
    for frame in frames:
        assert batcher.add(frame)
    return batcher


def taken(batcher: Batcher, now_s: float) -> list[int]:
    return [waiting.frame.key.frame for waiting in batcher.next_batch(now_s)]


def test_exact_mode_gives_one_frame_a_pass_in_order_of_arrival():
    batcher = batcher_of(*(waiting(frame) for frame in range(3)), exact=True)
    assert [taken(batcher, 0.0) for _ in range(4)] == [[0], [1], [2], []]


def test_exact_mode_never_waits():
    batcher = batcher_of(exact=True)
    assert batcher.wait_s(0.0, 7.0) == 7.0
    batcher.add(waiting(0))
    assert batcher.wait_s(0.0, 7.0) == 0.0


def test_lone_frame_waits_for_company_but_not_longer_than_the_delay():
    batcher = batcher_of(waiting(0, 10.0))
    assert taken(batcher, 10.49) == []
    assert len(batcher) == 1
    assert batcher.wait_s(10.1, 7.0) == pytest.approx(0.4)
    assert batcher.wait_s(10.1, 0.3) == 0.3
    assert batcher.wait_s(11.0, 7.0) == 0.0
    assert taken(batcher, 10.5) == [0]
    assert len(batcher) == 0
    assert batcher.wait_s(10.5, 7.0) == 7.0


def test_full_batch_goes_at_once():
    batcher = batcher_of(*(waiting(frame) for frame in range(5)))
    assert taken(batcher, 0.0) == [0, 1, 2, 3]
    assert taken(batcher, 0.0) == []
    assert taken(batcher, 0.5) == [4]


def test_overdue_frame_takes_along_those_that_came_later():
    batcher = batcher_of(waiting(0, 0.0), waiting(1, 0.4))
    assert taken(batcher, 0.5) == [0, 1]


def test_no_batch_holds_more_images_than_allowed():
    batcher = batcher_of(waiting(0, images=30), waiting(1, images=20), waiting(2, images=10))
    assert taken(batcher, 0.0) == [0, 2]
    assert taken(batcher, 0.5) == [1]


def test_frame_above_the_bound_goes_alone():
    batcher = batcher_of(waiting(0, images=100), waiting(1))
    assert taken(batcher, 0.0) == [0]
    assert taken(batcher, 0.5) == [1]


@pytest.mark.parametrize(
    "changed", [{"codec": OTHER_CODEC}, {"equalizer": "mmse"}, {"csi_columns": 1}]
)
def test_only_frames_of_one_kind_are_merged(changed):
    batcher = batcher_of(waiting(0), waiting(1, **changed), waiting(2), waiting(3, **changed))
    assert taken(batcher, 0.5) == [0, 2]
    assert taken(batcher, 0.5) == [1, 3]


def test_frames_of_several_links_points_and_snrs_are_merged():
    other = {"key": FrameKey(run="demo", point=4, link="cifar100", frame=1), "snr_db": -10.0}
    assert taken(batcher_of(waiting(0), waiting(1, **other)), 0.5) == [0, 1]


@pytest.mark.parametrize("exact", [True, False])
def test_frame_that_waits_already_is_not_taken_twice(exact):
    batcher = batcher_of(waiting(0), exact=exact)
    assert not batcher.add(waiting(0, 0.2))
    assert len(batcher) == 1
    assert taken(batcher, 0.5) == [0]
    assert taken(batcher, 9.0) == []
    assert batcher.add(waiting(0, 9.0)), "sent again after it was decoded, it is decoded again"
    assert taken(batcher, 9.5) == [0]


def test_frames_beyond_the_bound_are_refused_and_the_queue_stays_within_it():
    one = waiting(0).size_bytes
    batcher = Batcher(exact=True, max_images=40, max_delay_s=0.5, max_bytes=3 * one)
    assert all(batcher.add(waiting(number)) for number in range(3))
    for number in range(3, 100):
        with pytest.raises(ProtocolError, match="overloaded"):
            batcher.add(waiting(number))
    assert len(batcher) == 3
    assert not batcher.add(waiting(0)), "what waits already needs no room"
    assert taken(batcher, 0.0) == [0]
    assert batcher.add(waiting(50))


def test_frame_larger_than_the_bound_is_taken_alone():
    batcher = Batcher(exact=True, max_images=40, max_delay_s=0.5, max_bytes=1)
    assert batcher.add(waiting(0))
    with pytest.raises(ProtocolError, match="overloaded"):
        batcher.add(waiting(1))


def test_same_frame_number_of_another_link_point_or_run_is_another_frame():
    batcher = batcher_of(waiting(0))
    for key in ({"link": "cifar100"}, {"point": 1}, {"run": "other"}):
        fields = {"run": "demo", "point": 0, "link": "cifar10", "frame": 0, **key}
        assert batcher.add(waiting(0, key=FrameKey(**fields)))
    assert len(batcher) == 4


arrivals = st.tuples(
    st.integers(1, 60), st.sampled_from([CODEC, OTHER_CODEC]), st.booleans(), st.floats(0, 0.3)
)


@fuzz
@given(frames=st.lists(arrivals, max_size=25), exact=st.booleans())
def test_every_frame_goes_once_in_time_and_in_bounds(frames, exact):
    batcher, now_s = batcher_of(exact=exact), 0.0
    arrived: dict[int, Waiting] = {}
    gone: list[int] = []

    def take() -> None:
        while batch := batcher.next_batch(now_s):
            assert len({each.kind for each in batch}) == 1
            assert len(batch) == 1 or sum(each.frame.images for each in batch) <= 40
            assert not exact or len(batch) == 1
            gone.extend(each.frame.key.frame for each in batch)

    for number, (images, codec, csi, pause_s) in enumerate(frames):
        now_s += pause_s
        arrived[number] = waiting(number, now_s, images=images, codec=codec, csi_columns=int(csi))
        batcher.add(arrived[number])
        take()
        late = [n for n, each in arrived.items() if n not in gone and now_s - each.arrived_s >= 0.5]
        assert late == []
    while len(batcher):
        now_s += max(batcher.wait_s(now_s, 7.0), 1e-9)
        take()
    assert sorted(gone) == sorted(arrived)
    if exact:
        assert gone == list(arrived)
