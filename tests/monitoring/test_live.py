"""The dashboards show a live system too: all but what only a sweep has."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.dashboards.metric_panels import AGAINST_SNR, main_metrics
from orchestrator.dashboards.write import DASHBOARDS
from tests.integration.harness import eventually
from tests.monitoring.prometheus import filled, watching
from tests.monitoring.system import LINKS, start_streaming, stop_system, total

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

OF_A_SWEEP = {"Sweep", *(metric.title + AGAINST_SNR for _, metric in main_metrics())}


def test_panels_have_data_while_links_stream(workplace: Path, tmp_path: Path) -> None:
    system = start_streaming(workplace, tmp_path)
    try:
        with watching(system, tmp_path) as prometheus:
            for dashboard in DASHBOARDS.values():
                for panel in dashboard.panels:
                    for query in panel.queries if panel.title not in OF_A_SWEEP else ():
                        prometheus.wait_for_data(filled(query.expr))

            def moved(link: str) -> bool:
                steps = prometheus.query(f'changes(semcom_snr_set_db{{link="{link}"}}[1m])')
                return any(float(series["value"][1]) > 0 for series in steps)

            for link in LINKS:
                eventually(lambda n=link: moved(n), f"{link} follows its course")
        for link in LINKS:  # what comes later is looked at first
            recorded = total(system, "orchestrator", "semcom_frames_recorded_total", link=link)
            assert 0 < recorded <= total(system, link, "semcom_frames_offered_total")
    finally:
        stop_system(system)
