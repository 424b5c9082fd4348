"""Files of the job queue in a work folder, and settings of its supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from semcom.settings import HOST_NAMES, HostNames, Port, Settings, read_yaml, validate


class JobsSettings(Settings):
    """Settings of a supervisor; read from `WORK/.jobs/settings.yaml` if it exists."""

    parallel: int = Field(default=1, ge=1, le=64, description="jobs that run at the same time")
    max_restarts: int = Field(default=3, ge=0, le=100, description="restarts of a job that crashes")
    backoff_s: float = Field(
        default=2.0,
        ge=0,
        le=3600,
        description="wait before the first restart; doubles with each restart",
    )
    grace_s: float = Field(
        default=30.0, ge=0, le=3600, description="time between SIGTERM and SIGKILL"
    )
    idle_s: float = Field(
        default=300.0,
        ge=0,
        allow_inf_nan=True,
        description="the supervisor ends after being idle this long; .inf: never",
    )
    poll_s: float = Field(
        default=0.5, gt=0, le=60, description="time between two checks of the queue"
    )
    module: str = Field(
        default="orchestrator.training", description="module that a job runs with `python -m`"
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="address on which /metrics is served; 0.0.0.0: reachable from other hosts",
    )
    metrics_port: Port = Field(
        default=0, description="0: any free port; `semcom jobs list` shows it"
    )
    metrics_hosts: HostNames = HOST_NAMES


@dataclass(frozen=True)
class JobsFolder:
    """The folder `WORK/.jobs`; no job has this name, since names begin with a letter or a digit."""

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
        """The lock file of the only supervisor of this work folder."""
        return self.root / "supervisor.lock"

    @property
    def state(self) -> Path:
        """The file that names the supervisor's process and the address of its metrics."""
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
    """Return the settings of a work folder's supervisor; the defaults if there is no file.

    Args:
        folder: of the queue.
        overrides: settings by name that override those of the file; None overrides nothing.

    Raises:
        ConfigurationError: the file, or an override, is not valid.
    """
    content = read_yaml(folder.settings) if folder.settings.exists() else {}
    content |= {name: value for name, value in overrides.items() if value is not None}
    return validate(JobsSettings, content, where=str(folder.settings))
