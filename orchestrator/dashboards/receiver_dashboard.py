"""Receiver: decoding, batching and codecs of every receiver."""

from __future__ import annotations

from orchestrator.dashboards.model import GREEN, RED, Dashboard, Panel, Query, Row, above
from orchestrator.dashboards.overview_dashboard import STATE_STEPS, STATES
from orchestrator.dashboards.queries import (
    RATE,
    increase,
    mean,
    per_second,
    process_state,
    quantile,
)

RX = 'job="receiver"'
STAGE = "semcom_stage_seconds"
BY_INSTANCE = "{{instance}}"

_STATE = Row(
    "State",
    (
        Panel(
            title="Receivers",
            description="Every receiver over time: ready, up but not ready, or down.",
            unit="none",
            kind="state-timeline",
            width=12,
            height=6,
            thresholds=STATE_STEPS,
            states=STATES,
            queries=(Query(process_state("receiver"), BY_INSTANCE),),
        ),
        Panel(
            title="Codecs loaded",
            description="Codecs that each receiver can decode; without any it is not ready.",
            unit="none",
            kind="stat",
            width=6,
            height=6,
            thresholds=((None, RED), (1.0, GREEN)),
            queries=(Query("max by (instance) (semcom_codecs_loaded)", BY_INSTANCE),),
        ),
        Panel(
            title="Codecs swapped",
            description="Codecs that receivers have loaded or refused since they started.",
            unit="none",
            kind="stat",
            width=6,
            height=6,
            queries=(Query(f"sum by (result) (semcom_codec_swaps_total{{{RX}}})", "{{result}}"),),
        ),
    ),
)

_WORK = Row(
    "Work",
    (
        Panel(
            title="Images decoded",
            description=(
                "Items per second by receiver: the channel sends a frame to the "
                "receiver that holds the fewest."
            ),
            unit="cps",
            minimum=0,
            queries=(Query(per_second("semcom_images_decoded_total", "instance"), BY_INSTANCE),),
        ),
        Panel(
            title="Items decoded by link",
            description="Items per second by link, over all receivers.",
            unit="cps",
            minimum=0,
            queries=(Query(per_second("semcom_images_decoded_total")),),
        ),
        Panel(
            title="Frames taken and duplicate",
            description=(
                "Frames per second received, and (dashed) duplicates of waiting "
                "frames, which share an answer."
            ),
            unit="cps",
            minimum=0,
            dashed=" duplicate$",
            queries=(
                Query(per_second("semcom_frames_received_total", where=RX), "{{link}} received"),
                Query(per_second("semcom_frames_duplicate_total", where=RX), "{{link}} duplicate"),
            ),
        ),
        Panel(
            title="Messages refused",
            description=(
                "Messages refused by receivers, or refused by their peers, by reason, in 5 minutes."
            ),
            unit="none",
            minimum=0,
            queries=(
                Query(
                    increase("semcom_messages_refused_total", "reason", RX) + " > 0 or vector(0)",
                    "{{reason}}",
                ),
            ),
        ),
    ),
)

_TIME = Row(
    "Time",
    (
        Panel(
            title="Stages at the receiver",
            description=(
                "Mean time for which a frame waits at the socket and for its turn or "
                "batch, and of its decoding."
            ),
            unit="s",
            minimum=0,
            stacked=True,
            queries=(Query(mean(STAGE, "stage", RX), "{{stage}}"),),
        ),
        Panel(
            title="Decoding, percentiles",
            description="Duration of the forward pass of a frame by receiver; p99 is dashed.",
            unit="s",
            minimum=0,
            thresholds=above(0.5, 1),
            dashed=" p99$",
            queries=tuple(
                Query(
                    quantile(share, STAGE, "instance", f'{RX}, stage="decode"'),
                    f"{{{{instance}}}} p{share * 100:.0f}",
                )
                for share in (0.5, 0.99)
            ),
        ),
        Panel(
            title="CPU",
            description="CPU cores that each receiver uses.",
            unit="none",
            minimum=0,
            queries=(
                Query(
                    f"sum by (instance) (rate(semcom_process_cpu_seconds_total{{{RX}}}{RATE}))",
                    BY_INSTANCE,
                ),
            ),
        ),
        Panel(
            title="Memory",
            description="Resident memory of each receiver.",
            unit="bytes",
            minimum=0,
            queries=(
                Query(
                    f"max by (instance) (semcom_process_resident_memory_bytes{{{RX}}})", BY_INSTANCE
                ),
            ),
        ),
    ),
)

RECEIVER = Dashboard(
    uid="semcom-receiver",
    title="Semantic links: receiver",
    description="Decoding, batching and codecs of every receiver.",
    rows=(_STATE, _WORK, _TIME),
)
