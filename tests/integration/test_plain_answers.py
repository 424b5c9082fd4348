"""Answers of any task and size, by a client that was written from docs/protocol.md alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import zmq

from tests.integration import plain_client as pc
from tests.integration import plain_tasks as tasks
from tests.integration.plain_channel import (
    AWGN,
    GOOD,
    RAYLEIGH,
    Channel,
    dialled,
    some_symbols,
    transmit,
)

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

TOLD = pc.Message(pc.RECEIVED_FRAME, {"equalizer": "zero_forcing", "snr_db": 10.0})


def test_channel_state_of_any_number_of_columns_is_taken_out() -> None:
    """One per codeword, one per symbol, or others, of which the mean power counts."""
    sent = some_symbols(2, 5)
    for columns in (1, 5):
        state = some_symbols(2, columns) * np.float32(0.5)
        got = tasks.Reception(TOLD, state, state * sent)
        assert np.allclose(got.equalised, sent)
    state = np.array([[3, 4j, 0], [0, 0, 5]], dtype="<c8")
    gain = np.sqrt(np.float32(25 / 3))
    assert np.allclose(tasks.Reception(TOLD, state, gain * sent).equalised, sent)


@pytest.mark.parametrize(
    ("images", "item_bytes"),
    [(1, 1), (5, 12), (100, 3072), (4096, 4096), (1, pc.MAX_PAYLOAD)],
    ids=["a byte", "small", "above a header", "many, 16 MiB", "one, 16 MiB"],
)
def test_answer_of_any_size_comes_back_to_the_byte(
    shared_channel: Channel, images: int, item_bytes: int
) -> None:
    task, link = tasks.pictures(item_bytes), f"pictures-{images}-{item_bytes}"
    codec = hashlib.sha256(link.encode()).hexdigest()
    with dialled(shared_channel, link, codec, task) as client:
        for point, frame in ((AWGN, 0), (RAYLEIGH, 1)):
            (got,) = transmit(client, point, [some_symbols(images, 8)], first_frame=frame)
            answer = client.transmitter.answers[got.message.name].payload
            assert len(answer) == images * item_bytes
            assert answer == task.answer(got)


def test_answer_above_16_mib_closes_the_connection_and_its_frame_comes_again(
    shared_channel: Channel,
) -> None:
    sizes = [pc.MAX_PAYLOAD + 1]
    right = tasks.pictures(12)

    def answer(reception: tasks.Reception) -> bytes:
        return bytes(sizes.pop()) if sizes else right.answer(reception)

    task = tasks.Task(12, answer)
    with dialled(shared_channel, "too-large", "cd" * 32, task) as client:
        socket = client.receiver.line.socket
        events = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            (got,) = transmit(client, AWGN, [GOOD])
            assert events.poll(0)
        finally:
            socket.disable_monitor()
            events.close(0)
    assert not sizes
    assert len(client.receiver.frames) >= 2
    assert not client.receiver.refusals
    assert client.transmitter.answers[got.message.name].payload == right.answer(got)
