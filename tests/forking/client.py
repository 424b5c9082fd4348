"""Ask a fork server for processes, and for fresh ones where a fork would differ."""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, AnyStr

from tests.forking.request import MAX_BYTES, REPO, SET_FOR_CHILDREN, Request

ROOMS = ("channel_sim", "orchestrator", "receiver", "semcom", "tests", "transmitters")
IMPORTED = (
    "orchestrator.__main__", "orchestrator.jobs.__main__", "orchestrator.reports.separate_process",
    "channel_sim.service", "transmitters.service", "transmitters.onnx_engine", "receiver.service",
    "receiver.onnx_decoder", "transmitters.codec", "receiver.codec", "matplotlib.figure",
    "orchestrator.training.evaluation_process",
)  # fmt: skip
PROGRAM = Path(__file__).with_name("server.py")
READ_AT_START = (
    "PYTHON", "LD_", "LANG", "LC_", "HOME", "XDG_", "TMPDIR", "TERM", "COLUMNS", "LINES",
    "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "TTY_", "MPLCONFIGDIR", "OMP_", "KMP_", "MKL_",
    "OPENBLAS_", "NUMBA_", "ORT_", "CUDA_", "TORCH",
)  # fmt: skip
# Set by torch itself, once its compiler is imported; no command of the project compiles with it.
SET_BY_TORCH = "TORCHINDUCTOR_CACHE_DIR"
PR_SET_CHILD_SUBREAPER = 36
# Folders of PYTHONPATH that hide no module: the project is imported from the first in any case.
ADDED = {"", str(REPO)}


class ForkServer:
    """The server of this process; the first request starts it."""

    def __init__(
        self,
        environment: Mapping[str, str],
        line: socket.socket | None = None,
        imported: Sequence[str] = IMPORTED,
    ) -> None:
        """Take the environment in which the server imports, and the line of one that runs."""
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = dict(environment)
        self._imported = imported
        self._line = line
        self._lock = threading.Lock()

    def fits(self, environment: Mapping[str, str]) -> bool:
        """Return whether a fresh process in this environment would import what the server has."""
        return _read_at_start(environment) == _read_at_start(self._environment)

    def fork(self, request: Request, streams: Sequence[int]) -> int:
        """Return the process id of a command, which is a child of this process.

        Raises:
            OSError: as `subprocess.Popen` raises it, for a folder that is not there.
            ChildProcessError: the server ended before it answered.
        """
        reading, writing = os.pipe()
        with self._lock, os.fdopen(reading, "rb") as answers, _adopting():
            try:
                self._send(request.encoded(), [*streams, writing])
            finally:
                os.close(writing)
            answer = json.loads(answers.readline() or "null")
        if answer is None:
            raise ChildProcessError("the fork server ended before it answered")
        pid, number = answer
        if number:
            os.waitpid(pid, 0)
            raise OSError(number, os.strerror(number), request.folder)
        return int(pid)

    def close(self) -> None:
        """End the server; the next request starts another."""
        if self._line is not None:
            self._line.close()
        if self.process is not None:
            self.process.wait()
        self.process = self._line = None

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        """Send a request; to a new server where there is none, or the last one has ended."""
        if self._line is not None:
            try:
                socket.send_fds(self._line, [message], descriptors)
                return
            except (BrokenPipeError, ConnectionResetError):
                self.close()
        self._line = self._start()
        socket.send_fds(self._line, [message], descriptors)

    def _start(self) -> socket.socket:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM), str(its.fileno()), *self._imported],
                env={**self._environment, **SET_FOR_CHILDREN},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        atexit.register(self.close)
        return ours


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    read = {name: text for name, text in environment.items() if name.startswith(READ_AT_START)}
    if all(map(_hides_nothing, read.get("PYTHONPATH", "").split(os.pathsep))):
        read.pop("PYTHONPATH", None)
    read.pop(SET_BY_TORCH, None)
    return {name: text for name, text in read.items() if SET_FOR_CHILDREN.get(name) != text}


def _hides_nothing(entry: str) -> bool:
    """Return whether a folder of PYTHONPATH has no module of a name that is known without it."""
    if entry in ADDED:
        return True
    folder = Path(entry)
    names = {
        path.name.partition(".")[0] for path in folder.glob("*") if path.suffix != ".dist-info"
    }
    modules = {name for name in names if name.isidentifier()} - {"__pycache__"}
    at_start = modules & {"sitecustomize", "usercustomize"}
    return folder.is_absolute() and not at_start and not any(map(importlib.util.find_spec, modules))


server = ForkServer(os.environ)


class Popen(subprocess.Popen[AnyStr]):
    """A `subprocess.Popen` that has commands of the project forked where the result is the same."""

    def _execute_child(self, *given: Any) -> None:
        """Fork what can be forked; the arguments are those of the method that this replaces."""
        command, folder, environment, pipes, new_session = (
            *(given[number] for number in (0, 5, 6)),
            given[10:16],
            given[21],
        )
        environment = dict(os.environ if environment is None else environment)
        streams = [
            number if end == -1 else end
            for number, end in enumerate((pipes[0], pipes[3], pipes[5]))
        ]
        if (
            _usual(given)
            and forkable(command)
            and "SEMCOM_TEST_FRESH" not in environment
            and server.fits(environment)
        ):
            request = Request(
                words=[os.fspath(word) for word in command[1:]],
                folder=os.fspath(folder or Path.cwd()),
                environment=environment,
                new_session=bool(new_session),
                parent=os.getpid(),
            )
            if len(request.encoded()) <= MAX_BYTES and not any(map(os.isatty, streams)):
                self.pid = server.fork(request, streams)
                self._child_created = True
                self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
                return
        super()._execute_child(*given)  # type: ignore[misc]


@contextmanager
def fresh() -> Iterator[None]:
    """Have all commands started as fresh processes meanwhile, and what they start, too."""
    os.environ["SEMCOM_TEST_FRESH"] = "1"
    try:
        yield
    finally:
        del os.environ["SEMCOM_TEST_FRESH"]


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a command to its end, as `subprocess.run` does."""
    if capture_output:
        options.update(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Popen[Any](command, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def _usual(given: Sequence[Any]) -> bool:
    """Return whether no option is set that only a fresh process has."""
    executable, preexec, close_fds, pass_fds, shell = (*given[1:5], given[9])
    user, group = given[17:21], given[22]  # gid, gids, uid, umask; process group
    return (
        sys.platform == "linux"
        and (executable, preexec, bool(close_fds), bool(pass_fds)) == (None, None, True, False)
        and not shell
        and tuple(user) == (None, None, None, -1)
        and group == -1
    )


def forkable(command: object) -> bool:
    """Return whether a command is a module of the project, or a script of its tests."""
    if not isinstance(command, list | tuple):
        return False
    program, *words = map(str, command)
    words = words[words[:1] == ["-P"] :]
    if program != sys.executable or not words:
        return False
    if words[0] == "-m":
        return words[1].partition(".")[0] in ROOMS
    return words[0].endswith(".py") and Path(words[0]).is_relative_to(REPO / "tests")


@contextmanager
def _adopting() -> Iterator[None]:
    """Have what loses its parent below this process become its child meanwhile."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
