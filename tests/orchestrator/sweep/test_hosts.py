"""Hosts of a sweep's processes: kept in its ledger, told in its manifest."""

from __future__ import annotations

from pathlib import Path

from orchestrator.results.ledger import Ledger
from orchestrator.results.origins import stated_origins
from orchestrator.sweep.state import Sweep
from orchestrator.sweep.sweep_work import SweepWork
from semcom.fingerprint import own_origin
from semcom.messages import HostReport, Role
from semcom.telemetry import Telemetry
from tests.orchestrator.ledgers import fake_plan
from tests.orchestrator.parts import rounding


class Notes:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""

    def waiting(self, roles: list[str]) -> None:
        """Roles are waited for."""

    def notice(self, text: str) -> None:
        """Keep it."""
        self.told.append(text)


def work_on(ledger: Ledger, notes: Notes) -> SweepWork:
    sweep = Sweep(ledger.plan, recorded=ledger.recorded_frames(), window=1, encode_once=True)
    return SweepWork(
        sweep, ledger, telemetry=Telemetry("orchestrator", "orchestrator"), watcher=notes
    )


def report(role: Role, peer: str, kernels: str) -> HostReport:
    return HostReport(role=role, peer=peer, origin=own_origin({role: rounding(kernels)}))


def test_hosts_are_kept_in_the_ledger_and_stated_without_frames(tmp_path: Path) -> None:
    ledger, notes = Ledger(tmp_path / "l.sqlite", fake_plan()), Notes()
    work = work_on(ledger, notes)
    link = next(iter(ledger.plan.links))
    for each in (
        report("transmitter", link, "AVX2"),
        report("transmitter", "of-another-run", "AVX512"),
        report("receiver", "receiver-1", "AVX2"),
        report("receiver", "receiver-1", "AVX2"),
    ):
        work.host_report(each)
    assert work.housekeep([]) is None
    stated = stated_origins(ledger.origins, ledger.plan)
    processes = [each["process"] for each in stated["computed_by"]]
    assert processes == [f"transmitter {link}", "receiver receiver-1"]
    assert not any({"frames", "spans"} & set(each) for each in stated["computed_by"])
    assert notes.told == []
    ledger.close()


def test_a_receiver_that_rounds_otherwise_is_told_though_the_run_was_resumed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "l.sqlite"
    ledger, notes = Ledger(path, fake_plan()), Notes()
    work = work_on(ledger, notes)
    work.host_report(report("receiver", "receiver-1", "AVX2"))
    work.write_hosts()
    ledger.close()

    ledger = Ledger(path, fake_plan())
    work = work_on(ledger, notes)
    assert notes.told == []
    work.host_report(report("receiver", "receiver-1", "AVX512"))
    (told,) = notes.told
    assert "kernels torch AVX512, not AVX2" in told
    work.write_hosts()
    assert len(ledger.origins.all()) == 2
    ledger.close()
