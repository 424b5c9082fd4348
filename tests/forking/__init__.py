"""Start commands of the project as forks of a process that has imported it already.

Most of the time of a small command is imports. `Popen` of this module is `subprocess.Popen`, but it
asks a server to fork a command that a fresh process would have to import. The server has imported
the project and has one thread. What it forks is adopted by the process that asked for it
(PR_SET_CHILD_SUBREAPER), so it is a child like any other: its id, signals and exit code are its
own, and its interpreter ends as that of every process.

    Popen --- request, descriptors ---> server
      |                                    | forks
      |                                  helper, which ends at once
      |                                    | forks
      +---- waits, sends signals ----> command, with a server of its own for what it starts

A fresh process is started for any other program, at a terminal, with options of `Popen` that only a
fresh process has, and where the environment differs in what Python and the libraries read when they
start (`READ_AT_START`). SEMCOM_TEST_FRESH=1 has every command started so. `fresh()` does it for the
tests whose subject is imports, memory or the command line of a process.
"""

from tests.forking.client import Popen, fresh, run

__all__ = ["Popen", "fresh", "run"]
