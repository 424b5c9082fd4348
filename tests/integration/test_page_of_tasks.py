"""The live page shows the metric of each link's task; of a made-up stream, in a real browser."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.live.api import Api
from orchestrator.live.site import Site
from orchestrator.live.stream import Stream
from semcom.health import HealthServer
from semcom.points import SNR_MAX_DB, SNR_MIN_DB
from semcom.telemetry import Telemetry
from tests.integration.browser import Browser, chromium, find_chromium
from tests.orchestrator.ledgers import fake_codec
from tests.orchestrator.live.streaming import (
    LINK,
    OTHER,
    PICTURES,
    Channel,
    pictures_of,
    receiver_greets,
    record,
    status_of,
    stream_of,
    transmitter_greets,
)

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        find_chromium() is None,
        reason="chromium is not on the PATH; Debian: apt install chromium",
    ),
]

PAINTER = fake_codec("painter")
OPTIONS = {
    "jobs": [],
    "models": ["awgn", "rayleigh", "rician"],
    "snr_bounds_db": [SNR_MIN_DB, SNR_MAX_DB],
    "codecs": [{"name": "painter", "dataset": LINK, "system": "rkd-sc"}],
}


class Made:
    """A stream whose clock is made by hand, and what is told of it; a desk for the API."""

    def __init__(self) -> None:
        self.stream = stream_of(LINK, OTHER, tasks={OTHER: PICTURES})
        self.channel = Channel(self.stream)
        self.now_s = 0.0
        self.frame = 0
        self.told: dict[str, Any] = {}
        receiver_greets(self.stream)
        for link in (LINK, OTHER):
            transmitter_greets(self.stream, link=link)

    def ask(self, wanted: object, *, deadline_s: float) -> dict[str, Any]:
        """What was told last."""
        del wanted, deadline_s
        return self.told

    def go_on(self, seconds: int) -> None:
        """Time goes on; every link has a frame a second."""
        for _ in range(seconds):
            self.now_s += 1.0
            self.channel.tick(self.now_s)
            for name in (LINK, OTHER):
                self._record(self.stream, name)
            self.frame += 1
        self.told = status_of(self.stream, self.now_s)

    def change_task(self) -> None:
        """The link that classified reconstructs from now on."""
        held = [link.codec.digest for link in self.stream.links.values()]
        self.stream.change_codec(LINK, PAINTER, PICTURES)
        receiver_greets(self.stream, *held, PAINTER.digest)

    def _record(self, stream: Stream, name: str) -> None:
        assignment = transmitter_greets(stream, link=name)
        assert assignment is not None
        if name == LINK and assignment.codec_digest != PAINTER.digest:
            record(stream, assignment, self.frame, now_s=self.now_s)
            return
        psnr_db = 27.0 + 2.0 * math.sin(self.now_s / 9.0)
        result = pictures_of(assignment, self.frame, psnr_db=psnr_db)
        stream.results(name, assignment.codec_digest, [result], now_s=self.now_s)


@contextmanager
def served(made: Made) -> Iterator[str]:
    """The page of a made-up stream; its address."""
    api, site = Api(made, host="127.0.0.1", token="", more=lambda: OPTIONS), Site()  # type: ignore[arg-type]
    server = HealthServer(
        "127.0.0.1", 0, telemetry=Telemetry("orchestrator", "orchestrator"), ready=lambda: True,
        pages=lambda request: api(request) or site(request),
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        server.close()


class Card:
    """The card of a link, as a user reads it."""

    def __init__(self, browser: Browser, link: str) -> None:
        self.browser = browser
        self.node = f"document.querySelector('[data-link={link}]')"
        self.chart = f"{self.node}?.querySelector('[data-chart=value]')"

    @property
    def title(self) -> str:
        """Of the first chart."""
        return str(self.browser.value(f"{self.chart}.querySelector('.title').textContent"))

    @property
    def figure(self) -> list[str]:
        """The first figure: its name, its value, and what is beside it."""
        found = f"{self.node}.querySelector('[data-figure=value]').parentElement.children"
        texts = self.browser.value(f"[...{found}].map((each) => each.textContent)")
        return [str(text).replace("\u202f", " ") for text in texts]

    @property
    def axis(self) -> list[str]:
        """Labels of the first chart's left axis, from the bottom up."""
        found = f"[...{self.chart}.querySelectorAll('.grid text.left')].map((e) => e.textContent)"
        return [str(text).replace("\u202f", " ") for text in self.browser.value(found)]

    @property
    def samples(self) -> int:
        """How many samples the first chart shows."""
        return int(self.browser.value(f"Number({self.chart}.dataset.samples)"))


def test_page_shows_each_link_in_the_metric_of_its_task(tmp_path: Path) -> None:
    made = Made()
    made.go_on(60)
    with served(made) as address, chromium(tmp_path) as browser:
        browser.look(1200, 900)
        browser.open(address)
        classifies, paints = Card(browser, LINK), Card(browser, OTHER)
        browser.wait(f"Number({paints.chart}?.dataset.samples) > 50")
        assert (classifies.title, paints.title) == ("Accuracy", "PSNR")
        name, value, beside = classifies.figure
        assert (name, value[-2:]) == ("Accuracy", " %")
        assert re.fullmatch(r"\d+\.\d to \d+\.\d, n = \d+", beside)
        assert classifies.axis == ["0", "25", "50", "75", "100 %"]
        name, value, beside = paints.figure
        assert (name, value[-3:]) == ("PSNR", " dB")
        assert 25 <= float(value[:-3]) <= 29
        assert re.fullmatch(r"\d\d\.\d to \d\d\.\d, n = \d+", beside)
        low, high = float(paints.axis[0]), float(paints.axis[-1].removesuffix(" dB"))
        assert 20 <= low <= 25
        assert 29 <= high <= 35

        before = classifies.samples
        made.change_task()
        made.go_on(5)
        browser.wait(f"{classifies.chart}.querySelector('.title').textContent === 'PSNR'")
        assert 0 < classifies.samples < 6 < before
        assert paints.samples >= before, "the other link goes on"
        assert classifies.figure[0] == "PSNR"
        assert classifies.axis[-1].endswith(" dB")
        labels = "[...document.querySelectorAll('.grid text')]"
        edges = "{ x: low, width } = e.getBBox(), high = e.ownerSVGElement.clientWidth"
        inside = f"(e) => {{ const {edges}; return low >= 0 && low + width <= high; }}"
        assert browser.value(f"{labels}.every({inside})"), "a label is cut"
        label = f"{classifies.chart}.querySelector('svg[role=img]').getAttribute('aria-label')"
        assert browser.value(label).startswith("PSNR: now")
        assert browser.value("document.documentElement.dataset.scriptErrors") == "0"
        assert not browser.value("/accuracy/i.test(document.body.textContent)")
