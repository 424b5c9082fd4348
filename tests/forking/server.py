"""`python -P server.py DESCRIPTOR MODULE...`: the server, which imports modules, then forks."""

from __future__ import annotations

import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.forking import client
from tests.forking.request import MAX_BYTES, Request

del sys.path[0]  # commands have a path of their own
ADOPTION_S = 30.0


def serve(line: socket.socket) -> tuple[Request, int] | None:
    """Fork a command for every request.

    Returns:
        In a command, its request and where to answer; in the server None, once no process asks.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is for the commands
    while True:
        message, descriptors, _, _ = socket.recv_fds(line, MAX_BYTES, 4)
        if not message:
            return None
        *streams, reply = descriptors
        helper = os.fork()
        if helper == 0:
            try:
                if os.fork() > 0:
                    os._exit(0)
            except OSError:
                os._exit(1)
            line.close()
            request = Request(**json.loads(message))
            _take_over(request, streams, reply)
            return request, reply
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(helper, 0)


def _take_over(request: Request, streams: list[int], reply: int) -> None:
    """Become the child that was asked for: its parent, folder, streams, signals, environment."""
    deadline_s = time.monotonic() + ADOPTION_S
    while os.getppid() != request.parent:
        if time.monotonic() > deadline_s:
            os._exit(1)
        time.sleep(0.0002)
    try:
        os.chdir(request.folder)
    except OSError as error:
        os.write(reply, b"[%d, %d]\n" % (os.getpid(), error.errno or 0))
        os._exit(1)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if request.new_session:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request.environment)


def main(line: socket.socket, environment: Mapping[str, str]) -> None:
    """Serve, and become each command. One that starts processes has a server of its own."""
    taken = serve(line)
    while taken is not None and taken[0].launches:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() > 0:
            its.close()
            client.server = client.ForkServer(environment, ours)
            subprocess.Popen = client.Popen  # type: ignore[misc]
            break
        ours.close()
        os.close(taken[1])
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        os.close(nowhere)
        taken = serve(its)
    if taken is None:
        os._exit(0)
    request, reply = taken
    sys.stdin = sys.__stdin__ = _opened(sys.stdin, 0, "rb")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _opened(sys.stdout, 1, "wb")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _opened(sys.stderr, 2, "wb")  # type: ignore[misc]
    os.write(reply, b"[%d, 0]\n" % os.getpid())
    os.close(reply)
    become(request)


def _opened(stream: TextIO, descriptor: int, mode: str) -> TextIO:
    """Open a standard stream again: what it was opened for may have had positions."""
    return io.TextIOWrapper(
        open(descriptor, mode, closefd=False),
        encoding=stream.encoding,
        errors=stream.errors,
        newline=None if mode == "rb" else "\n",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,  # type: ignore[attr-defined]
    )


def become(request: Request) -> None:
    """Run a module or a script as the interpreter would; its end is that of this process."""
    sys.orig_argv[1:] = request.words
    entries = request.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [entry for entry in entries if entry and entry not in sys.path]
    client.ADDED.update(entries)
    module, program = request.module, request.program
    if not request.safe_path:
        sys.path.insert(0, request.folder if module else str(Path(program[0]).parent))
    if module is None:
        sys.argv[1:] = program[1:]
        runpy.run_path(program[0], run_name="__main__")
        return
    sys.argv[1:] = program[2:]
    for name in (module, f"{module}.__main__"):  # it is run as `__main__`, not as it was imported
        if not hasattr(sys.modules.get(name), "__path__"):
            sys.modules.pop(name, None)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _keep_libraries() -> None:
    """Have a command end without the destructors of the libraries that were loaded here.

    Its interpreter ends as ever. But those of libtorch alone take longer than most commands.
    """
    libc = ctypes.CDLL(None)
    libc.on_exit(libc._exit, None)  # runs before what was registered until now


def begin() -> None:
    """Import the modules, and serve the process that started this one."""
    environment = dict(os.environ)
    descriptor, *modules = sys.argv[1:]
    for name in modules:
        with suppress(ImportError):  # the command says what is missing
            importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    assert threads == 1, f"imports have started {threads - 1} threads"
    gc.collect()
    gc.freeze()
    _keep_libraries()
    main(socket.socket(fileno=int(descriptor)), environment)


if __name__ == "__main__":
    begin()
