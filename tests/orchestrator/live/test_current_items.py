"""An item of a live frame is recomputed bit for bit, whatever turn of the data set it is of."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from channel_sim.channels import Codewords
from channel_sim.passing import pass_frame
from orchestrator.live import current_items
from orchestrator.live.api import Api
from orchestrator.live.current_items import CurrentItems
from orchestrator.live.links import AnsweredFrame, answered
from orchestrator.live.live_scenario import LiveScenario, plan_live
from orchestrator.live.requests import BusyError, Desk
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.training.evaluation_process import run_job
from semcom.checkpoints import open_checkpoint
from semcom.errors import ConfigurationError
from semcom.http_server import Request
from semcom.messages import FrameResult
from semcom.points import ChannelSettings, PointSpec
from semcom.shards import Shard
from semcom.wakeup import Wakeup
from tests.orchestrator.codecs import write_codec, write_images
from tests.orchestrator.live.streaming import LINK, stream_of

SPEC = PointSpec(channel=ChannelSettings(model="rayleigh"), snr_db=3.0, seed=2)
SIZE, ITEMS = 10, 60


class Here:
    """Computes in this process."""

    def lines(self, job):
        """Answer a job."""
        return run_job(job)

    def close(self):
        """End nothing."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    root = tmp_path_factory.mktemp("current")
    write_images(root / "data" / "tiny")
    write_codec(root / "codecs" / "cat", compression_ratio=0.5)
    return Folders(data=root / "data", codecs=root / "codecs", runs=root / "runs")


@pytest.fixture
def items(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[CurrentItems, dict]]:
    monkeypatch.setattr(current_items, "JobProcess", Here)
    link = {"dataset": "tiny", "codec": "cat", "frame_images": SIZE,
            "course": {"kind": "constant", "snr_db": 3.0}}  # fmt: skip
    scenario = LiveScenario.model_validate({"name": "l", "mode": "live", "links": {"tiny": link}})
    planned = plan_live(scenario, data_dir=folders.data, catalog=Catalog(folders.codecs))
    shown = CurrentItems(scenario, folders)
    yield shown, planned
    shown.close()


def frame_of(planned, folders: Folders, number: int, *, wrong: bool = False) -> AnsweredFrame:
    """A frame as its processes would have answered it."""
    turn, index = divmod(number, ITEMS // SIZE)
    shard = Shard(folders.data / "tiny", "test")
    checkpoint = open_checkpoint(folders.codecs / "cat")
    sent = checkpoint.load_transmitter().encode(
        np.array(shard.images_NHWC[index * SIZE : (index + 1) * SIZE]), snr_db=3.0
    )
    passed = pass_frame(Codewords(SPEC, "tiny", turn * ITEMS + index * SIZE, SIZE), sent)
    outputs = checkpoint.load_receiver().decode(
        passed.received_BK, passed.csi_BM, snr_db_N=np.full(SIZE, 3.0, np.float32),
        equalizer="zero_forcing",
    )  # fmt: skip
    task = checkpoint.manifest.task
    answers = task.answers(outputs)
    if wrong:
        answers = (answers + 1) % 4
    score = task.judge(answers, shard.labels_N[index * SIZE : (index + 1) * SIZE])
    result = FrameResult(
        point=7, frame=number, images=SIZE, score=dict(score),
        answer=answers.astype("<u2").tobytes(), attempts=1, encode_ms=0.0, channel_ms=0.0,
        batch_wait_ms=0.0, decode_ms=0.0, round_trip_ms=0.0,
    )  # fmt: skip
    return AnsweredFrame("tiny", planned, {}, SIZE, SPEC, result)


@pytest.mark.parametrize("number", [0, 4, 15])
def test_item_agrees_with_what_was_answered_in_any_turn(items, folders, number):
    shown, planned = items
    item = shown.show(frame_of(planned, folders, number))
    assert item["agrees"]
    assert item["index"] == number * SIZE % ITEMS
    assert len(item["symbols_sent"]) == len(item["symbols_arrived"]) == 8
    image = np.array(Image.open(io.BytesIO(base64.b64decode(item["picture"]))))
    shard = Shard(folders.data / "tiny", "test")
    assert np.array_equal(image, shard.images_NHWC[item["index"]])
    assert 0 < item["confidence"] <= 1
    json.dumps(item, allow_nan=False)


def test_answer_that_differs_is_told(items, folders):
    shown, planned = items
    assert not shown.show(frame_of(planned, folders, 3, wrong=True))["agrees"]


def test_system_that_has_ended_computes_nothing(items, folders, monkeypatch):
    shown, planned = items
    frame = frame_of(planned, folders, 0)
    monkeypatch.setattr(current_items, "PATIENCE_S", 0.01)
    with shown._lock:
        errors: list[Exception] = []

        def ask() -> None:
            try:
                shown.show(frame)
            except BusyError as error:
                errors.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert "ask again" in str(errors[0])
    shown.close()
    with pytest.raises(ConfigurationError, match="has ended"):
        shown.show(frame)


def test_link_without_an_answer_says_so():
    stream = stream_of()
    with pytest.raises(ConfigurationError, match=f"link {LINK}: no frame has been answered yet"):
        answered(stream.link(LINK))
    with pytest.raises(ConfigurationError, match="no link 'x'"):
        answered(stream.link("x"))


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [("127.0.0.1", {}, 200), ("0.0.0.0", {}, 401), ("0.0.0.0", {"authorization": "Bearer t"}, 200)],
)
def test_item_needs_the_token_elsewhere_than_on_loopback(host, headers, status):
    wakeup = Wakeup()
    desk = Desk(wakeup)
    ended = threading.Event()

    def serve() -> None:
        while not ended.wait(0.001):
            for asked in desk.take():
                asked.answer.set_result({"frame": asked.wanted.link})

    thread = threading.Thread(target=serve)
    thread.start()
    api = Api(desk, host=host, token="t", item=lambda frame: {"shown": frame})
    given = {"host": "127.0.0.1:1", **headers}
    response = api(Request("GET", "/api/item", given, query="link=a"))
    posted = api(Request("POST", "/api/item", given, b"{}", query="link=a"))
    ended.set()
    thread.join()
    wakeup.close()
    assert response is not None
    assert response.status == status
    assert status != 200 or json.loads(response.body) == {"shown": "a"}
    assert posted is not None
    assert posted.status == 405
