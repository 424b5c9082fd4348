"""What every process of a running system tells is what the table of metrics says."""

from __future__ import annotations

import subprocess
from itertools import product

import pytest

from semcom.metric_table import MAX_SERIES, METRICS, PROCESS_METRICS
from semcom.tasks.classification import Classification
from tests.monitoring.programs import found
from tests.monitoring.system import LINKS, System, total

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

TABLE = METRICS | PROCESS_METRICS
PEERS = (*LINKS, "channel", "receiver-1", "orchestrator")
PEER = pytest.mark.parametrize("peer", PEERS)


@PEER
def test_names_types_labels_and_help_are_those_of_the_table(system: System, peer: str) -> None:
    role = system.roles[peer]
    families = system.families(peer)
    assert set(families) == {name for name, metric in TABLE.items() if role in metric.roles}
    for name, family in families.items():
        metric = TABLE[name]
        assert family.type == metric.kind, name
        if name in METRICS:
            assert family.documentation == metric.help, name
        assert family.documentation, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample


@PEER
def test_process_has_few_series(system: System, peer: str) -> None:
    samples = [sample for family in system.families(peer).values() for sample in family.samples]
    assert len(samples) < MAX_SERIES


@PEER
def test_values_of_labels_are_known_beforehand(system: System, peer: str) -> None:
    role = system.roles[peer]
    for name, family in system.families(peer).items():
        known = TABLE[name].values.get(role)
        for sample in family.samples:
            if known is not None:
                assert sample.labels[TABLE[name].labels[0]] in known
            assert sample.labels.get("link", LINKS[0]) in LINKS


@PEER
def test_promtool_finds_nothing_to_mend(system: System, peer: str) -> None:
    promtool = found("promtool")
    page = system.page(peer)
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_numbers_of_the_processes_agree(system: System) -> None:
    for link in LINKS:  # what comes later on a frame's way is looked at first
        recorded = total(system, "orchestrator", "semcom_frames_recorded_total", link=link)
        decoded = total(system, "receiver-1", "semcom_images_decoded_total", link=link)
        received = total(system, "channel", "semcom_frames_received_total", link=link)
        sent = total(system, link, "semcom_frames_sent_total") + total(
            system, link, "semcom_frames_retransmitted_total"
        )
        offered = total(system, link, "semcom_frames_offered_total")
        assert 0 < recorded <= decoded <= received <= sent
        assert recorded <= offered
        assert total(system, link, "semcom_snr_set_db") in (0, 10)
    for peer in PEERS:
        for sample in system.families(peer)["semcom_ready"].samples:
            assert sample.value in (0, 1)
    curve = system.curve()
    models, snrs_db = ("awgn", "rayleigh"), ("0", "10")
    assert set(curve) == set(product(LINKS, models, snrs_db))
    assert all(0 <= value <= 1 for value in curve.values())
    for link in LINKS:
        sums = {
            name: total(system, link, "semcom_score_total", sum=name)
            for name in Classification.SUMS
        }
        assert 0 < sums["correct"] <= sums["items"]
