"""Table III for codecs of sentences from `footprint.json`, next to the paper's values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from orchestrator.reports.markup import NOTHING, count
from orchestrator.reports.system_titles import system_title
from orchestrator.reports.tables import ReportTable
from semcom.records import FootprintRecord, SentenceFootprint, Timing


class _Printed(NamedTuple):
    """A row of Table III of Liu et al.: parameters, MB, ms per sentence."""

    parameters: int
    megabytes: float
    inference_ms: float


PRINTED = {
    "teacher": _Printed(2_022_672, 12.46, 24.10),
    "student-1": _Printed(2_022_672, 12.46, 22.90),
    "student-2": _Printed(1_096_976, 6.98, 14.87),
    "student-3": _Printed(946_704, 6.06, 14.50),
    "student-4": _Printed(5_376, 0.05, 14.18),
    "deepsc": _Printed(1_462_928, 9.18, 19.79),
}
QUANTISED = "student-4"


def sentence_footprint_tables(records: Sequence[FootprintRecord]) -> list[ReportTable]:
    """Return a table per machine: a row per quantity, a column per codec."""
    return [
        ReportTable(
            title="Parameters, bytes, multiplications and latency per sentence",
            head=["", *(each.name for each in record.sentences)],
            rows=[
                [name, *(cell(each) for each in record.sentences)] for name, cell in ROWS.items()
            ],
            note=_note(record),
        )
        for record in records
        if record.sentences
    ]


def _note(record: FootprintRecord) -> str:
    tokens = sorted({each.tokens for each in record.sentences})
    text = (
        "Parameters are counted as in the paper: without embeddings and prediction layer, "
        "which have separate rows and are in the files. MMAC: millions of multiply-accumulate "
        f"operations for a sentence of {' or '.join(map(str, tokens))} tokens, decoded "
        "completely with a key-value cache; element-wise operations are not counted. Latency: "
        f"median (smallest to largest) of repeated runs with {record.threads} "
        f"thread{'s' * (record.threads > 1)} on {record.processor}, torch {record.torch}."
    )
    if any(each.precision == "int8" for each in record.sentences):
        text += " Codecs in int8 store their matrices in int8 and compute in float32."
    if any(each.system == QUANTISED for each in record.sentences):
        text += (
            f" The paper's {count(PRINTED[QUANTISED].parameters)} parameters of Student 4 are "
            "those of the layer norms of a network of 4 + 4 layers: after quantisation, matrices "
            "are no longer counted as parameters. File sizes are more informative."
        )
    return text


def _part(*names: str) -> Callable[[SentenceFootprint], str]:
    return lambda each: count(sum(each.parameters.get(name, 0) for name in names))


def _printed(cell: Callable[[_Printed], str]) -> Callable[[SentenceFootprint], str]:
    return lambda each: cell(PRINTED[each.system]) if each.system in PRINTED else NOTHING


def _bytes(*ends: str) -> Callable[[SentenceFootprint], str]:
    return lambda each: f"{sum(each.bytes_on_disk.get(end, 0) for end in ends) / 1e6:.2f}"


def _macs(end: str) -> Callable[[SentenceFootprint], str]:
    return lambda each: f"{each.macs.get(end, 0) / 1e6:.2f}"


def _range(timing: Timing) -> str:
    return f"{timing.median_ms:.2f} ({timing.min_ms:.2f} to {timing.max_ms:.2f})"


ROWS: dict[str, Callable[[SentenceFootprint], str]] = {
    "data set": lambda each: each.dataset,
    "system": lambda each: system_title(each.system, {}),
    "layers": lambda each: f"{each.layers} + {each.layers}",
    "matrices on disk": lambda each: each.precision,
    "parameters": lambda each: count(sum(each.parameters.values())),
    "parameters, the paper": _printed(lambda row: count(row.parameters)),
    "parameters: transmitter": _part("encoder", "channel_encoder"),
    "parameters: receiver": _part("decoder", "semantic_decoder"),
    "of these, layer norms": lambda each: count(each.layer_norms),
    "additionally: embeddings": lambda each: count(each.embeddings),
    "additionally: prediction layer": lambda each: count(each.prediction_layer),
    "files, MB": _bytes("transmitter", "receiver"),
    "files, MB: transmitter": _bytes("transmitter"),
    "files, MB: receiver": _bytes("receiver"),
    "size, the paper (MB)": _printed(lambda row: f"{row.megabytes:.2f}"),
    "MMAC: encoders": _macs("encoder"),
    "MMAC: decoders": _macs("decoder"),
    "latency of the encoders (ms)": lambda each: _range(each.encode),
    "latency of the decoders (ms)": lambda each: _range(each.decode),
    "inference, the paper (ms)": _printed(lambda row: f"{row.inference_ms:.2f}"),
}
