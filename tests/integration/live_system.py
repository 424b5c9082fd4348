"""A `semcom up` under way, watched over its own API."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.harness import DEADLINE_S, Run, command, eventually, start

NAME = "streaming"
Status = dict[str, Any]


def write_live_scenario(path: Path, **changes: object) -> Path:
    """Two links at a good SNR, at a rate that leaves the machine idle; no torch at either end."""
    content = {
        "name": NAME,
        "mode": "live",
        "engine": "onnxruntime",
        "receiver_engine": "onnxruntime",
        "links": {
            name: {"dataset": name, "codec": name, "rate_hz": 5, "frame_images": 5}
            for name in ("shapes10", "shapes100")
        },
        **changes,
    }
    path.write_text(yaml.safe_dump(content))
    return path


@dataclass
class LiveRun:
    """A live system in a workplace of its own."""

    process: subprocess.Popen[str]
    workplace: Path

    @property
    def logs(self) -> Run:
        """Its logs and process ids."""
        return Run(self.process, self.workplace / "runs" / "live" / NAME)

    def ask(self, path: str, content: object = None, **headers: str) -> tuple[int, Status]:
        """HTTP status and answer of the API; 0 where nobody answers (yet)."""
        try:
            found = json.loads((self.logs.folder / "live.json").read_text())
            body = None if content is None else json.dumps(content).encode()
            sent = {"Content-Type": "application/json", **headers}
            request = urllib.request.Request(found["url"] + path, body, sent)
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except (OSError, http.client.HTTPException):
            return 0, {}

    def links(self) -> dict[str, Status]:
        """The links of the status, by name; none before it is up."""
        _, status = self.ask("/api/status")
        return {link["link"]: link for link in status.get("links", [])}

    def wait(self, condition: Callable[[dict[str, Status]], bool], what: str) -> None:
        """Wait until the links are so."""

        def so() -> bool:
            assert self.process.poll() is None, f"the system ended: {self.end()}"
            links = self.links()
            return bool(links) and condition(links)

        eventually(so, what)

    def wait_for_frames(self, frames: int = 5) -> None:
        """Wait until so many more frames of every link are recorded."""
        self.wait(bool, "an answer")
        before = {name: link["recorded"] for name, link in self.links().items()}
        self.wait(
            lambda links: all(
                link["recorded"] >= before[name] + frames for name, link in links.items()
            ),
            f"{frames} more frames of every link",
        )

    def balanced(self) -> dict[str, Status]:
        """The links, of which every frame offered is somewhere, each once."""
        links = self.links()
        for link in links.values():
            known = link["recorded"] + link["shed"] + link["lost"] + link["open"]
            assert link["offered"] == known, link
            assert link["unaccounted"] == 0, link
        return links

    def command(self, *arguments: str | Path) -> tuple[int, str]:
        """A `semcom` command in its workplace."""
        return command(*arguments, cwd=self.workplace)

    def end(self) -> str:
        """Ctrl-C, and what was printed."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGINT)
        return self.process.communicate(timeout=DEADLINE_S)[0]


def start_live(scenario: Path, *options: str, workplace: Path) -> LiveRun:
    """`semcom up` in the foreground."""
    return LiveRun(start("up", scenario, *options, cwd=workplace), workplace)
