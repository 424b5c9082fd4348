"""Takes the pictures of the live page from a real run: `python -m docs.screenshots`.

It needs Chromium on the PATH, and some minutes.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from tests.integration.browser import chromium
from tests.integration.live_system import NAME, LiveRun, start_live

REPO = Path(__file__).resolve().parents[1]
SCENARIO = REPO / "scenarios" / "live.yaml"
IMAGES = REPO / "docs" / "images"
# Seconds since the start, and what is asked then.
CHANGES: list[tuple[float, str, dict[str, object]]] = [
    (150, "/api/channel", {"link": "shapes10", "snr_db": -4.0}),
    (180, "/api/channel", {"link": "shapes100", "snr_db": 12.0}),
    (220, "/api/channel", {"link": "shapes10", "snr_db": 8.0}),
]
PICTURES_AT_S = 265.0


def main() -> None:
    """Stream the shipped scenario, change SNRs, and look at it by day and night."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        options = ("--name", NAME, "--codecs", str(REPO / "codecs"))
        run = start_live(SCENARIO, *options, workplace=place)
        try:
            for at_s, path, content in CHANGES:
                _wait(run, at_s)
                run.ask(path, content)
            _wait(run, PICTURES_AT_S)
            _take(json.loads((run.logs.folder / "live.json").read_text())["url"], place)
        finally:
            run.end()


def _wait(run: LiveRun, uptime_s: float) -> None:
    while run.ask("/api/status")[1].get("uptime_s", 0.0) < uptime_s:
        if run.process.poll() is not None:
            raise SystemExit(run.end())
        time.sleep(1.0)


def _take(url: str, place: Path) -> None:
    with chromium(place) as browser:
        for name, dark in (("live-page", False), ("live-page-dark", True)):
            browser.look(1440, 1000, dark=dark)
            browser.open(url + "/")
            browser.wait("Number(document.querySelector('.chart')?.dataset.samples) > 100")
            browser.wait("document.documentElement.dataset.state === 'live'")
            (IMAGES / f"{name}.png").write_bytes(browser.picture(whole=True))


if __name__ == "__main__":
    main()
