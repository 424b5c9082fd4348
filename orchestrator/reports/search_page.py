"""The section on searches: Fig. 7, and the selected architectures next to Table III."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.reports.markup import Picture, figure
from orchestrator.reports.search_history import group_searches, search_table
from orchestrator.reports.theme import DARK, LIGHT
from semcom.records import SearchRecord


def search_section(
    records: Sequence[SearchRecord],
) -> tuple[list[str], dict[str, Picture]]:
    """Return Fig. 7 for all data sets; empty if there is no search.

    Raises:
        ConfigurationError: a seed of a search occurs twice.
    """
    from orchestrator.reports.search_plots import alpha_png, parameters_png

    groups = group_searches(records)
    if not groups:
        return [], {}
    pictures: dict[str, Picture] = {
        "search-parameters": (parameters_png(groups, LIGHT), parameters_png(groups, DARK))
    }
    spread = "Lines: means over the seeds; bands: minimum to maximum."
    caption = f"Parameters of the four stages at the depths selected by each epoch. {spread}"
    parts = ["<h2>Search</h2>", figure("search", pictures["search-parameters"], caption)]
    for dataset in dict.fromkeys(group.dataset for group in groups):
        shown = [group for group in groups if group.dataset == dataset]
        picture = alpha_png(shown, LIGHT), alpha_png(shown, DARK)
        pictures[f"search-alpha-{dataset}"] = picture
        caption = (
            f"{dataset}: alpha of each stage over the epochs, a line per depth, labelled "
            f"at its end. {spread}"
        )
        parts.append(figure("search", picture, caption))
    return [*parts, search_table(groups).html()], pictures
