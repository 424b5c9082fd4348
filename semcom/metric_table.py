"""Every Prometheus metric: name, kind, meaning, labels, and the processes that export it.

Labels come from small closed sets only, never frame or run. docs/monitoring.md shows this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from semcom.keys import SecurityReason
from semcom.messages import RefusalReason

Kind = Literal["counter", "gauge", "histogram"]

SECONDS_BUCKETS = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
MAX_LINKS = 32  # that one process distinguishes; all further ones are `other`
OTHER_LINK = "other"
MAX_SERIES = 500  # of one process

TX, CH, RX, ORC, JOBS = "transmitter", "channel", "receiver", "orchestrator", "jobs"
SPEAKERS = (TX, CH, RX, ORC)
ROLES = (*SPEAKERS, JOBS)
# The roles from which a process gets messages, and the stages of a frame's path that it measures.
PEERS: Mapping[str, tuple[str, ...]] = {
    TX: (CH, ORC), CH: (TX, RX, ORC), RX: (CH, ORC), ORC: (TX, CH, RX),
}  # fmt: skip
STAGES: Mapping[str, tuple[str, ...]] = {
    TX: ("encode",),
    CH: ("uplink_queue", "channel"),
    RX: ("downlink_queue", "batch_wait", "decode"),
}
RESULTS: tuple[str, ...] = ("loaded", "refused")
LAUNCHED: tuple[str, ...] = (TX, CH, RX)


@dataclass(frozen=True)
class Exported:
    """One row of the table.

    Series that are known when a process starts exist from the start, at 0: those without a label,
    one per link, and one per value of `values`. A gauge without a value so far (`late`) appears
    with its first value.
    """

    kind: Kind
    help: str
    roles: tuple[str, ...]
    labels: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # role -> label values
    late: bool = False

    def known_series(self, role: str, links: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return the label values of the series that a process of this role has from the start."""
        if self.late or role not in self.roles:
            return []
        if not self.labels:
            return [()]
        values = links if self.labels == ("link",) else self.values.get(role, ())
        return [(value,) for value in values]


def _each(roles: tuple[str, ...], values: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(roles, values)


LINK = ("link",)

METRICS: dict[str, Exported] = {
    # The path of a frame.
    "semcom_frames_offered_total": Exported(
        "counter", "Frames that were due to be sent, by the plan or the stream", (TX,), LINK
    ),
    "semcom_frames_shed_total": Exported(
        "counter", "Frames offered and dropped, because too many were waiting", (TX,), LINK
    ),
    "semcom_frames_sent_total": Exported("counter", "Frames sent for the first time", (TX,), LINK),
    "semcom_frames_retransmitted_total": Exported("counter", "Frames sent again", (TX,), LINK),
    "semcom_frames_received_total": Exported(
        "counter", "Frames received, including repeated ones", (CH, RX), LINK
    ),
    "semcom_frames_recorded_total": Exported(
        "counter", "Frames committed to the ledger", (ORC,), LINK
    ),
    "semcom_frames_lost_total": Exported(
        "counter", "Frames of a stream that were given up", (ORC,), LINK
    ),
    "semcom_frames_duplicate_total": Exported(
        "counter", "Frames or answers that had already arrived", (TX, CH, RX, ORC), LINK
    ),
    "semcom_frames_unroutable_total": Exported(
        "counter", "Frames or answers that could not be sent: their peer was gone or its "
        "queue full",
        (TX, CH, RX), LINK,
    ),
    "semcom_frames_in_flight": Exported(
        "gauge", "Frames sent and not yet answered", (TX,), LINK
    ),
    "semcom_frames_open": Exported(
        "gauge", "Frames accepted whose receipt from the ledger has not arrived yet", (TX,), LINK
    ),
    "semcom_messages_refused_total": Exported(
        "counter", "Messages refused here, or by a peer that reported it", SPEAKERS,
        ("reason",), _each(SPEAKERS, get_args(RefusalReason)),
    ),
    "semcom_peers_refused_total": Exported(
        "counter", "Handshakes and messages refused because of their key", SPEAKERS,
        ("reason",), _each(SPEAKERS, get_args(SecurityReason)),
    ),
    # Durations, each measured by one clock.
    "semcom_stage_seconds": Exported(
        "histogram", "Duration of a stage of a frame's path", (TX, CH, RX), ("stage",), STAGES
    ),
    "semcom_round_trip_seconds": Exported(
        "histogram", "Time from the first transmission of a frame to its answer", (TX,), LINK
    ),
    # The task and the channel.
    "semcom_images_evaluated_total": Exported(
        "counter", "Items whose answer was judged", (TX,), LINK
    ),
    "semcom_score_total": Exported(
        "counter",
        "Sums of the scores of judged answers, named as in the task; negative ones count as 0",
        (TX,),
        ("link", "task", "sum"),
        late=True,
    ),
    "semcom_images_decoded_total": Exported("counter", "Items answered", (RX,), LINK),
    "semcom_snr_set_db": Exported(
        "gauge", "SNR that was set for the last frame, dB", (TX, CH), LINK, late=True
    ),
    "semcom_snr_measured_db": Exported(
        "gauge", "Power of the signal over power of the noise drawn for the last frame, dB",
        (CH,), LINK, late=True,
    ),
    # Codecs.
    "semcom_codec_info": Exported(
        "gauge", "Codec that encodes a link's frames; always 1", (TX,),
        ("link", "codec", "digest"), late=True,
    ),
    "semcom_codecs_loaded": Exported("gauge", "Codecs that a receiver has loaded", (RX,)),
    "semcom_codec_swaps_total": Exported(
        "counter", "Codecs loaded or refused", (TX, RX),
        ("result",), _each((TX, RX), RESULTS),
    ),
    # Processes.
    "semcom_ready": Exported("gauge", "1 if the process is ready, as /readyz reports", ROLES),
    "semcom_peers": Exported(
        "gauge", "Peers that sent something in the last three seconds", (CH, ORC), ("role",), PEERS
    ),
    "semcom_heartbeats_total": Exported(
        "counter", "Heartbeats received, by role of the peer", SPEAKERS, ("role",), PEERS
    ),
    "semcom_heartbeat_age_seconds": Exported(
        "gauge", "Time since the last message of a peer of this role", SPEAKERS, ("role",), PEERS
    ),
    "semcom_process_restarts_total": Exported(
        "counter", "Processes that the orchestrator started again", (ORC,),
        ("role",), _each((ORC,), LAUNCHED),
    ),
    "semcom_slots_waiting": Exported(
        "gauge", "Slots of a group that wait for a frame of this link", (CH,), LINK
    ),
    "semcom_slots_absent_total": Exported(
        "counter", "Slots of a live group that were served without this link", (CH,), LINK
    ),
    "semcom_frames_wanted_total": Exported(
        "counter", "Frames that the channel requested from a link because others wait for "
        "them", (CH,), LINK
    ),
    "semcom_receivers_resting": Exported(
        "gauge", "Receivers that get fewer frames because they refuse or do not answer", (CH,)
    ),
    "semcom_receiver_rests_total": Exported(
        "counter", "Times that a receiver began to get fewer frames", (CH,)
    ),
    "semcom_connections_hung_up": Exported(
        "gauge",
        "Connections closed because there were too many or too much was waiting to be read",
        SPEAKERS,
    ),
    # Sweeps.
    "semcom_sweep_frames_planned": Exported("gauge", "Frames that the sweep plans", (ORC,)),
    "semcom_sweep_frames_recorded": Exported("gauge", "Frames of the sweep in the ledger", (ORC,)),
    "semcom_sweep_metric": Exported(
        "gauge",
        "Main metric of the task at a sweep's complete points, over all seeds and codecs", (ORC,),
        ("link", "channel", "snr_db", "metric"), late=True,
    ),
    "semcom_sweep_metric_skipped": Exported(
        "gauge",
        "Complete points without a series: the limit is reached, or two tasks share the metric",
        (ORC,),
    ),
    "semcom_disk_free_bytes": Exported("gauge", "Free space where runs are kept", (ORC,)),
    # Training jobs.
    "semcom_jobs": Exported("gauge", "Training jobs in the store", (JOBS,), ("state",)),
    "semcom_training_loss": Exported(
        "gauge", "Last loss of a running job, by term; 0 if no job runs", (JOBS,),
        ("dataset", "stage", "term"),
    ),
    "semcom_training_learning_rate": Exported(
        "gauge", "Learning rate of a running job", (JOBS,), ("dataset", "stage")
    ),
    "semcom_training_images_per_second": Exported(
        "gauge", "Items that a running job trains on per second", (JOBS,), ("dataset", "stage")
    ),
    "semcom_training_step_seconds": Exported(
        "gauge", "Duration of a step of a running job", (JOBS,), ("dataset", "stage")
    ),
    "semcom_training_progress_ratio": Exported(
        "gauge", "Share of a stage that a running job has done", (JOBS,), ("dataset", "stage")
    ),
    "semcom_training_samples_total": Exported(
        "counter", "Items on which jobs have trained", (JOBS,), ("dataset",)
    ),
    "semcom_training_restarts_total": Exported(
        "counter", "Restarts of training jobs", (JOBS,), ("dataset",)
    ),
    "semcom_training_checkpoint_age_seconds": Exported(
        "gauge", "Age of a running job's last checkpoint", (JOBS,), ("dataset",)
    ),
}  # fmt: skip

# Exported by the client library for every process, if there is /proc.
PROCESS_METRICS: dict[str, Exported] = {
    "semcom_process_info": Exported(
        "gauge", "Role and name of this process; always 1", ROLES, ("role", "peer")
    ),
    "semcom_process_start_time_seconds": Exported(
        "gauge", "Start time of the process, Unix time", ROLES
    ),
    "semcom_process_cpu_seconds_total": Exported("counter", "CPU time used by the process", ROLES),
    "semcom_process_resident_memory_bytes": Exported(
        "gauge", "Resident memory of the process", ROLES
    ),
    "semcom_process_virtual_memory_bytes": Exported(
        "gauge", "Virtual memory of the process", ROLES
    ),
    "semcom_process_open_fds": Exported("gauge", "Number of open files and sockets", ROLES),
    "semcom_process_max_fds": Exported("gauge", "Limit on open files and sockets", ROLES),
}
