"""Files of the queue of a work folder, and settings of its supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from semcom.settings import HOST_NAMES, HostNames, Port, Settings, read_yaml, validate


class JobsSettings(Settings):
    """Settings of a supervisor; read from `WORK/.jobs/settings.yaml` where that is there."""

    parallel: int = Field(default=1, ge=1, le=64, description="jobs that run at the same time")
    max_restarts: int = Field(default=3, ge=0, le=100, description="of a job that dies")
    backoff_s: float = Field(default=2.0, ge=0, le=3600, description="doubles with each restart")
    grace_s: float = Field(default=30.0, ge=0, le=3600, description="from SIGTERM to SIGKILL")
    idle_s: float = Field(
        default=300.0,
        ge=0,
        allow_inf_nan=True,
        description="the supervisor ends after that long; .inf: never",
    )
    poll_s: float = Field(default=0.5, gt=0, le=60, description="between two looks at the queue")
    module: str = Field(default="orchestrator.training", description="`python -m` of a job")
    metrics_host: str = Field(default="127.0.0.1", description="0.0.0.0: for other hosts, too")
    metrics_port: Port = Field(default=0, description="0: any free port, see `semcom jobs list`")
    metrics_hosts: HostNames = HOST_NAMES


@dataclass(frozen=True)
class JobsFolder:
    """`WORK/.jobs`: no job can be called so, names begin with a letter or a digit."""

    work: Path

    @property
    def root(self) -> Path:
        """The folder of everything below."""
        return self.work / ".jobs"

    @property
    def database(self) -> Path:
        """The store."""
        return self.root / "jobs.sqlite"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor of this work folder."""
        return self.root / "supervisor.lock"

    @property
    def state(self) -> Path:
        """Which process the supervisor is, and where it serves its metrics."""
        return self.root / "supervisor.json"

    @property
    def log(self) -> Path:
        """The supervisor's log, JSON lines."""
        return self.root / "supervisor.jsonl"

    @property
    def settings(self) -> Path:
        """Settings of the supervisor, written by hand."""
        return self.root / "settings.yaml"

    def job(self, job_id: int) -> Path:
        """The folder of one job."""
        return self.root / str(job_id)

    def job_log(self, job_id: int) -> Path:
        """Return the file of a job's output."""
        return self.job(job_id) / "log.txt"

    def progress(self, job_id: int) -> Path:
        """Return the file of a job's progress, JSON lines."""
        return self.job(job_id) / "progress.jsonl"


def read_settings(folder: JobsFolder, **overrides: float | None) -> JobsSettings:
    """The settings of a work folder's supervisor; the defaults where there is no file.

    Args:
        folder: of the queue.
        overrides: settings by name that go before the file's; None leaves one as it is.

    Raises:
        ConfigurationError: the file, or an override, is not valid.
    """
    content = read_yaml(folder.settings) if folder.settings.exists() else {}
    content |= {name: value for name, value in overrides.items() if value is not None}
    return validate(JobsSettings, content, where=str(folder.settings))
