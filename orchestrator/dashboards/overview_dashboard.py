"""Overview: is everything running, and how well?"""

from __future__ import annotations

from orchestrator.dashboards.metric_panels import curve_panel, main_metrics, value_panel
from orchestrator.dashboards.model import (
    GREEN,
    GRID_WIDTH,
    NEUTRAL,
    RED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    above,
    below,
)
from orchestrator.dashboards.queries import (
    SERVICES,
    increase,
    per_second,
    process_state,
    quantile,
)

STATES = ((2, "ready", GREEN), (1, "not ready", YELLOW), (0, "down", RED))
STATE_STEPS = ((None, RED), (1.0, YELLOW), (2.0, GREEN))
ROUND_TRIP = "semcom_round_trip_seconds"
_MAIN = tuple(main_metrics())
_WIDTH = GRID_WIDTH // (len(_MAIN) + 1)  # width of a panel next to those of the main metrics

_STATE = Row(
    "State",
    (
        Panel(
            title="Processes ready",
            description="Share of the system's processes that are ready.",
            unit="percentunit",
            kind="stat",
            width=4,
            height=6,
            thresholds=below(0.5, 1.0),
            queries=(
                Query(
                    f'sum(semcom_ready{{job=~"{SERVICES}"}}) / count(up{{job=~"{SERVICES}"}})',
                    "ready",
                ),
            ),
        ),
        Panel(
            title="Alerts firing",
            description="Alert rules that are firing; docs/monitoring.md says what to do.",
            unit="none",
            kind="stat",
            width=4,
            height=6,
            thresholds=above(1, 3),
            queries=(Query('count(ALERTS{alertstate="firing"}) or vector(0)', "alerts"),),
        ),
        Panel(
            title="Accounting gap",
            description=(
                "Frames of the last 10 minutes that were offered and are neither "
                "recorded, shed nor still open. A few are normal: the counters are read one after "
                "another."
            ),
            unit="none",
            kind="stat",
            width=4,
            height=6,
            decimals=0,
            thresholds=above(100, 1000),
            queries=(Query("sum(semcom:accounting_gap_frames:increase10m)", "frames"),),
        ),
        Panel(
            title="State of the processes",
            description="Every process over time: ready, up but not ready, or down.",
            unit="none",
            kind="state-timeline",
            width=12,
            height=6,
            thresholds=STATE_STEPS,
            states=STATES,
            queries=(Query(process_state(), "{{job}} {{instance}}"),),
        ),
    ),
)

_TASK = Row(
    "Task and channel",
    (
        *(value_panel(task, metric, width=_WIDTH, height=9) for task, metric in _MAIN),
        Panel(
            title="SNR",
            description="Es/N0 that is set, and (dashed) what the channel measured over half a "
            "minute: the power of the faded symbols over that of the noise.",
            unit="dB",
            width=_WIDTH,
            height=9,
            dashed=" measured$",
            queries=(
                Query('max by (link) (semcom_snr_set_db{job="channel"})', "{{link}}"),
                Query(
                    "max by (link) (avg_over_time(semcom_snr_measured_db[30s]))",
                    "{{link}} measured",
                ),
            ),
        ),
        *(curve_panel(metric, width=_WIDTH, height=10) for _, metric in _MAIN),
        Panel(
            title="Sweep",
            description="Share of the planned frames of the running sweep that are recorded; "
            "nothing while none runs.",
            unit="percentunit",
            kind="bargauge",
            width=_WIDTH,
            height=10,
            minimum=0,
            maximum=1,
            thresholds=NEUTRAL,
            queries=(
                Query(
                    "sum(semcom_sweep_frames_recorded) / (sum(semcom_sweep_frames_planned) > 0)",
                    "recorded",
                ),
            ),
        ),
    ),
)

_FLOW = Row(
    "Latency and throughput",
    (
        Panel(
            title="Round trip",
            description="From the first transmission of a frame to its answer: median, and 99th "
            "percentile dashed.",
            unit="s",
            minimum=0,
            thresholds=above(1, 2),
            dashed=" p99$",
            queries=(
                Query(quantile(0.5, ROUND_TRIP), "{{link}} p50"),
                Query(quantile(0.99, ROUND_TRIP), "{{link}} p99"),
            ),
        ),
        Panel(
            title="Frames offered and recorded",
            description=(
                "Frames per second that were due (dashed), and that were recorded in the ledger."
            ),
            unit="cps",
            minimum=0,
            dashed=" offered$",
            queries=(
                Query(per_second("semcom_frames_recorded_total"), "{{link}} recorded"),
                Query(per_second("semcom_frames_offered_total"), "{{link}} offered"),
            ),
        ),
        Panel(
            title="Accounting gap by link",
            description=(
                "Offered frames minus recorded, shed, lost and open ones, over the "
                "last 10 minutes. It grows if frames are lost unnoticed."
            ),
            unit="none",
            thresholds=above(100, 1000),
            queries=(Query("semcom:accounting_gap_frames:increase10m"),),
        ),
        Panel(
            title="Refusals and repetitions",
            description="Messages refused by reason, frames sent again, and peers refused for "
            "their key, in the last 5 minutes.",
            unit="none",
            minimum=0,
            queries=(
                Query(
                    increase("semcom_messages_refused_total", "reason") + " > 0 or vector(0)",
                    "{{reason}}",
                ),
                Query(increase("semcom_frames_retransmitted_total", "link"), "{{link}} sent again"),
                Query(
                    increase("semcom_peers_refused_total", "reason") + " > 0 or vector(0)",
                    "key: {{reason}}",
                ),
            ),
        ),
    ),
)

OVERVIEW = Dashboard(
    uid="semcom-overview",
    title="Semantic links: overview",
    description="State, metrics of the tasks, SNR, latency and throughput of all links.",
    rows=(_STATE, _TASK, _FLOW),
)
