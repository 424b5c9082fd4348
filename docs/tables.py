"""Writes the tables of README and docs whose source is code: `python -m docs.tables`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; a test holds every one of
them against what this module makes of the code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from docs.command_pages import commands_by_section
from docs.digital_tables import digital_sentence_rows, image_bound_rows
from docs.evidence_tables import (
    bound_rows,
    construction_rows,
    energy_rows,
    equalizer_rows,
    frozen_rows,
    simulated_rows,
)
from docs.on_paper import HEAD as HEAD_ON_PAPER
from docs.on_paper import on_paper
from docs.rate_tables import rate_rows
from docs.requirements import NEEDS, read_requirements
from docs.results_tables import frame_columns, ledger_tables, result_columns, task_columns
from docs.settings_tables import HEAD, MODELS, settings_rows
from docs.stage2_tables import stage2_rows
from orchestrator.bench.figures import read_figures, target_table
from orchestrator.dashboards.metric_panels import metrics_by_task
from orchestrator.dashboards.queries import metric_value
from orchestrator.inspection.sigmf_recording import FIELDS, NAMESPACE
from orchestrator.measures.kinds import MEASURES, Measure
from orchestrator.measures.measured_run import with_measures
from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.ablation import ablation_tables
from orchestrator.reports.claims import claims_table, evidence_of_results
from orchestrator.reports.curves import CountedSeries, pooled_results
from orchestrator.reports.footprints import footprint_tables, read_footprints
from orchestrator.reports.markup import count
from orchestrator.reports.noma_evidence import image_codecs
from orchestrator.reports.noma_gates import gates_table
from orchestrator.reports.ratios import RATIO_SNR_DB, ratio_curves_of_results, ratio_tables
from orchestrator.reports.search_history import group_searches, read_search, search_table
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.text_claims import text_claims_table
from orchestrator.reports.text_evidence import TextCodec, text_codecs_of_results
from orchestrator.results.run_folder import LEDGER, RESULTS_CSV, read_run, read_run_manifest
from semcom import errors
from semcom.extras import APART, EXTRAS
from semcom.metric_table import METRICS, PROCESS_METRICS, ROLES
from semcom.records import SearchRecord
from semcom.tasks.classification import ACCURACY

REPO = Path(__file__).resolve().parents[1]
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
PERFORMANCE = REPO / "docs" / "performance"
REPRODUCING = REPO / "docs" / "reproducing"  # results.csv, manifest.json and search.json of runs
BESIDE = {  # an evaluation that lacks a baseline, and the one that has it
    "cifar10-ratio-10": "cifar10",
    "cifar10-5to20": "cifar10-5to20-jscc-student",
}
NOMA = "cifar10-noma*"  # evaluations of codecs of superposed images, with ledger and measures
TEXT = "europarl"  # the evaluation of codecs of sentences
DEPTHS_SNR_DB = (25.0, 0.0, -10.0)
FOR_EXTRA = {  # what runs on a host that has the extra
    "channel": "`python -m channel_sim`",
    "compiled": "compiled kernels for the channel, the default where numba is installed",
    "transmitter": "`python -m transmitters`",
    "edge": "a transmitter or receiver without torch (`engine: onnxruntime`)",
    "receiver": "`python -m receiver`",
    "orchestrator": "`semcom`: sweeps, live systems, reports, data sets, keys",
    "training": "`semcom train`, `search`, `jobs`, `evaluate`, `footprint`, `bench`",
    "sionna": "the channel model `sionna`, where the channel runs",
    "digital": "codecs of the family `digital`: where a transmitter or receiver runs one",
    "sigmf": "`semcom record`",
    "similarity": "`semcom measure RUN similarity`",
    "ray": "`--on` of `semcom evaluate`, `sweep` and `jobs`, and each node of the cluster",
}
BLOCK = re.compile(r"(<!-- table: ([a-z0-9-]+) -->\n).*?(<!-- end of table -->)", re.S)


def exit_codes() -> str:
    """Every exit code and the error behind it."""
    by_code: dict[int, str] = {errors.EXIT_OK: "Success."}
    for kind in errors.SemcomError.__subclasses__():
        if kind.__module__ == errors.__name__:
            by_code[kind.exit_code] = _summary(kind)
    by_code[errors.SemcomError.exit_code] = "Internal error (a bug); the log has its traceback."
    by_code[errors.INTERRUPTED] = (
        "Ctrl-C (SIGINT): frames in flight are finished and saved; the message says how to resume."
    )
    by_code[errors.TERMINATED] = "SIGTERM: the same."
    return _table(("exit code", "means"), ((str(code), by_code[code]) for code in sorted(by_code)))


def sigmf_fields() -> Iterator[tuple[str, str]]:
    """Return every field that an annotation of a recording has beside those of SigMF."""
    for name, meaning in FIELDS.items():
        yield f"`{NAMESPACE}:{name}`", meaning


def extras() -> str:
    """Every extra of the project and the packages that it brings."""
    rows = [
        (f"`{name}`", FOR_EXTRA[name], ", ".join(packages) or "nothing more")
        for name, packages in EXTRAS.items()
    ]
    apart = [f"`{name}`" for name in APART]
    everything = f"all of these except {', '.join(apart[:-1])} and {apart[-1]}"
    return _table(("extra", "for", "brings"), [*rows, ("`all`", "one machine", everything)])


def metrics() -> str:
    """Every metric of every process."""
    rows = (
        (
            f"`{name}`",
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels),
            "all" if metric.roles == ROLES else ", ".join(metric.roles),
            metric.help,
        )
        for name, metric in (METRICS | PROCESS_METRICS).items()
    )
    return _table(("name", "kind", "labels", "processes", "meaning"), rows)


def metric_queries() -> str:
    """Every metric of our tasks, once, and how it is computed from the counters."""
    rows = (
        (metric.title, metric.unit, f"`{metric_value(task, metric, over='[5m]')}`")
        for task, metrics in metrics_by_task().items()
        for metric in metrics
    )
    return _table(("metric", "unit", "value by link"), rows)


def targets() -> str:
    """Every target of a benchmark and what was measured."""
    return _report_table(target_table(read_figures(PERFORMANCE)))


def benchmark(name: str) -> str:
    """What a benchmark measured."""
    found = [each for each in read_figures(PERFORMANCE) if each.name == name]
    if not found:
        return f"Not measured yet: `semcom bench run {name} --out docs/performance`.\n"
    (figures,) = found
    table = figures.table()
    return f"{_report_table(table)}\n{table.note}\n"


def claims(folder: Path) -> str:
    """The paper's claims and what an evaluation of all systems, or searches, say to them."""
    results = _results_in(folder)
    table = claims_table(evidence_of_results(results, _codecs_of(folder), _searches_in(folder)))
    assert table is not None, f"{folder} answers no claim"
    return f"{_report_table(table)}\n{table.note}\n"


def text_claims() -> str:
    """The claims on sentences, and what the evaluation of codecs for Europarl says to them."""
    folder = REPRODUCING / TEXT
    codecs: list[TextCodec] = []
    if (folder / RESULTS_CSV).exists():
        codecs = text_codecs_of_results(_results_in(folder), _codecs_of(folder))
    tables = [text_claims_table(codecs), *ablation_tables(codecs)]
    return "\n".join(f"{_report_table(table)}\n{table.note}\n" for table in tables)


def noma_gates() -> str:
    """The gates of superposed images, and what evaluations of codecs for CIFAR-10 say to them."""
    folders = sorted(ledger.parent for ledger in REPRODUCING.glob(f"{NOMA}/{LEDGER}"))
    codecs = image_codecs([with_measures(read_run(folder)) for folder in folders])
    table = gates_table(codecs)
    return f"{_report_table(table)}\n{table.note}\n"


def settings(name: str) -> str:
    """Every key of a model of settings."""
    return _table(HEAD, settings_rows(name))


def searches(folder: Path) -> str:
    """What the searches of a folder found."""
    table = search_table(group_searches(_searches_in(folder)))
    return f"{_report_table(table)}\n{table.note}\n"


def ratios(folder: Path) -> str:
    """Fig. 8 of an evaluation of codecs that differ in compression ratio."""
    results, codecs = _results_in(folder), _codecs_of(folder)
    curves = ratio_curves_of_results(results, codecs, ACCURACY, snr_db=RATIO_SNR_DB)
    (table,) = ratio_tables(curves, RATIO_SNR_DB)
    return _report_table(table)


def depths(folder: Path) -> str:
    """Codecs of an evaluation that differ in their depths, over AWGN."""
    curves = pooled_results(_results_in(folder))
    rows = []
    for codec in sorted(_codecs_of(folder), key=lambda codec: codec.parameters["encoder"]):
        series = CountedSeries("classification", codec.dataset, codec.system, codec.name, "awgn")
        points = {point.snr_db: point for point in curves[series]}
        found = (points[snr_db].printed(ACCURACY) for snr_db in DEPTHS_SNR_DB)
        rows.append((codec.name, count(codec.parameters["encoder"]), *found))
    heads = (f"{snr_db:g} dB" for snr_db in DEPTHS_SNR_DB)
    return _table(("codec", "parameters of the encoder", *heads), rows)


def footprints() -> str:
    """Table II of the shipped codecs and of the paper's architectures."""
    record = read_footprints(REPRODUCING / "footprints")
    assert record is not None
    (table,) = footprint_tables([record])
    return f"{_report_table(table)}\n{table.note}\n"


def _results_in(folder: Path) -> str:
    """`results.csv` of a folder, and the baselines' lines of the one that it is set beside."""
    path = folder / RESULTS_CSV
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if folder.name in BESIDE:
        other = REPRODUCING / BESIDE[folder.name] / RESULTS_CSV
        head, *rows = other.read_text(encoding="utf-8").splitlines()
        assert head == lines[0]
        lines += [row for row in rows if ",jscc-" in row]
    return "\n".join(lines)


def _codecs_of(folder: Path) -> list[CodecFacts]:
    codecs = (read_run_manifest(folder) or {}).get("codecs", [])
    return [CodecFacts.model_validate(codec) for codec in codecs]


def _searches_in(folder: Path) -> list[SearchRecord]:
    return [record for path in sorted(folder.glob("search-*")) if (record := read_search(path))]


def commands() -> str:
    """Every command with its first line of help, in the order in which one uses them."""
    return _table(("command", "purpose", "what it does"), commands_by_section())


def measures() -> str:
    """Every measure, what it is of, and what it needs."""
    rows = (
        (
            f"`{each.name}`",
            each.task,
            "lower" if each.metric is None else each.metric.better,
            f"every {VALUE_OF[each.per]}",
            "" if each.weights is None else f"`{each.weights.name}`",
            _least(each),
        )
        for each in MEASURES.values()
    )
    head = ("measure", "task", "better is", "one value for", "weights", "needs at least")
    return _table(head, rows)


VALUE_OF = {"item": "item", "image": "whole image", "point": "point"}


def _least(measure: Measure) -> str:
    if measure.least_items > 1:
        return f"{measure.least_items:,} items"
    return f"{measure.least_side} pixels per side" if measure.least_side > 1 else ""


def requirements(name: str) -> str:
    """What was measured of disk space or memory."""
    found = read_requirements()
    return f"{_table(found[name].head, found[name].rows)}\n{found[name].note}\n"


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "result-columns": lambda: _table(("column", "meaning"), result_columns()),
    "task-columns": lambda: _table(("task", "columns"), task_columns()),
    "ledger-tables": lambda: _table(("table", "columns", "holds"), ledger_tables()),
    "frame-columns": lambda: _table(("column", "type", "meaning"), frame_columns()),
    **{f"requirements-{name}": partial(requirements, name) for name in NEEDS},
    "measures": measures,
    "sigmf-fields": lambda: _table(("field", "holds"), sigmf_fields()),
    "exit-codes": exit_codes,
    "extras": extras,
    "energy-cifar10": lambda: _table(*energy_rows("cifar10", "awgn")),
    "construction": lambda: _table(("part", "is built as"), construction_rows()),
    "frozen-teacher": lambda: _table(*frozen_rows()),
    "stage2": lambda: _table(*stage2_rows()),
    "label-bounds": lambda: _table(*bound_rows()),
    "label-codec": lambda: _table(*simulated_rows()),
    "digital-bound": lambda: _table(*image_bound_rows()),
    "digital-sentences": lambda: _table(*digital_sentence_rows()),
    "equalizers": lambda: _table(*equalizer_rows()),
    "rates-cifar10": lambda: _table(*rate_rows()),
    "metrics": metrics,
    "metric-queries": metric_queries,
    "targets": targets,
    "footprints": footprints,
    "text-claims": text_claims,
    "noma-gates": noma_gates,
    **{f"settings-{name}": partial(settings, name) for name in MODELS},
    **{f"bench-{path.stem}": partial(benchmark, path.stem) for path in PERFORMANCE.glob("*.json")},
    "bench-superposition": lambda: benchmark("superposition"),
    "bench-cluster": lambda: benchmark("cluster"),
    "cluster-on-paper": lambda: _table(HEAD_ON_PAPER, on_paper(read_figures(PERFORMANCE))),
    **{f"claims-{path.name}": partial(claims, path) for path in REPRODUCING.glob("*/")},
    **{f"ratios-{path.name}": partial(ratios, path) for path in REPRODUCING.glob("*-ratios/")},
    **{f"depths-{path.name}": partial(depths, path) for path in REPRODUCING.glob("*-depths/")},
    **{
        f"searches-{path.name}": partial(searches, path)
        for path in {found.parent for found in REPRODUCING.glob("*/search-*")}
    },
}


def rewritten(text: str) -> str:
    """Return a page with its tables made again."""
    return BLOCK.sub(lambda block: f"{block[1]}{TABLES[block[2]]()}{block[3]}", text)


def _summary(kind: type) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


def _report_table(table: ReportTable) -> str:
    return _table(table.head, table.rows)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join("| " + " | ".join(map(_cell, cells)) + " |\n" for cells in lines)


def _cell(text: str) -> str:
    """Return a text in which a vertical bar does not end the cell."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(rewritten(page.read_text()))
