"""Table II from `footprint.json`: parameters, FLOPs, latency on this CPU, estimate for the IoT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.plan.codec_facts import transmitter_parameters
from orchestrator.reports.markup import NOTHING, count, depths_text
from orchestrator.reports.sentence_footprints import sentence_footprint_tables
from orchestrator.reports.system_titles import system_title
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import read_record
from semcom.records import FOOTPRINT_FILE, Footprint, FootprintRecord, Timing

# Table II's estimate: the quotient of the two processors' computing power.
IOT_SLOWER = 871.49 / 32
BATCH = 100


def read_footprints(folder: Path) -> FootprintRecord | None:
    """Return the footprints of a folder; None if there are none.

    Raises:
        ConfigurationError: `footprint.json` is damaged.
        StorageError: it cannot be read.
    """
    return read_record(folder / FOOTPRINT_FILE, FootprintRecord)


def footprint_section(records: Sequence[FootprintRecord]) -> list[str]:
    """Return Table II, once per machine on which it was measured; nothing if there is none."""
    tables = footprint_tables(records)
    return ["<h2>Footprint</h2>", *(table.html() for table in tables)] if tables else []


def footprint_tables(records: Sequence[FootprintRecord]) -> list[ReportTable]:
    """Return a row per quantity, a column per codec or architecture; for sentences, Table III."""
    images = [record for record in records if record.footprints]
    return [*map(_image_table, images), *sentence_footprint_tables(records)]


def _image_table(record: FootprintRecord) -> ReportTable:
    return ReportTable(
        title="Parameters, FLOPs and latency of the encoder",
        head=["", *(footprint.name for footprint in record.footprints)],
        rows=[
            [name, *(cell(footprint) for footprint in record.footprints)]
            for name, cell in ROWS.items()
        ],
        note=_note(record),
    )


def iot_estimate_ms(footprint: Footprint) -> float:
    """Return the estimated latency of one image on the paper's IoT device, scaled from this CPU."""
    return footprint.encode_1.median_ms * IOT_SLOWER


def _note(record: FootprintRecord) -> str:
    return (
        f"FLOPs of one image; a multiplication and an addition count as two. Element-wise "
        f"operations are not counted. Latency of both encoders: median (smallest to largest) of "
        f"repeated runs with {record.threads} thread{'s' * (record.threads > 1)} on "
        f"{record.processor}, torch {record.torch}; the preparation of the image is not included. "
        f"IoT estimate: {IOT_SLOWER:.2f} times the latency. Idle parameters are the query and key "
        f"projections, which have no effect in attention over one token; they are not built."
    )


def _part(name: str) -> Callable[[Footprint], str]:
    return lambda footprint: count(footprint.parameters.get(name, 0))


def _with_idle(footprint: Footprint) -> str:
    idle = footprint.idle_parameters.get("channel_encoder", 0)
    return count(transmitter_parameters(footprint.parameters) + idle)


def _teacher(footprint: Footprint) -> str:
    teacher = footprint.teacher_parameters
    return NOTHING if teacher is None else count(teacher)


def _below_teacher(footprint: Footprint) -> str:
    teacher = footprint.teacher_parameters
    if not teacher:
        return NOTHING
    return f"{100 * (1 - transmitter_parameters(footprint.parameters) / teacher):.2f} %"


def _flops(*parts: str) -> Callable[[Footprint], str]:
    return lambda footprint: _si(sum(footprint.flops.get(part, 0) for part in parts))


def _si(number: int) -> str:
    return f"{number / 1e9:.3f} G" if number >= 1e9 else f"{number / 1e6:.2f} M"


def _range(timing: Timing, images: int) -> str:
    low, middle, high = (
        value / images for value in (timing.min_ms, timing.median_ms, timing.max_ms)
    )
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _depths(footprint: Footprint) -> str:
    depths = footprint.depths
    return NOTHING if depths is None else depths_text(depths)


def _share_of_channel_encoder(footprint: Footprint) -> str:
    encoder = footprint.flops.get("encoder", 0)
    channel = footprint.flops.get("channel_encoder", 0)
    return f"{100 * channel / max(1, encoder + channel):.2f} %"


ROWS: dict[str, Callable[[Footprint], str]] = {
    "data set": lambda footprint: footprint.dataset,
    "system": lambda footprint: system_title(footprint.system, {}),
    "input": lambda footprint: f"{footprint.input_size} x {footprint.input_size}",
    "depths": _depths,
    "parameters: semantic encoder": _part("encoder"),
    "parameters: channel encoder": _part("channel_encoder"),
    "parameters: both encoders": lambda footprint: count(
        transmitter_parameters(footprint.parameters)
    ),
    "parameters: both encoders, with idle ones": _with_idle,
    "parameters: channel decoder": _part("decoder"),
    "parameters: task head": _part("head"),
    "parameters: teacher": _teacher,
    "parameters saved relative to the teacher": _below_teacher,
    "FLOPs: both encoders": _flops("encoder", "channel_encoder"),
    "FLOPs: share of the channel encoder": _share_of_channel_encoder,
    "FLOPs: decoder and head": _flops("decoder", "head"),
    "latency of one image (ms)": lambda footprint: _range(footprint.encode_1, 1),
    f"latency per image of a batch of {BATCH} (ms)": lambda f: _range(f.encode_100, BATCH),
    "IoT estimate (ms)": lambda footprint: f"{iot_estimate_ms(footprint):.1f}",
}
