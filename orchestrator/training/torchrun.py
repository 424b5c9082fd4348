"""Several ranks of one job: torchrun in this process, the ranks as its children.

On one host, or with a rendezvous (HOST:PORT, the same on all) on several hosts. On a host with
several interfaces, GLOO_SOCKET_IFNAME names the one for the ranks. torch.distributed does not
authenticate peers: internal networks only.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from torch.distributed import DistStoreError
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import DEFAULT_PORT
from torch.distributed.elastic.rendezvous.utils import parse_rendezvous_endpoint
from torch.distributed.run import main as torchrun

from orchestrator.training.host_check import is_own_address
from orchestrator.training.meeting import MET, not_met, register_rendezvous
from semcom.children import VERDICT, python_module
from semcom.errors import ConfigurationError, ProcessFailedError, SemcomError, one_line
from semcom.stop_signals import to_stderr

MAX_RESTARTS = 3
# They log every signal at length, and a dead rank as an error.
TALKATIVE = ("agent.server.api", "multiprocessing.api")


def end_all_ranks(exit_code: int, tell: Callable[[], None]) -> None:
    """End the job on this host from a rank, with a message, instead of restarting its ranks.

    Of several ranks with the same message, only the first prints it. A single rank just prints it.
    """
    if VERDICT not in os.environ:
        tell()
        return
    try:  # a symbolic link is created atomically with its content
        Path(os.environ[VERDICT]).symlink_to(str(exit_code))
    except FileExistsError:
        return
    except OSError:  # of the full disk that is to be reported
        pass
    tell()
    os.kill(os.getppid(), signal.SIGTERM)


def say_unless_told(text: str) -> None:
    """Write a line to stderr, unless another rank has reported why the job ends on this host."""
    if not Path(os.environ.get(VERDICT, "")).is_symlink():
        to_stderr(text)


def run_ranks(arguments: argparse.Namespace, name: str) -> int:
    """Run the ranks of a job to their end; return the exit code of the job.

    If a rank dies, all are restarted from the last checkpoint, at most three times. If it ends with
    a user error, or because another host was asked to end, so does the job.
    """
    # On one host, the resolution of its name does not matter.
    place = ["--standalone", "--local-addr", "127.0.0.1"]
    if not arguments.rendezvous:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    else:
        _check_meeting_point(arguments.rendezvous)
        place = ["--nnodes", str(arguments.nnodes), "--rdzv-backend", register_rendezvous()]
        place += ["--rdzv-endpoint", arguments.rendezvous, "--rdzv-id", name]
        options = [f"{each}_timeout={arguments.wait}" for each in ("read", "join")]
        if arguments.local_addr:
            is_host = arguments.rendezvous.rpartition(":")[0] == arguments.local_addr
            # A host that got another host's address must not have its own store.
            is_host = is_host and is_own_address(arguments.local_addr)
            place += ["--local-addr", arguments.local_addr]
            options.append(f"is_host={str(is_host).lower()}")
        place += ["--rdzv-conf", ",".join(options)]
    command = [*place, "--nproc-per-node", str(arguments.nproc)]
    command += ["--max-restarts", str(MAX_RESTARTS)]
    command += ["--no-python", *python_module("orchestrator.training", *arguments.words)]
    # With the shared store, a restart after a killed worker hangs in four of ten cases.
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the ranks set their own number
    # DDP warns on every rank that no parameter is unused; see ranks.spread.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    for module in TALKATIVE:
        logging.getLogger(f"torch.distributed.elastic.{module}").setLevel(logging.ERROR)
    with TemporaryDirectory(prefix="semcom-ranks-") as folder:
        verdict = Path(folder) / "exit-code"
        os.environ[VERDICT] = str(verdict)
        try:
            code = _torchrun(command)
        finally:
            del os.environ[VERDICT]
        return int(verdict.readlink().name) if verdict.is_symlink() else code


def _check_meeting_point(endpoint: str) -> None:
    try:
        parse_rendezvous_endpoint(endpoint, DEFAULT_PORT)
    except ValueError as error:
        raise ConfigurationError(f"--rendezvous {endpoint}: must be HOST:PORT") from error


def _torchrun(command: list[str]) -> int:
    try:
        torchrun(command)
    except (RendezvousError, DistStoreError) as error:
        if not MET.is_set():
            raise not_met(one_line(str(error))) from error
        raise ProcessFailedError(
            f"the other hosts have left: {one_line(str(error))}; the same command on all of them "
            "resumes from the last checkpoint",
            SemcomError.exit_code,
        ) from error
    except SignalException as asked:
        return 128 + int(asked.sigval)
    except ChildFailedError as failed:
        code = failed.get_first_failure()[1].exitcode
        return code if code > 0 else 128 - code
    return 0
