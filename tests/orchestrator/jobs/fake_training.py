"""A stand-in for a training: takes its arguments, counts steps instead, and stops where told.

    python -m tests.orchestrator.jobs.fake_training DATASET --name N --work W --out O --progress P
        [--steps 3] [--gate FILE] [--fail CODE] [--crash TIMES] [--orphan] [--deaf] [--no-codec]

It goes on from its own checkpoint, saves on SIGTERM and leaves with 143. With a gate it waits
before its last step until that file is there. `W/N/history` has a line per thing that it did.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

DEADLINE_S = 900.0
CODEC = Path(__file__).resolve().parents[3] / "codecs" / "shapes10"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset")
    for name in ("--name", "--data", "--preset", "--gate", "--nproc", "--system", "--until"):
        parser.add_argument(name)
    for name in ("--work", "--out", "--progress"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--fail", type=int)
    parser.add_argument("--crash", type=int, default=0)
    for name in ("--orphan", "--deaf", "--no-codec"):
        parser.add_argument(name, action="store_true")
    return parser.parse_args()


class Job:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.folder: Path = arguments.work / arguments.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.asked = False
        signal.signal(signal.SIGTERM, self.on_signal)
        self.lock = (self.folder / "lock").open("w")

    def on_signal(self, *_: object) -> None:
        self.asked = not self.arguments.deaf

    def did(self, what: str) -> None:
        with (self.folder / "history").open("a") as file:
            file.write(f"{what}\n")

    def run(self) -> int:
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.did("twice")
            return 1
        self.did(f"begin {os.getpid()}")
        if self.arguments.orphan:  # as torchrun does it: a worker in a session of its own
            worker = subprocess.Popen(["sleep", str(DEADLINE_S)], start_new_session=True)
            self.did(f"worker {worker.pid}")
        if self.arguments.fail is not None:
            sys.stderr.write("before\nerror: no data set of this name; prepare it\nafter\n")
            return int(self.arguments.fail)
        return self.steps()

    def steps(self) -> int:
        checkpoint = self.folder / "checkpoint"
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        for step in range(done, self.arguments.steps):
            self.tell(step)
            if step == self.arguments.steps - 1 and not self.gate():
                self.did("saved")
                return 143
            self.did(f"step {step}")
            checkpoint.write_text(str(step + 1))
            if (self.folder / "history").read_text().count("begin") <= self.arguments.crash:
                os.kill(os.getpid(), signal.SIGKILL)
        self.tell(self.arguments.steps)
        if not self.arguments.no_codec:
            shutil.copytree(CODEC, self.arguments.out, dirs_exist_ok=True)
        self.did("finished")
        return 0

    def gate(self) -> bool:
        """Wait to be let through; False when asked to end before."""
        gate = self.arguments.gate
        end = time.monotonic() + DEADLINE_S
        self.did("waits")
        while gate is not None and not Path(gate).exists():
            if self.asked:
                return False
            assert time.monotonic() < end, "nobody opened the gate"
            time.sleep(0.01)
        return True

    def tell(self, step: int) -> None:
        line = {
            "time": time.time(),
            "stage": "stage1",
            "epoch": 0,
            "epochs": 1,
            "step": step,
            "steps": self.arguments.steps,
            "images_per_s": 128.0,
            "lr": 0.25,
            "losses": {"kd": 0.5},
            "checkpoint_s": time.time(),
        }
        with self.arguments.progress.open("a") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(Job(parse()).run())
