"""Link and channel: one or several links, from the transmitter's side."""

from __future__ import annotations

from orchestrator.dashboards.metric_panels import task_rows
from orchestrator.dashboards.model import GREEN, RED, Dashboard, Panel, Query, Row, Variable, above
from orchestrator.dashboards.queries import RATE, increase, mean, per_second, quantile

LINK = 'link=~"$link"'
ROUND_TRIP = "semcom_round_trip_seconds"

_CHANNEL = Row(
    "Channel and codec",
    (
        Panel(
            title="SNR",
            description="Es/N0 that is set, and (dashed) what was measured frame by frame.",
            unit="dB",
            width=8,
            dashed=" measured$",
            queries=(
                Query(f'max by (link) (semcom_snr_set_db{{job="channel", {LINK}}})', "{{link}}"),
                Query(f"max by (link) (semcom_snr_measured_db{{{LINK}}})", "{{link}} measured"),
            ),
        ),
        Panel(
            title="Images judged",
            description="Items per second whose answers were judged.",
            unit="cps",
            width=8,
            minimum=0,
            queries=(Query(per_second("semcom_images_evaluated_total", where=LINK)),),
        ),
        Panel(
            title="Codec in use",
            description="The codec that encodes each link's frames, by the start of its digest.",
            unit="none",
            kind="table",
            width=8,
            transformations=(
                {
                    "id": "organize",
                    "options": {
                        "excludeByName": {"Time": True, "Value": True},
                        "indexByName": {"link": 0, "codec": 1, "digest": 2},
                        "renameByName": {},
                    },
                },
            ),
            queries=(
                Query(
                    f"max by (link, codec, digest) (semcom_codec_info{{{LINK}}})", "", instant=True
                ),
            ),
        ),
    ),
)

_TIME = Row(
    "Where the time goes",
    (
        Panel(
            title="Round trip",
            description="From the first transmission of a frame to its answer; tails are dashed.",
            unit="s",
            minimum=0,
            thresholds=above(1, 2),
            dashed=" p9[59]$",
            queries=tuple(
                Query(quantile(share, ROUND_TRIP, where=LINK), f"{{{{link}}}} p{share * 100:.0f}")
                for share in (0.5, 0.95, 0.99)
            ),
        ),
        Panel(
            title="Distribution of the round trip",
            description="Frames per second by duration of their round trip.",
            unit="s",
            kind="heatmap",
            queries=(Query(f"sum by (le) (rate({ROUND_TRIP}_bucket{{{LINK}}}{RATE}))", "{{le}}"),),
        ),
        Panel(
            title="Stages",
            description=(
                "Mean duration of the stages of a frame's path, over all links. "
                "Queueing times count from the moment the socket was found readable."
            ),
            unit="s",
            minimum=0,
            stacked=True,
            queries=(Query(mean("semcom_stage_seconds", "stage"), "{{stage}}"),),
        ),
        Panel(
            title="Stages, 99th percentile",
            description="Duration exceeded by one frame in a hundred, by stage, over all links.",
            unit="s",
            minimum=0,
            queries=(Query(quantile(0.99, "semcom_stage_seconds", "stage"), "{{stage}}"),),
        ),
    ),
)

_FRAMES = Row(
    "Frames",
    (
        Panel(
            title="Frames per second",
            description=(
                "Due, sent for the first time, received by the channel (including "
                "repetitions), and recorded."
            ),
            unit="cps",
            link_colours=False,
            minimum=0,
            queries=tuple(
                Query(
                    per_second(f"semcom_frames_{what}_total", where=where), f"{{{{link}}}} {what}"
                )
                for what, where in (
                    ("offered", LINK),
                    ("sent", LINK),
                    ("received", f'job="channel", {LINK}'),
                    ("recorded", LINK),
                )
            ),
        ),
        Panel(
            title="In flight and open",
            description="Frames in flight (the window bounds them), and (dashed) those accepted "
            "and not yet recorded.",
            unit="none",
            minimum=0,
            dashed=" open$",
            queries=(
                Query(f"sum by (link) (semcom_frames_in_flight{{{LINK}}})", "{{link}} in flight"),
                Query(f"sum by (link) (semcom_frames_open{{{LINK}}})", "{{link}} open"),
            ),
        ),
        Panel(
            title="Repeated, duplicate, shed, unroutable",
            description=(
                "Frames sent again; duplicate answers; frames not accepted because too "
                "many waited; frames whose peer had disconnected. In the last 5 minutes."
            ),
            unit="none",
            link_colours=False,
            minimum=0,
            queries=tuple(
                Query(
                    increase(f"semcom_frames_{what}_total", "link", where=LINK),
                    f"{{{{link}}}} {what}",
                )
                for what in ("retransmitted", "duplicate", "shed", "unroutable")
            ),
        ),
        Panel(
            title="Messages refused",
            description="By the process that counted them and the reason, in the last 5 minutes.",
            unit="none",
            minimum=0,
            queries=(
                Query(
                    increase("semcom_messages_refused_total", "job, reason") + " > 0 or vector(0)",
                    "{{job}} {{reason}}",
                ),
            ),
        ),
    ),
)

_PEERS = Row(
    "Peers",
    (
        Panel(
            title="Peers of the channel",
            description=(
                "Peers from which the channel got a message in the last three seconds, by role."
            ),
            unit="none",
            minimum=0,
            thresholds=((None, RED), (1.0, GREEN)),
            kind="stat",
            width=12,
            height=6,
            queries=(Query('sum by (role) (semcom_peers{job="channel"})', "{{role}}"),),
        ),
        Panel(
            title="Age of the last heartbeat",
            description=(
                "Time since a process last got a message from a peer of each role; "
                "after three seconds it is dead."
            ),
            unit="s",
            minimum=0,
            width=12,
            height=6,
            thresholds=above(2, 3),
            queries=(
                Query("max by (job, role) (semcom_heartbeat_age_seconds)", "{{job}} from {{role}}"),
            ),
        ),
    ),
)

LINK_AND_CHANNEL = Dashboard(
    uid="semcom-link",
    title="Semantic links: link and channel",
    description="One link or several: task, channel, durations, frames.",
    rows=(*task_rows(LINK), _CHANNEL, _TIME, _FRAMES, _PEERS),
    variables=(
        Variable(
            name="link", label="Link", query="label_values(semcom_frames_offered_total, link)"
        ),
    ),
)
