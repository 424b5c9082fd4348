"""A headless Chromium, driven over a pipe with the DevTools protocol: no further dependency."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEADLINE_S = 120.0


def find_chromium() -> str | None:
    """The browser on the PATH, if there is one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page of a browser."""

    def __init__(self, process: subprocess.Popen[bytes], send: int, receive: int) -> None:
        self._process = process
        self._send, self._receive = send, receive
        self._buffer = b""
        self._ids = itertools.count(1)
        self._session: str | None = None
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def look(self, width: int, height: int, *, dark: bool = False, scale: float = 1.0) -> None:
        """How large the window is, and whether its user likes it dark."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=scale, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        """Go to a page."""
        self._call("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({json.dumps(url)}) && document.body !== null")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to.

        Raises:
            AssertionError: it fails.
        """
        answer = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Wait until an expression is true, and return it."""
        end = time.monotonic() + DEADLINE_S
        while not (found := self.value(expression)):
            assert time.monotonic() < end, f"not within {DEADLINE_S:.0f} s: {expression}"
            time.sleep(0.1)
        return found

    def picture(self, *, whole: bool = False) -> bytes:
        """A PNG of the window, or of the whole page."""
        answer = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        """End the browser."""
        self._session = None
        self._call("Browser.close")

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + DEADLINE_S
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._receive], [], [], end - time.monotonic())
            read = os.read(self._receive, 1 << 20) if ready else b""
            assert read, f"the browser is silent; its exit code: {self._process.poll()}"
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(text))


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser whose profile lies in a folder.

    Raises:
        FileNotFoundError: there is none on the PATH.
    """
    program = find_chromium()
    if program is None:
        raise FileNotFoundError("chromium is not on the PATH")
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    options = [
        "--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run",
        "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--no-proxy-server", f"--user-data-dir={folder / 'profile'}",
    ]  # fmt: skip
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # it refuses to run as root with one

    # The browser reads commands from descriptor 3 and writes answers to 4; a shell moves ours there
    # without the danger of code between fork and exec.
    shell = 'exec 3<"/dev/fd/$1" 4>"/dev/fd/$2"; shift 2; exec "$@"'
    log = (folder / "chromium.log").open("wb")
    process = subprocess.Popen(
        ["/bin/sh", "-c", shell, "sh", str(to_read), str(from_write), program, *options],
        pass_fds=(to_read, from_write),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        # It makes a socket there, and the path of one has at most 107 bytes.
        env={**os.environ, "TMPDIR": "/tmp"},
    )
    os.close(to_read)
    os.close(from_write)
    try:
        browser = Browser(process, to_write, from_read)
        yield browser
        browser.close()
        process.wait(DEADLINE_S)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(DEADLINE_S)
        os.close(to_write)
        os.close(from_read)
        log.close()
