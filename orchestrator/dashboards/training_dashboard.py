"""Training: jobs, losses and speed."""

from __future__ import annotations

from orchestrator.dashboards.model import Dashboard, Panel, Query, Row, above
from orchestrator.dashboards.queries import per_second

BY_STAGE = "{{dataset}} {{stage}}"

_JOBS = Row(
    "Jobs",
    (
        Panel(
            title="Jobs by state",
            description="Training jobs in the store.",
            unit="none",
            kind="stat",
            width=12,
            height=6,
            queries=(Query("sum by (state) (semcom_jobs)", "{{state}}"),),
        ),
        Panel(
            title="Progress of the stage",
            description="Finished share of each job's current stage.",
            unit="percentunit",
            kind="bargauge",
            width=12,
            height=6,
            minimum=0,
            maximum=1,
            queries=(
                Query(
                    "max by (dataset, stage) (semcom_training_progress_ratio) > 0 or vector(0)",
                    BY_STAGE,
                ),
            ),
        ),
        Panel(
            title="Jobs started again",
            description="Jobs that died and were restarted in the last hour.",
            unit="none",
            minimum=0,
            thresholds=above(1, 3),
            queries=(
                Query(
                    "sum by (dataset) (increase(semcom_training_restarts_total[1h]))", "{{dataset}}"
                ),
            ),
        ),
        Panel(
            title="Age of the last checkpoint",
            description="Work that a job would lose if it were killed now.",
            unit="s",
            minimum=0,
            thresholds=above(1800, 3600),
            queries=(
                Query("max by (dataset) (semcom_training_checkpoint_age_seconds)", "{{dataset}}"),
            ),
        ),
    ),
)

_LEARNING = Row(
    "Learning",
    (
        Panel(
            title="Loss",
            description="Last loss of each running job, by term.",
            unit="none",
            queries=(
                Query(
                    "max by (dataset, stage, term) (semcom_training_loss) > 0",
                    "{{dataset}} {{stage}} {{term}}",
                ),
            ),
        ),
        Panel(
            title="Learning rate",
            description="Learning rate of each running job.",
            unit="none",
            queries=(
                Query("max by (dataset, stage) (semcom_training_learning_rate) > 0", BY_STAGE),
            ),
        ),
        Panel(
            title="Speed",
            description="Items per second that each job trains on.",
            unit="cps",
            minimum=0,
            queries=(
                Query("max by (dataset, stage) (semcom_training_images_per_second) > 0", BY_STAGE),
            ),
        ),
        Panel(
            title="Step",
            description="Duration of a step of the optimiser.",
            unit="s",
            minimum=0,
            queries=(
                Query("max by (dataset, stage) (semcom_training_step_seconds) > 0", BY_STAGE),
            ),
        ),
        Panel(
            title="Items trained on",
            description="Items per second by data set, from their count; 0 while jobs are stopped.",
            unit="cps",
            minimum=0,
            width=24,
            queries=(Query(per_second("semcom_training_samples_total", "dataset"), "{{dataset}}"),),
        ),
    ),
)

TRAINING = Dashboard(
    uid="semcom-training",
    title="Semantic links: training",
    description="Training jobs: state, losses, speed, checkpoints.",
    rows=(_JOBS, _LEARNING),
    span="now-3h",
)
