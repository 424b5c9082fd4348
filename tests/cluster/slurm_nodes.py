"""A real Slurm of two nodes on this machine; needs Debian's slurm-wlm, and root for its daemons."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
SBIN = "/usr/sbin:/sbin"
MISSING = [
    each for each in PROGRAMS if shutil.which(each, path=f"{os.environ['PATH']}:{SBIN}") is None
]
SLURM_TEST = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}: apt install slurm-wlm"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Slurm's daemons are started as root"),
]
NODES = ("n1", "n2")
CONF = """
ClusterName=semcom
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdTimeout=10
KillWait=5
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
"""


class Slurm:
    """Two nodes of one processor each, and the programs that ask them."""

    def __init__(self, folder: Path) -> None:
        """Start the daemons."""
        self.folder = folder
        conf = folder / "slurm.conf"
        self._environment = {**os.environ, "SLURM_CONF": str(conf)}
        self._environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}:{SBIN}"
        ports = [_free_port() for _ in range(1 + len(NODES))]
        text = CONF.format(host=socket.gethostname(), folder=folder, port=ports[0])
        for node, port in zip(NODES, ports[1:], strict=True):
            text += f"NodeName={node} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 "
            text += f"Port={port} CPUs=1 RealMemory=8000 State=UNKNOWN\n"
        conf.write_text(f"{text}PartitionName=all Nodes={','.join(NODES)} Default=YES State=UP\n")
        (folder / "state").mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        names = {"socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        files = [f"--{name}={folder / f'munge.{end}'}" for name, end in names.items()]
        self.run("munged", "--force", f"--key-file={key}", *files)
        self.run("slurmctld", "-f", str(conf))
        for node in NODES:
            self.run("slurmd", "-N", node, "-f", str(conf))

    def run(self, *words: str, cwd: Path | None = None) -> str:
        """Run a program to its end; returns what it printed."""
        done = subprocess.run(
            words, env=self._environment, cwd=cwd, capture_output=True, text=True, check=False,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def setenv(self, name: str, value: str) -> None:
        """Set a variable of the programs, and so of the jobs that they submit."""
        self._environment[name] = value

    def queue(self) -> list[str]:
        """The tasks that are not done."""
        return self.run("squeue", "-h", "-r", "-o", "%K %T %N").splitlines()

    def lose(self, node: str, task: int) -> None:
        """End a node's daemon and the task that it runs, as a power cut does."""
        _end(self.folder / f"slurmd-{node}.pid")
        for pid in _pids_of(task, self.folder):
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            for each in (parent, pid):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)

    def close(self) -> None:
        """End all daemons."""
        for name in (*(f"slurmd-{node}" for node in NODES), "slurmctld", "munge"):
            _end(self.folder / f"{name}.pid")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _end(pid_file: Path) -> None:
    """End the process that a file names, and wait until it is gone."""
    with suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.05)


def _pids_of(task: int, folder: Path) -> list[int]:
    """Processes of a task of the array that this test submitted, its `semcom` alone."""
    conf = f"SLURM_CONF={folder / 'slurm.conf'}".encode()
    number = f"SLURM_ARRAY_TASK_ID={task}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (path / "environ").read_bytes().split(b"\0")
            evaluates = b"evaluate" in (path / "cmdline").read_bytes()
            if evaluates and {conf, number} <= set(environment):
                found.append(int(path.name))
    return found
