"""Semantic communication as a running system, from Python.

    import rkd_sc

    run = rkd_sc.sweep("scenarios/demo.yaml")
    print(run.results_digest, run.results[0].values)

Everything here does what the command `semcom` does, with the same code. Names that need torch
(`export_codec`) import it when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestrator.inspection.item_page import item_page
from orchestrator.inspection.items import Item, ItemAnswer
from orchestrator.inspection.ranking import Which
from orchestrator.inspection.run_items import Look
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.plan.scenario import Scenario
from orchestrator.reports.paper import write_figures
from rkd_sc.channels import Channel, Received
from rkd_sc.codecs import Codec, codecs, load_codec, train
from rkd_sc.data import prepare
from rkd_sc.live import LiveSystem, live
from rkd_sc.progress import Progress
from rkd_sc.runs import Result, Run, evaluate, load_run, sweep
from semcom.errors import SemcomError
from semcom.families import Family
from semcom.tasks import Metric, Task
from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import Reconstruction

if TYPE_CHECKING:
    from orchestrator.training.module_export import export_codec

__all__ = [
    "Channel", "Classification", "Codec", "Family", "Item", "ItemAnswer", "LiveScenario",
    "LiveSystem", "Look", "Metric", "Progress", "Received", "Reconstruction", "Result", "Run",
    "Scenario", "SemcomError", "Task", "Which", "codecs", "evaluate", "export_codec", "item_page",
    "live", "load_codec", "load_run", "prepare", "sweep", "train", "write_figures",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import names that need torch on first use."""
    if name == "export_codec":
        from semcom.extras import needed_by

        with needed_by("rkd_sc.export_codec", "training"):
            from orchestrator.training.module_export import export_codec
        return export_codec
    raise AttributeError(f"module 'rkd_sc' has no attribute {name!r}")
